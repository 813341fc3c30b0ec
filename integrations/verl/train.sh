#!/usr/bin/env bash
# GASP, its baselines and plain RLVR on Qwen2.5-Coder-7B with verl 0.9.1, on one node of 8 GPUs.
#
#   GOALPOSTS=goalposts.jsonl ./train.sh gasp                           # or: azr, rlvr, gasp+rlvr
#   GOALPOSTS=goalposts.jsonl ./train.sh gasp trainer.save_freq=50      # further options are verl's
#
# The recipe is in gasp.yaml; here is what differs from run to run. Started again, a run goes on from its last checkpoint, weights and
# curriculum. PRINT=1 shows the trainer's arguments, one a line, and trains nothing.
set -euo pipefail

HERE=$(cd "$(dirname "$0")" && pwd)
PROFILE=${1:-gasp}
MODEL=${MODEL:-Qwen/Qwen2.5-Coder-7B}
RUN=$(realpath -m "${RUN:-runs/${PROFILE}}") # absolute: a process of a Ray cluster may start elsewhere
GOALPOSTS=${GOALPOSTS:?name a JSON lines file of goalposts}
STEPS=${STEPS:-500}
BATCH=${BATCH:-384}      # samples a step (AZR: 64 x 6)
GROUP=${GROUP:-4}        # samples that share a ticket
ROWS=$((STEPS * BATCH / GROUP))

ARGS=(
  --config-path "$HERE" --config-name gasp
  data.train_files="$RUN/tickets.jsonl" data.train_batch_size=$((BATCH / GROUP))
  actor_rollout_ref.model.path="$MODEL" actor_rollout_ref.rollout.n="$GROUP"
  trainer.total_training_steps="$STEPS" trainer.experiment_name="$PROFILE" trainer.default_local_dir="$RUN/checkpoints"
  ray_kwargs.ray_init.runtime_env.env_vars.GASP_RUN="$RUN"
  "${@:2}"
)

if [ "${PRINT:-0}" = 1 ]; then
  printf '%s\n' "${ARGS[@]}"
  exit
fi

gasp-env tickets --run "$RUN" --goalposts "$GOALPOSTS" --profile "$PROFILE" --format verl --rows "$ROWS" \
  --out "$RUN.tickets.jsonl" ${STORE:+--store "$STORE"}
mv "$RUN.tickets.jsonl" "$RUN/tickets.jsonl"
export GASP_RUN="$RUN" VERL_USE_EXTERNAL_MODULES=gasp_env.adapters.verl
exec python -m verl.trainer.main_ppo "${ARGS[@]}"
