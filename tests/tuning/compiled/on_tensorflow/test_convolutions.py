"""Convolutions written as products, and largest values of windows, give the numbers of TensorFlow's kernels."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.tuning.compiled import cases
from tests.tuning.compiled.cases import CLASSES, IMAGES
from tests.tuning.compiled.test_parity import assert_parity, data
from tuning import compiled
from tuning.compiled.on_tensorflow import convolutions

layers = keras.layers
RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 3, (4, 11, 10, 3)).astype("float32")
"""Few different values, so that windows have several largest ones."""
SERIES = PICTURES[:, :, 0]

LAYERS = {
    "valid": (PICTURES, lambda: layers.Conv2D(5, 3)),
    "same": (PICTURES, lambda: layers.Conv2D(5, (2, 4), padding="same", use_bias=False)),
    "strides": (PICTURES, lambda: layers.Conv2D(5, (3, 2), strides=(2, 3), padding="same")),
    "one place": (PICTURES, lambda: layers.Conv2D(5, 1, strides=2)),
    "series": (SERIES, lambda: layers.Conv1D(4, 3, activation="relu")),
    "series, same, strides": (SERIES, lambda: layers.Conv1D(4, 4, strides=3, padding="same")),
    "maximum": (PICTURES, lambda: layers.MaxPooling2D()),
    "maximum, overlapping": (PICTURES, lambda: layers.MaxPooling2D((3, 2), strides=(2, 1), padding="same")),
    "maximum, series": (SERIES, lambda: layers.MaxPooling1D(3, padding="same")),
}


@pytest.mark.parametrize("name", LAYERS)
def test_outputs_and_gradients_are_those_of_tensorflow(name):
    x, build = LAYERS[name]
    x = tf.constant(x)
    model = keras.Sequential([keras.Input(x.shape[1:]), build()])
    weights = tf.constant(RNG.normal(size=model(x).shape).astype("float32"))

    def computed():
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = model(x)
            value = tf.reduce_sum(outputs * weights)
        return outputs, *tape.gradient(value, [x, *(v.value for v in model.trainable_variables)])

    theirs = computed()
    with convolutions.written_as_products(model, 4):
        traced = tf.function(model).get_concrete_function(tf.TensorSpec(x.shape, x.dtype))
        assert not {op.type for op in traced.graph.get_operations()} & {"Conv2D", "MaxPool"}
        ours = computed()
    assert "call" not in vars(model.layers[0])
    for mine, its in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, its, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "build",
    [
        lambda: layers.Conv2D(4, 3, groups=1, dilation_rate=2),
        lambda: layers.Conv2D(4, 3, data_format="channels_first"),
        lambda: layers.Conv1D(4, 3, padding="causal"),
        lambda: layers.SeparableConv2D(4, 3),
        lambda: layers.Conv2DTranspose(4, 3),
        lambda: type("Own", (layers.Conv2D,), {})(4, 3),
    ],
)
def test_others_stay_what_they_are(build):
    assert not convolutions.can_be_written(build())


@pytest.mark.medium
def test_a_model_with_convolutions_is_compiled():
    report = assert_parity(cases.convolutional, **data(IMAGES, CLASSES))
    assert report.reason is None


@pytest.mark.medium
def test_windows_that_take_too_much_memory_are_left_to_tensorflow(monkeypatch):
    monkeypatch.setattr(convolutions, "MOST_BYTES", 16 * 6 * 6 * 9 * 4 - 1)
    model = cases.convolutional()
    compiled.fit(model, IMAGES, CLASSES, batch_size=16, verbose=0)
    assert compiled.last_report(model).explanation == (
        "NotWorthwhileError: XLA is slow at convolutions as large as these on a CPU; 32 batches at a time"
    )
    monkeypatch.setattr(convolutions, "MOST_BYTES", 16 * 6 * 6 * 9 * 4)
    compiled.fit(model, IMAGES, CLASSES, batch_size=16, verbose=0)
    assert compiled.last_report(model).compiled
