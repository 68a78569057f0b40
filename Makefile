# `make chat` and `make test` work on a fresh clone: they create .venv first.
# Written for GNU Make 3.81, the one that macOS has.

VENV := .venv
PYTHON := $(VENV)/bin/python
UV := $(shell command -v uv 2>/dev/null)
PYTEST_WORKERS ?= auto

.PHONY: help chat test fuzz metal lint types check format clean

help:
	@echo "make chat    talk to the bundled model in the terminal"
	@echo "make test    run the tests"
	@echo "make fuzz    run every attack of docs/trust.md: hours"
	@echo "make metal   run the tests that need an Apple GPU"
	@echo "make lint    ruff: rules and format"
	@echo "make types   mypy, strict"
	@echo "make check   test, lint and types"
	@echo "make format  let ruff rewrite the files"
	@echo "make clean   remove .venv and everything built"

chat: $(VENV)/.runtime
	@$(VENV)/bin/qwen3-mlx chat

test: $(VENV)/.dev
	$(PYTHON) -m pytest --numprocesses=$(PYTEST_WORKERS) --maxprocesses=4 --dist=loadfile

fuzz: $(VENV)/.dev
	$(PYTHON) -m tests.trust

metal: $(VENV)/.dev
	$(PYTHON) -m pytest -m metal

lint: $(VENV)/.dev
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

types: $(VENV)/.dev
	$(PYTHON) -m mypy

check: test lint types

format: $(VENV)/.dev
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

# The stamps are older than pyproject.toml exactly when the dependencies may have changed.
$(VENV)/.runtime: pyproject.toml | $(PYTHON)
	$(call install,.)
	@touch $@

$(VENV)/.dev: pyproject.toml | $(PYTHON)
	$(call install,.[dev])
	@touch $@ $(VENV)/.runtime

ifdef UV
$(PYTHON):
	uv venv --quiet --seed --python '>=3.11' $(VENV)

install = uv pip install --quiet --python $(PYTHON) --editable '$(1)'
else
$(PYTHON):
	@found=; \
	for python in python3.13 python3.12 python3.11 python3 python3.14; do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	  then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "qwen3-mlx needs Python 3.11 or newer, or uv, and found neither." >&2; \
	  echo "Get one of them: https://docs.astral.sh/uv or https://www.python.org" >&2; \
	  exit 1; \
	fi; \
	echo "$$found -m venv $(VENV)"; \
	$$found -m venv $(VENV)

install = $(PYTHON) -m pip install --quiet --disable-pip-version-check --editable '$(1)'
endif
