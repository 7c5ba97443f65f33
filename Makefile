PYTHON ?= python3
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: demo test test-slow clean

demo: .venv/.installed
	$(BIN)/tune demo

test: .venv/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PYTEST)

test-slow: .venv/.installed-test
	$(PYTEST) -m "slow and not exhaustive"

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.installed: setup.cfg .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

.venv/.installed-test: setup.cfg .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable .[test]
	touch $@ .venv/.installed

clean:
	rm -rf .venv build *.egg-info
