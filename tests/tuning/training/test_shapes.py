"""A checkpoint builds the model that it belongs to, whatever that model is built by."""

import json

import keras
import numpy as np
import pytest
from keras import layers

from tuning.training import checkpoints, shapes

X = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")


class Block(layers.Layer):
    """Makes its parts when it is built."""

    def build(self, shape):
        self.inner = layers.Dense(shape[-1])
        self.inner.build(shape)

    def call(self, x):
        return self.inner(x)


class Subclass(keras.Model):
    def __init__(self):
        super().__init__()
        self.stack = keras.Sequential([layers.Dense(4), Block()])
        self.out = [layers.Dense(1), layers.Dense(1)]

    def call(self, x):
        hidden = self.stack(x)
        return self.out[0](hidden) + self.out[1](hidden)


class WithoutCall(keras.Model):
    def __init__(self):
        super().__init__()
        self.first, self.second = keras.Sequential([layers.Dense(4)]), layers.Dense(2)
        self.own = keras.optimizers.Adam()

    def answer(self, x):
        return self.second(self.first(x))


def build(kind):
    if kind == "sequential":
        model = keras.Sequential([layers.Dense(4), layers.BatchNormalization(), layers.Dense(1)])
    else:
        model = Subclass() if kind == "subclass" else WithoutCall()
    model.compile("adam", "mse")
    return model


def answers(model, x=X):
    return np.asarray(model.answer(x) if isinstance(model, WithoutCall) else model(x))


@pytest.mark.medium
@pytest.mark.parametrize("kind", ["sequential", "subclass", "no call"])
def test_weights_and_optimizers_come_back_into_a_model_that_has_never_been_called(kind, tmp_path):
    model, path = build(kind), tmp_path / "one.weights.h5"
    known = answers(model)
    if kind == "no call":
        model.own.build(model.second.trainable_variables)
        model.own.iterations.assign(7)
    else:
        model.fit(X, X[:, :1], epochs=1, verbose=0)
        known = answers(model)
    checkpoints.save(model, path)
    restored = build(kind)
    checkpoints.restore(restored, path)
    np.testing.assert_allclose(answers(restored), known, rtol=1e-6)
    np.testing.assert_allclose(answers(restored, X[:3]), known[:3], rtol=1e-5)
    if kind == "no call":
        assert int(restored.own.iterations) == 7
    else:
        assert int(restored.optimizer.iterations) == int(model.optimizer.iterations) > 0


@pytest.mark.medium
def test_an_optimizer_that_is_another_one_now_stays_fresh(tmp_path):
    model, path = build("sequential"), tmp_path / "one.weights.h5"
    model.fit(X, X[:, :1], epochs=1, verbose=0)
    model.compile("sgd", "mse")
    model.fit(X, X[:, :1], epochs=1, verbose=0)
    checkpoints.save(model, path)
    restored = build("sequential")
    checkpoints.restore(restored, path)
    np.testing.assert_allclose(answers(restored), answers(model), rtol=1e-6)


def test_files_of_earlier_versions_have_no_shapes(tmp_path):
    model, path = build("sequential"), tmp_path / "one.weights.h5"
    model(X)
    model.save_weights(path)
    assert checkpoints.shapes_in(path) is None
    assert json.loads(shapes.shapes_of(model))["layer"]["built"]
