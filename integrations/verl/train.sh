#!/usr/bin/env bash
# GASP, its baselines and plain RLVR on Qwen2.5-Coder-7B with verl 0.9.1, on one node of 8 GPUs.
#
#   GOALPOSTS=goalposts.jsonl ./train.sh gasp         # or: azr, rlvr, gasp+rlvr
#
# The optimiser's figures are those of the paper's base recipe (AZR): AdamW, constant 1e-6, one pass, no KL, temperature 1, prompts
# up to 6144 and answers up to 8096 tokens. PRINT=1 shows the trainer's arguments, one a line, and trains nothing.
set -euo pipefail

PROFILE=${1:-gasp}
MODEL=${MODEL:-Qwen/Qwen2.5-Coder-7B}
RUN=${RUN:-runs/${PROFILE}}
GOALPOSTS=${GOALPOSTS:?name a JSON lines file of goalposts}
STEPS=${STEPS:-500}
BATCH=${BATCH:-384}      # samples a step (AZR: 64 x 6)
GROUP=${GROUP:-4}        # samples that share a ticket
ROWS=$((STEPS * BATCH / GROUP))

ARGS=(
  data.train_files="$RUN/tickets.jsonl" data.val_files="$RUN/tickets.jsonl"
  data.train_batch_size=$((BATCH / GROUP)) data.max_prompt_length=6144 data.max_response_length=8096
  data.shuffle=False data.filter_overlong_prompts=False
  algorithm.adv_estimator=gasp algorithm.use_kl_in_reward=False
  actor_rollout_ref.model.path="$MODEL" actor_rollout_ref.model.enable_gradient_checkpointing=True
  actor_rollout_ref.actor.optim.lr=1e-6 actor_rollout_ref.actor.use_kl_loss=False
  actor_rollout_ref.actor.ppo_mini_batch_size=$((BATCH / GROUP)) actor_rollout_ref.actor.ppo_epochs=1
  actor_rollout_ref.actor.use_dynamic_bsz=True actor_rollout_ref.actor.ppo_max_token_len_per_gpu=16384
  actor_rollout_ref.rollout.name=vllm actor_rollout_ref.rollout.n="$GROUP"
  actor_rollout_ref.rollout.temperature=1.0 actor_rollout_ref.rollout.top_p=1.0
  actor_rollout_ref.rollout.gpu_memory_utilization=0.5 actor_rollout_ref.rollout.tensor_model_parallel_size=1
  actor_rollout_ref.rollout.calculate_log_probs=True
  actor_rollout_ref.rollout.agent.default_agent_loop=gasp
  trainer.n_gpus_per_node=8 trainer.nnodes=1 trainer.total_epochs=1 trainer.total_training_steps="$STEPS"
  trainer.save_freq=25 trainer.test_freq=-1 trainer.val_before_train=False
  trainer.project_name=gasp trainer.experiment_name="$PROFILE"
  trainer.default_local_dir="$RUN/checkpoints" trainer.logger='[console,tensorboard]'
)

if [ "${PRINT:-0}" = 1 ]; then
  printf '%s\n' "${ARGS[@]}"
  exit
fi

gasp-env tickets --run "$RUN" --goalposts "$GOALPOSTS" --profile "$PROFILE" --format verl --rows "$ROWS" \
  --out "$RUN.tickets.jsonl" ${STORE:+--store "$STORE"}
mv "$RUN.tickets.jsonl" "$RUN/tickets.jsonl"
export GASP_RUN=$(realpath "$RUN") VERL_USE_EXTERNAL_MODULES=gasp_env.adapters.verl
exec python -m verl.trainer.main_ppo "${ARGS[@]}"
