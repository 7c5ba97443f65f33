PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check clean

demo: .venv/.installed
	$(BIN)/tune demo

test: .venv/.installed-test
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

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
