"""A model and data for searches that take next to no time: it runs eagerly, so that nothing is compiled."""

import keras
import numpy as np

X = np.random.default_rng(0).random((20, 2)).astype("float32")
Y = (X.sum(axis=1, keepdims=True) > 1).astype("float32")


def build(hp, eagerly=True):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, "sigmoid")])
    rate = hp.Float("rate", 1e-3, 1e-1, sampling="log", default=1e-2)
    model.compile(keras.optimizers.SGD(rate), "binary_crossentropy", metrics=["accuracy"], run_eagerly=eagerly)
    return model


def data(**kwargs):
    return {"x": X, "y": Y, "epochs": 1, "validation_data": (X, Y), "verbose": 0, **kwargs}
