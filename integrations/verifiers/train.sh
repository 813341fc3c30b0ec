#!/usr/bin/env bash
# GASP, its baselines and plain RLVR on Qwen2.5-Coder-7B with prime-rl 0.8.0, on one node of 8 GPUs.
#
#   GOALPOSTS=goalposts.jsonl ./train.sh gasp         # or: azr, rlvr, gasp+rlvr
#
# Run it in prime-rl's environment, with gasp-env[verifiers] installed there. The recipe is gasp.toml. PRINT=1 shows prime-rl's
# arguments, one a line, and trains nothing.
set -euo pipefail

HERE=$(cd "$(dirname "$0")" && pwd)
PROFILE=${1:-gasp}
MODEL=${MODEL:-Qwen/Qwen2.5-Coder-7B}
RUN=${RUN:-runs/${PROFILE}}
GOALPOSTS=${GOALPOSTS:?name a JSON lines file of goalposts}
STEPS=${STEPS:-500}
BATCH=${BATCH:-384}      # samples a step (AZR: 64 x 6)
GROUP=${GROUP:-4}        # samples that share a ticket

ARGS=(@ "$HERE/gasp.toml")
if [ "$PROFILE" = rlvr ]; then
  ARGS+=(@ "$HERE/rlvr.toml")
fi
ARGS+=(
  --model.name "$MODEL" --max-steps "$STEPS"
  --orchestrator.batch-size "$BATCH" --orchestrator.group-size "$GROUP"
  --output-dir "$RUN" --run.name trainer
)

if [ "${PRINT:-0}" = 1 ]; then
  printf '%s\n' "${ARGS[@]}"
  exit
fi

# The rows are not read: the taskset deals by itself. The command makes the run that all workers join.
gasp-env tickets --run "$RUN" --goalposts "$GOALPOSTS" --profile "$PROFILE" --rows 1 \
  --out "$RUN.tickets.jsonl" ${STORE:+--store "$STORE"}
mv "$RUN.tickets.jsonl" "$RUN/tickets.jsonl"
export GASP_RUN=$(realpath "$RUN")
exec rl "${ARGS[@]}"
