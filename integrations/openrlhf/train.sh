#!/usr/bin/env bash
# GASP, its baselines and plain RLVR on Qwen2.5-Coder-7B with OpenRLHF 0.11.2, on one node of 8 GPUs.
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
  --actor.model_name_or_path "$MODEL"
  --actor.num_nodes 1 --actor.num_gpus_per_node 8
  --ref.num_nodes 1 --ref.num_gpus_per_node 8
  --vllm.num_engines 8 --vllm.tensor_parallel_size 1
  --vllm.gpu_memory_utilization 0.5 --vllm.enable_sleep
  --train.colocate_all
  --data.prompt_dataset "$RUN/tickets.jsonl" --data.input_key prompt --data.label_key label
  --data.max_len 14240 --rollout.max_new_tokens 8096
  --rollout.batch_size $((BATCH / GROUP)) --rollout.n_samples_per_prompt "$GROUP"
  --rollout.temperature 1.0 --rollout.top_p 1.0
  --train.batch_size "$BATCH" --train.micro_batch_size 1 --train.max_epochs 1 --train.num_episodes 1
  --actor.adam.lr 1e-6 --actor.lr_scheduler constant
  --algo.advantage.estimator reinforce --algo.advantage.no_std_norm
  --algo.kl.init_coef 0.0
  --ds.zero_stage 3 --ds.packing_samples --actor.gradient_checkpointing_enable
  --ckpt.path "$RUN/checkpoints" --ckpt.save_steps 25 --ckpt.output_dir "$RUN/model"
  --logger.tensorboard_dir "$RUN/tensorboard"
)

FORMAT=openrlhf
if [ "$PROFILE" = rlvr ]; then
  # Real problems only: the trainer samples by itself and our reward function grades.
  FORMAT=openrlhf-reward
  ARGS+=(--data.apply_chat_template --reward.remote_url "$(gasp-env path openrlhf-reward)")
else
  ARGS+=(--train.agent_func_path "$(gasp-env path openrlhf)")
fi

if [ "${PRINT:-0}" = 1 ]; then
  printf '%s\n' "${ARGS[@]}"
  exit
fi

gasp-env tickets --run "$RUN" --goalposts "$GOALPOSTS" --profile "$PROFILE" --format "$FORMAT" --rows "$ROWS" \
  --out "$RUN.tickets.jsonl" ${STORE:+--store "$STORE"}
mv "$RUN.tickets.jsonl" "$RUN/tickets.jsonl"
export GASP_RUN=$(realpath "$RUN")
exec python -m openrlhf.cli.train_ppo_ray "${ARGS[@]}"
