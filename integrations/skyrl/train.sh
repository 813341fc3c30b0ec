#!/usr/bin/env bash
# GASP, its baselines and plain RLVR on Qwen2.5-Coder-7B with SkyRL 0.4.0, on one node of 8 GPUs.
#
#   GOALPOSTS=goalposts.jsonl ./train.sh gasp         # or: azr, rlvr, gasp+rlvr
#
# AdamW, constant 1e-6, one pass, no KL, temperature 1, prompts up to 6144 and answers up to 8096 tokens; SkyRL's own group baseline.
# PRINT=1 shows the trainer's arguments, one a line, and trains nothing.
set -euo pipefail

PROFILE=${1:-gasp}
MODEL=${MODEL:-Qwen/Qwen2.5-Coder-7B}
RUN=${RUN:-runs/${PROFILE}}
GOALPOSTS=${GOALPOSTS:?name a JSON lines file of goalposts}
STEPS=${STEPS:-500}
BATCH=${BATCH:-384}      # samples a step (AZR: 64 x 6)
GROUP=${GROUP:-4}        # samples that share a ticket
TURNS=${TURNS:-1}        # the larger of rules.teacher_turns and rules.student_turns
ROWS=$((STEPS * BATCH / GROUP))
LONGEST=$((TURNS > 1 ? 6144 + 8096 : 6144)) # of a turn's prompt
HERE=$(cd "$(dirname "$0")" && pwd)

ARGS=(
  "data.train_data=['$RUN/tickets.jsonl']" "data.val_data=['$RUN/tickets.jsonl']"
  environment.env_class=gasp environment.skyrl_gym.max_env_workers=64
  trainer.policy.model.path="$MODEL" trainer.policy.optimizer_config.lr=1e-6
  trainer.policy.optimizer_config.scheduler=constant
  trainer.strategy=fsdp trainer.placement.colocate_all=true trainer.placement.policy_num_gpus_per_node=8
  trainer.algorithm.advantage_estimator=grpo trainer.algorithm.grpo_norm_by_std=false
  trainer.algorithm.use_kl_loss=false trainer.algorithm.zero_variance_filter=false
  trainer.train_batch_size=$((BATCH / GROUP)) trainer.policy_mini_batch_size=$((BATCH / GROUP))
  trainer.update_epochs_per_batch=1 trainer.epochs=1 trainer.max_training_steps="$STEPS"
  trainer.max_prompt_length=6144 trainer.eval_before_train=false trainer.eval_interval=-1
  trainer.ckpt_interval=25 trainer.ckpt_path="$RUN/checkpoints" trainer.export_path="$RUN/model"
  trainer.logger=tensorboard trainer.project_name=gasp trainer.run_name="$PROFILE"
  generator.n_samples_per_prompt="$GROUP" generator.max_turns="$TURNS" generator.max_input_length="$LONGEST"
  generator.sampling_params.max_generate_length=8096 generator.sampling_params.temperature=1.0
  generator.sampling_params.top_p=1.0
  generator.inference_engine.backend=vllm generator.inference_engine.num_engines=8
  generator.inference_engine.tensor_parallel_size=1 generator.inference_engine.gpu_memory_utilization=0.6
)

if [ "${PRINT:-0}" = 1 ]; then
  printf '%s\n' "${ARGS[@]}"
  exit
fi

gasp-env tickets --run "$RUN" --goalposts "$GOALPOSTS" --profile "$PROFILE" --format skyrl --rows "$ROWS" \
  --out "$RUN.tickets.jsonl" ${STORE:+--store "$STORE"}
mv "$RUN.tickets.jsonl" "$RUN/tickets.jsonl"
export GASP_RUN=$(realpath "$RUN")
exec python "$HERE/train.py" "${ARGS[@]}"
