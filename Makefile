PYTHON ?= python3
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest -n 2 --dist worksteal

.PHONY: demo test test-medium test-slow storm quick check docs test-oldest clean

demo: .venv/.installed
	$(BIN)/tune demo

# With COVER=1 it says how much of the code was run.
test: check docs
ifdef COVER
	$(PYTEST) --cov --cov-report=
	@echo "covered: $$($(BIN)/coverage report --format=total) %"
else
	$(PYTEST)
endif

# What compiled epochs do on either backend, once more on JAX.
ON_JAX := test_jax.py test_lanes.py test_parity.py test_shuffling.py test_cache.py test_callbacks.py
MORE_ON_JAX := $(ON_JAX) test_breadth.py test_several_steps.py
test-medium: .venv/.installed-test
	$(PYTEST) -m "medium and not slow and not exhaustive"
	KERAS_BACKEND=jax $(PYTEST) -m "not slow and not exhaustive" $(addprefix tests/tuning/compiled/,$(ON_JAX))

test-slow: .venv/.installed-test
	$(PYTEST) -m "slow and not exhaustive" $(SLOW)
	KERAS_BACKEND=jax $(PYTEST) -m "not exhaustive" $(addprefix tests/tuning/compiled/,$(MORE_ON_JAX))

# Searches of every engine are struck so often; SEED=... for other moments.
STRIKES := 100
storm: .venv/.installed-test
	$(BIN)/python scripts/storm.py $(STRIKES) $(SEED)

# What needs neither Keras, nor Optuna, nor a further process, nor a search.
quick: .venv/.installed-test
	$(PYTEST) --quick

check: .venv/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The site, in site/; a page that links to nothing or documents a name that is gone is an error.
docs: .venv/.installed-test
	$(BIN)/mkdocs build --strict --quiet

# The oldest releases that setup.cfg allows, in an environment of their own: what meets third parties. The process's
# proposals are compared where they were recorded: another linear algebra ends a fit of its lengths a little elsewhere.
OLDEST := engines space storage compiled/test_parity.py final tensorboard/test_hparams.py estimators/test_tuned.py
test-oldest: .venv-oldest/.installed
	.venv-oldest/bin/python -m pytest -n 2 --dist worksteal $(addprefix tests/tuning/,$(OLDEST)) \
		--deselect tests/tuning/engines/optuna/test_engine.py::TestAuto::test_golden_proposals

.venv-oldest/.installed: setup.cfg .ci/oldest.py
	$(PYTHON) -m venv .venv-oldest
	$(PYTHON) .ci/oldest.py > .venv-oldest/constraints.txt
	.venv-oldest/bin/python -m pip install --quiet --constraint .venv-oldest/constraints.txt --editable .[test]
	touch $@

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.installed: setup.cfg .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

# Byte code by as many processes as there are cores: pip has one, and TensorFlow takes that one a minute and a half.
.venv/.installed-test: setup.cfg .venv/bin/python
	$(BIN)/python -m pip install --quiet --no-compile --editable .[test]
	$(BIN)/python -m compileall -qq -j 0 .venv/lib || true
	touch $@ .venv/.installed

clean:
	rm -rf .venv .venv-oldest build site *.egg-info
