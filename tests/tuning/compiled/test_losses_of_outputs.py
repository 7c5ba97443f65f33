"""The loss of each of several outputs is Keras's to the last digits, with a short last batch and random layers."""

import keras
import numpy as np
import pytest

from tuning import compiled

RNG = np.random.default_rng(0)
X = RNG.normal(size=(65, 3)).astype("float32")
Y = [X[:, :1] * (1 + 9 * (np.arange(65) > 63)[:, None]), X[:, 1:2]]


def build(drops):
    inputs = keras.Input((3,))
    hidden = keras.layers.Dense(4)(inputs)
    if drops:
        hidden = keras.layers.Dropout(0.5)(hidden)
    model = keras.Model(inputs, [keras.layers.Dense(1, name=name)(hidden) for name in "ab"])
    model.compile(keras.optimizers.SGD(0.0), {"a": "mse", "b": "mae"}, loss_weights={"a": 1.0, "b": 0.3})
    return model


@pytest.mark.slow
@pytest.mark.parametrize("drops", [True, False])
def test_each_outputs_loss_is_what_evaluate_gives(drops):
    model = build(drops)
    history = compiled.fit(model, X, Y, validation_data=(X, Y), epochs=1, verbose=0).history
    assert compiled.last_report(model).compiled
    known = model.evaluate(X, Y, verbose=0, return_dict=True)
    for name in ("loss", "a_loss", "b_loss"):
        assert history[f"val_{name}"][0] == pytest.approx(known[name], rel=1e-5)
    if not drops:
        assert history["loss"][0] == pytest.approx(known["loss"], rel=1e-4)
