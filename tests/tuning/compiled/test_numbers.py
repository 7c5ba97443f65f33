"""Models that differ only in numbers of their optimizers and regularizers share a program, and train as Keras does."""

import keras
import pytest

from tests.tuning.compiled import cases
from tests.tuning.compiled.test_parity import PLAIN, assert_parity
from tuning import compiled as training

pytestmark = cases.on_tensorflow

optimizers, regularizers, layers = keras.optimizers, keras.regularizers, keras.layers
KINDS = (
    "SGD",
    "RMSprop",
    "Adam",
    "AdamW",
    "Adamax",
    "Nadam",
    "Adagrad",
    "Adadelta",
    "Adafactor",
    "Ftrl",
    "Lion",
    "Lamb",
)
LATER = ("Muon", "ScheduleFreeAdamW")
"""Kinds that older releases do not have."""


def with_optimizer(kind, factor, **more):
    """Return a model whose optimizer has its numbers, all but the learning rate and those of 1, times `factor`."""
    given = {"weight_decay": 0.02, "clipnorm": 0.5, "use_ema": True, "ema_momentum": 0.9, **more}
    config = getattr(optimizers, kind)(0.01, **given).get_config()
    numbers = {n: v * factor for n, v in config.items() if type(v) is float and n != "learning_rate" and v != 1}
    model = cases.mlp(optimizer=getattr(optimizers, kind).from_config(config | numbers))
    model.optimizer.build(model.trainable_variables)  # what ScheduleFreeAdamW assigns there, Keras's steps would again
    return model


def regularized(factor):
    l2, both = regularizers.L2(0.1 * factor), regularizers.L1L2(0.01 * factor, 0.02 * factor)
    options = {"kernel_regularizer": l2, "activity_regularizer": both}
    return cases.mlp(layers.Dense(8, "relu", **options), optimizer=optimizers.SGD(0.05, momentum=0.9 * factor))


def assert_shared(build):
    """Train with some numbers, then with others: in the same program, with Keras's results."""
    training.clear()
    first = assert_parity(lambda: build(1.0), epochs=2, **PLAIN)
    second = assert_parity(lambda: build(0.8), epochs=2, **PLAIN)
    assert not first.reused and second.reused
    return first


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*KINDS, *(kind for kind in LATER if hasattr(optimizers, kind))])
def test_every_optimizer_of_keras(kind):
    assert_shared(lambda factor: with_optimizer(kind, factor))


@pytest.mark.slow
@pytest.mark.parametrize("more", [{"clipvalue": 0.05}, {"global_clipnorm": 0.5}, {"loss_scale_factor": 4.0}])
def test_other_ways_of_clipping_and_scaling(more):
    assert_shared(lambda factor: with_optimizer("SGD", factor, momentum=0.9, clipnorm=None, **more))


@pytest.mark.medium
def test_regularizers_and_the_way_of_the_short_batch():
    assert assert_shared(regularized).short_batch == "bounded"


@pytest.mark.medium
def test_a_number_that_a_step_asks_for_is_a_constant():
    """Momentum of 0 leaves out a part of the step, so it is another program than any other."""
    training.clear()
    for momentum in (0.9, 0.0):
        report = assert_parity(lambda momentum=momentum: cases.mlp(optimizer=optimizers.SGD(0.05, momentum)), **PLAIN)
        assert not report.reused and report.short_batch == "per row"


@pytest.mark.slow
def test_where_a_step_asks_for_more_the_numbers_are_constants(monkeypatch):
    genuine = optimizers.SGD.update_step

    def asking(self, gradient, variable, learning_rate):
        return genuine(self, gradient * float(self.momentum), variable, learning_rate)

    monkeypatch.setattr(optimizers.SGD, "update_step", asking)
    training.clear()
    reports = [
        assert_parity(lambda momentum=momentum: cases.mlp(optimizer=optimizers.SGD(0.05, momentum)), **PLAIN)
        for momentum in (0.9, 0.8, 0.9)
    ]
    assert [report.reused for report in reports] == [False, False, True]
