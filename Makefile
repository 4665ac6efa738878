# Works with GNU make 3.81, and in a folder whose name has spaces: every path here is relative.
# One place for the commands that people and CI both use.

PYTHON ?= python3
ARGS ?=

ENV := .venv/bin/python
# As many workers as cores, within reason: each compiles kernels of its own.
PYTEST := $(ENV) -m pytest --numprocesses=auto --maxprocesses=8

.PHONY: help setup compare test test-all check bench oracles stubs docs mutants lock clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile
	@echo 'ARGS="..." goes to the command behind compare, test, test-all, bench and lock; PYTHON=python3.13 chooses the Python.'

setup:  ## .venv with the packages of requirements.lock and the project; quick where it is done already
	@command -v "$(PYTHON)" >/dev/null || { echo 'There is no $(PYTHON) here. Python 3.11 or newer is needed: make PYTHON=...' >&2; exit 1; }
	@"$(PYTHON)" tools/install.py

compare: setup  ## the six rules on the digits: a table, and where the page is that opens offline
	@$(ENV) -m thalweg compare $(ARGS)

test: setup  ## the tests, in a few minutes
	@$(PYTEST) $(ARGS)

test-all: setup  ## the slow tests too
	@$(PYTEST) -m "" $(ARGS)

check: setup  ## style, types, the import law, generated stubs, the lock
	$(ENV) -m ruff check .
	$(ENV) -m ruff format --check .
	$(ENV) -m mypy
	$(ENV) tools/stubs.py --check
	$(ENV) tools/differences.py --check
	$(ENV) tools/lock.py --check
	$(ENV) -m pytest -q tests/test_layers.py

bench: setup  ## each rule against the book's NumPy and against torch, as ratios
	@$(ENV) -m bench $(ARGS)

oracles: setup  ## torch, jax, optax and keras for the tests that compare with them
	@$(ENV) tools/oracles.py "$(PYTHON)"

stubs: setup  ## write the .pyi files anew
	@$(ENV) tools/stubs.py

docs: setup  ## write docs/differences.md anew
	@$(ENV) tools/differences.py

mutants: setup  ## break every rule in every place, and see whether its transcription notices
	@$(ENV) -m tests.mutants $(ARGS)

lock:  ## write requirements.lock anew, with uv; ARGS=--upgrade takes the newest versions
	@"$(PYTHON)" tools/lock.py $(ARGS)

clean:  ## remove .venv and every cache; what `make compare` found out stays
	@rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
