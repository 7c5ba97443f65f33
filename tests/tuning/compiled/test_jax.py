"""What is JAX's alone: convolutions batch by batch, and what is left to Keras there.

Run with KERAS_BACKEND=jax, as `make test-medium` does with the other tests of compiled epochs that hold on both.
"""

import keras
import numpy as np
import pytest

from tests.tuning.compiled import cases
from tests.tuning.compiled.cases import CLASSES, IMAGES, Batches, LooksAtBatches, N, X, Y
from tests.tuning.compiled.test_parity import assert_parity, data
from tuning import compiled as training

pytestmark = [cases.on_jax, pytest.mark.medium]
ARRAYS = {"x": X[:N], "y": Y[:N]}


def convolutional_with_dropout():
    hidden = [keras.layers.Reshape((8, 1)), keras.layers.Conv1D(4, 3, activation="relu"), keras.layers.Dropout(0.5)]
    return cases.mlp(*hidden, keras.layers.Flatten())


@pytest.mark.parametrize(
    ("build", "arguments"),
    [
        (cases.convolutional, data(IMAGES, CLASSES)),
        (convolutional_with_dropout, data(X, Y)),
        (convolutional_with_dropout, {"x": X[:64], "y": Y[:64]}),
        (lambda: cases.mlp(keras.layers.Dense(8), keras.layers.Dropout(0.4)), data(X, Y)),
    ],
    ids=["Conv2D", "Conv1D and dropout", "no short batch", "dropout"],
)
def test_weights_are_those_of_keras_to_the_last_random_number(build, arguments):
    """Seeds are part of the state, so even what dropout draws is the same."""
    assert_parity(build, **arguments)


def test_an_epoch_that_stops_after_a_batch_trains_one_batch_by_batch_too():
    model = cases.convolutional()
    stop = keras.callbacks.LambdaCallback(on_epoch_begin=lambda *_: setattr(model, "stop_training", True))
    training.fit(model, IMAGES[:N], CLASSES[:N], batch_size=16, epochs=3, verbose=0, callbacks=[stop])
    assert training.last_report(model).compiled and int(model.optimizer.iterations) == 1


def reads_what_is_not_of_its_own():
    noise = keras.Variable(np.ones(8, "float32"))
    return cases.mlp(keras.layers.Dense(8), keras.layers.Lambda(lambda x: x * noise))


@pytest.mark.parametrize(
    ("build", "arguments", "reason"),
    [
        (cases.mlp, {"x": Batches()}, "Batches"),
        (cases.mlp, ARRAYS | {"callbacks": [LooksAtBatches()]}, "LooksAtBatches"),
        (lambda: cases.mlp(run_eagerly=True), ARRAYS, "run_eagerly"),
        (lambda: cases.mlp(jit_compile=False), ARRAYS, "jit_compile is off"),
    ],
    ids=["PyDataset", "callback", "eager", "no jit"],
)
def test_keras_takes_over(build, arguments, reason):
    model = build()
    history = training.fit(model, verbose=0, **arguments)
    report = training.last_report(model)
    assert not report.compiled and reason in report.reason
    assert len(history.history["loss"]) == 1


def test_a_program_that_refers_to_something_else_is_not_shared():
    for _ in range(2):
        model = reads_what_is_not_of_its_own()
        training.fit(model, **ARRAYS, verbose=0)
        assert training.last_report(model).compiled and not training.last_report(model).reused


def test_a_failed_compilation_leaves_no_trace():
    class FailsOnce(keras.layers.Layer):
        has_failed = False

        def call(self, x, training=False):
            if training and not FailsOnce.has_failed:
                FailsOnce.has_failed = True
                raise ValueError("not this time")
            return x

    model = cases.mlp(FailsOnce())
    before = model.get_weights()
    history = training.fit(model, **ARRAYS, verbose=0).history
    report = training.last_report(model)
    assert not report.compiled and "not this time" in report.reason
    assert np.isfinite(history["loss"]).all() and cases.largest_difference(before, model.get_weights()) > 0
