"""What is JAX's alone: random numbers that are Keras's own, and what is left to Keras there.

Run with KERAS_BACKEND=jax, as `make test-medium` does with the other tests of compiled epochs that hold on both.
"""

import keras
import numpy as np
import pytest

from tests.tuning.compiled import cases
from tests.tuning.compiled.cases import CLASSES, IMAGES, Batches, LooksAtBatches, N, X, Y
from tests.tuning.compiled.test_parity import WHOLE, assert_parity, data
from tuning import compiled as training

pytestmark = [cases.on_jax, pytest.mark.medium]
ARRAYS = {"x": X[:N], "y": Y[:N]}


def test_weights_are_those_of_keras_to_the_last_random_number():
    """Seeds are part of the state, so even what dropout draws is the same."""
    assert_parity(lambda: cases.mlp(keras.layers.Dense(8), keras.layers.Dropout(0.4)), **data(X, Y), **WHOLE)


def reads_what_is_not_of_its_own():
    noise = keras.Variable(np.ones(8, "float32"))
    return cases.mlp(keras.layers.Dense(8), keras.layers.Lambda(lambda x: x * noise))


def hidden_convolution():
    """A convolution that no layer's name tells of."""

    class Filter(keras.layers.Layer):
        def build(self, shape):
            self.kernel = self.add_weight(shape=(3, 3, shape[-1], 2))

        def call(self, x):
            return keras.ops.conv(x, self.kernel)

    model = keras.Sequential(
        [keras.Input((8, 8, 1)), Filter(), keras.layers.Flatten(), keras.layers.Dense(3, "softmax")]
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


@pytest.mark.parametrize(
    ("build", "arguments", "reason"),
    [
        (cases.mlp, {"x": Batches()}, "Batches"),
        (cases.mlp, ARRAYS | {"callbacks": [LooksAtBatches()]}, "LooksAtBatches"),
        (lambda: cases.mlp(run_eagerly=True), {"x": X[:8], "y": Y[:8]}, "run_eagerly"),
        (lambda: cases.mlp(jit_compile=False), ARRAYS, "jit_compile is off"),
        (cases.convolutional, {"x": IMAGES, "y": CLASSES}, "slow at convolutions inside a loop on a CPU (layer"),
        (hidden_convolution, {"x": IMAGES, "y": CLASSES}, "slow at convolutions inside a loop on a CPU"),
    ],
    ids=["PyDataset", "callback", "eager", "no jit", "convolution", "hidden convolution"],
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
    class FailsTwice(keras.layers.Layer):
        """With numbers as arguments, and as constants."""

        n_failures = 0

        def call(self, x, training=False):
            if training and FailsTwice.n_failures < 2:
                FailsTwice.n_failures += 1
                raise ValueError("not this time")
            return x

    model = cases.mlp(FailsTwice())
    before = model.get_weights()
    history = training.fit(model, **ARRAYS, verbose=0).history
    report = training.last_report(model)
    assert not report.compiled and "not this time" in report.reason
    assert np.isfinite(history["loss"]).all() and cases.largest_difference(before, model.get_weights()) > 0
