PYTHON ?= python3
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest -n 2 --dist worksteal

.PHONY: demo test test-slow quick check test-oldest clean

demo: .venv/.installed
	$(BIN)/tune demo

test: check
	$(PYTEST) --cov --cov-report=
	@echo "covered: $$($(BIN)/coverage report --format=total) % of the lines"

test-slow: .venv/.installed-test
	$(PYTEST) -m "slow and not exhaustive"

# What needs neither Keras nor a further process.
quick: .venv/.installed-test
	$(BIN)/python -m pytest --quick

check: .venv/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The oldest releases that setup.cfg allows, in an environment of their own.
test-oldest: .venv-oldest/.installed
	.venv-oldest/bin/python -m pytest -n 2 --dist worksteal $$(cat tests/oldest.txt)

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
