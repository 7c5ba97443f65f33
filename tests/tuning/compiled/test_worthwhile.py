"""A run that is too short for XLA is traced only: the same numbers, sooner."""

import keras
import numpy as np
import pytest

from tests.tuning.compiled import cases
from tests.tuning.compiled.cases import N, X, Y
from tests.tuning.compiled.test_parity import NAMED, NAMED_VALIDATION
from tuning import compiled
from tuning.compiled import eligibility, worthwhile

PLAIN = {"x": X[:N], "y": Y[:N], "validation_data": (X[N:], Y[N:]), "batch_size": 16, "verbose": 0}
NAMED = {"x": NAMED[0], "y": NAMED[1], "validation_data": NAMED_VALIDATION, "batch_size": 16, "verbose": 0}


@pytest.fixture
def too_short(monkeypatch, long_enough):
    monkeypatch.setattr(worthwhile, "BATCHES_PER_LAYER", 100)


def trained(fit, build, **arguments):
    keras.utils.set_random_seed(1)
    model = build()
    history = fit(model, **arguments).history
    return history, model


@pytest.mark.medium
@pytest.mark.parametrize(
    ("build", "arguments"),
    [
        (cases.mlp, PLAIN),
        (cases.batch_normalization, PLAIN),
        (cases.multi_input_output, NAMED),
        (cases.loss_of_last_row, PLAIN),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_weights_and_history_are_those_of_keras(build, arguments, too_short):
    arguments = arguments | {"shuffle": False, "epochs": 2}
    theirs, one = trained(keras.Model.fit, build, **arguments)
    ours, other = trained(compiled.fit, build, **arguments)
    report = compiled.last_report(other)
    assert report.compiled and report.short_batch == "as it is" and report.explanation == report.reason
    assert cases.largest_difference(one.get_weights(), other.get_weights()) < 1e-5
    assert theirs.keys() == ours.keys()
    for name, values in theirs.items():
        np.testing.assert_allclose(ours[name], values, rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.medium
def test_a_short_run_sees_the_samples_in_the_order_of_a_long_one(monkeypatch):
    arguments = PLAIN | {"epochs": 2}
    _, by_xla = trained(compiled.fit, cases.mlp, **arguments)
    assert compiled.last_report(by_xla).reason is None
    monkeypatch.setattr(worthwhile, "BATCHES_PER_LAYER", 100)
    _, traced = trained(compiled.fit, cases.mlp, **arguments)
    assert compiled.last_report(traced).reason == "XLA would pay from 200 batches on, and the run has 14"
    assert cases.largest_difference(by_xla.get_weights(), traced.get_weights()) < 1e-5


def test_where_xla_begins_to_pay(too_short, monkeypatch):
    model = cases.mlp()  # two layers
    assert worthwhile.too_short(model, 199) and worthwhile.too_short(model, 200) is None
    monkeypatch.setattr(eligibility, "has_accelerator", lambda: True)
    assert worthwhile.too_short(model, 1) is None, "there Keras compiles as well"
