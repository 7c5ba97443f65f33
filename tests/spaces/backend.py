"""A small space that writes down, wherever a trial is trained, what Keras runs on and whether TensorFlow is there."""

import os
import sys

import keras
import numpy as np

from tuning import Data, SearchSpace

X = np.random.default_rng(0).normal(size=(70, 4)).astype("float32")
Y = (X[:, 0] > 0).astype("int32")


class Tells(keras.callbacks.Callback):
    def on_train_end(self, logs=None):
        with open(os.environ["TOLD"], "a") as file:
            file.write(f"{keras.config.backend()} {'tensorflow' in sys.modules} {os.getpid()}\n")


def build_model(hp):
    hidden = [keras.layers.Dense(hp.Int("units", 4, 8, step=4), "relu"), keras.layers.Dropout(0.2)]
    model = keras.Sequential([keras.Input((4,)), *hidden, keras.layers.Dense(2, "softmax")])
    optimizer = keras.optimizers.Adam(hp.Float("rate", 1e-3, 1e-1, sampling="log"))
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


class Space(SearchSpace):
    name, objective = "backend", "val_accuracy"
    build = staticmethod(build_model)

    def callbacks(self, folder):
        return [Tells()]

    def load_data(self):
        return Data(X[:50], Y[:50], (X[50:], Y[50:]), load_test=lambda: (X, Y))
