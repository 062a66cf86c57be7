# Everything a contributor runs. Needs python3 (3.11 or newer, with pip) and make; `make` lists the targets.

PYTHON ?= python3
VENV := .venv
TOOLS_VENV := .venv-tools
BIN := $(VENV)/bin
PY := $(BIN)/python
# Arguments for the program that a target runs: make demo ARGS="--cases 200".
ARGS ?=
# One more than the cores of the smallest machine this is tested on, since tests wait for processes;
# loadfile keeps a file's servers in one worker.
PYTEST_WORKERS := -n 3 --dist loadfile
COMPILE := $(TOOLS_VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --no-build \
	--generate-hashes --no-header $(if $(UPGRADE),--upgrade)

# Compiled modules and rewritten tests are kept, whatever the shell says: the tests start many programs.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo test format-check lint types imports fast-tests live faults bench format codegen lock venv clean

help: ## list the targets (this one)
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.ready ## run everything embedded: desk, broker, 20 robots, gateway (ARGS="--cases 200 --chaos")
	@$(PY) -m dragoman demo $(ARGS)

test: format-check lint types imports fast-tests ## every default check; stops at the first that fails
	@echo "== all default checks passed"

format-check: $(VENV)/.ready ## check the formatting only
	@echo "== format (mend with: make format)"
	@$(BIN)/ruff format --check .

lint: $(VENV)/.ready ## run the linter only
	@echo "== lint"
	@$(BIN)/ruff check .

types: $(VENV)/.ready ## check the types only (mypy --strict)
	@echo "== types"
	@$(BIN)/mypy

imports: $(VENV)/.ready ## check the import rule only (import-linter)
	@echo "== imports"
	@$(BIN)/lint-imports --no-logo

fast-tests: $(VENV)/.ready ## run the default tests only (ARGS="-k webhook")
	@echo "== tests"
	@$(BIN)/pytest $(PYTEST_WORKERS) $(ARGS)

live: $(VENV)/.ready ## test against a real Request Tracker, broker and vehicle program (uses apt and npm)
	@echo "== live tests"
	@if [ -f tests/live/setup.sh ]; then bash tests/live/setup.sh; fi
	@$(BIN)/pytest -m live --session-timeout 1200 $(ARGS)

faults: $(VENV)/.ready ## the long kill, power-loss and disk-full runs, ten minutes at most
	@echo "== fault tests"
	@$(BIN)/pytest -m faults --session-timeout 1200 $(ARGS)

bench: $(VENV)/.ready ## run the benchmarks against the committed baseline
	@$(PY) -m bench $(ARGS)

format: $(VENV)/.ready ## format the code and mend what the linter can mend by itself
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

codegen: $(VENV)/.ready $(TOOLS_VENV)/.ready ## generate the VDA 5050 models again from the committed schemas
	@PATH="$(CURDIR)/$(TOOLS_VENV)/bin:$$PATH" $(TOOLS_VENV)/bin/python tools/generate_vda5050.py $(ARGS)

lock: $(TOOLS_VENV)/.ready ## pin what pyproject.toml asks for (UPGRADE=1 takes the newest releases)
	@$(COMPILE) pyproject.toml -o requirements/base.txt
	@$(COMPILE) pyproject.toml --group dev -c requirements/base.txt -o requirements/dev.txt
	@$(COMPILE) --group pyproject.toml:tools -c requirements/dev.txt -o requirements/tools.txt
	@echo "requirements/*.txt are up to date; run make test, then commit them"

venv: $(VENV)/.ready ## make .venv with the pinned and hashed packages (the other targets do it by themselves)

clean: ## remove what the targets made, the virtual environments too
	rm -rf $(VENV) $(TOOLS_VENV) build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find src tests bench tools -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

$(VENV)/.ready: requirements/dev.txt pyproject.toml src/dragoman/__init__.py tools/make_venv.py
	@$(PYTHON) tools/make_venv.py $(VENV) requirements/dev.txt --editable .
	@touch $@

$(TOOLS_VENV)/.ready: requirements/tools.txt tools/make_venv.py
	@$(PYTHON) tools/make_venv.py $(TOOLS_VENV) requirements/tools.txt
	@touch $@
