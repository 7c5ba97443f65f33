"""Objectives: a built-in metric, one of one's own, and what `fit` returns after it has called `model.fit`."""

import keras
import keras_tuner as kt
import numpy as np

x = np.random.default_rng(3).normal(size=(60, 2))
y = (x[:, :1] > 0).astype("float32")


class Closeness(keras.metrics.Metric):
    def __init__(self, name="closeness", **kwargs):
        super().__init__(name=name, **kwargs)
        self.total = self.add_weight(name="total", initializer="zeros")
        self.count = self.add_weight(name="count", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.total.assign_add(keras.ops.sum(1 - keras.ops.abs(y_true - y_pred)))
        self.count.assign_add(keras.ops.cast(keras.ops.shape(y_true)[0], "float32"))

    def result(self):
        return self.total / self.count


def build_model(hp):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(hp.Int("units", 2, 6), "relu")])
    model.add(keras.layers.Dense(1, activation="sigmoid"))
    model.compile("sgd", "binary_crossentropy", metrics=["accuracy", Closeness()])
    return model


class Returning(kt.HyperModel):
    def __init__(self, kind):
        super().__init__()
        self.kind = kind

    def build(self, hp):
        return build_model(hp)

    def fit(self, hp, model, *args, **kwargs):
        history = model.fit(*args, **kwargs)
        f1 = float(np.mean((model.predict(x, verbose=0) > 0.5) == y))
        return {"float": f1, "dict": {"f1": f1, "cost": 1.0}, "history": history}[self.kind]


def searched(hypermodel, objective, name):
    tuner = kt.RandomSearch(hypermodel, objective, max_trials=2, directory="out", project_name=name)
    tuner.search(x, y, validation_data=(x, y), epochs=2, verbose=0)
    trial = tuner.oracle.get_best_trials(1)[0]
    return trial, tuner


trial, _ = searched(build_model, "val_accuracy", "builtin")
assert trial.score == trial.metrics.get_best_value("val_accuracy")
trial, _ = searched(build_model, kt.Objective("val_closeness", direction="max"), "own")
assert 0 < trial.score < 1
trial, _ = searched(Returning("float"), None, "float")
assert trial.score == trial.metrics.get_best_value("default_objective")
trial, tuner = searched(Returning("dict"), kt.Objective("f1", "max"), "dict")
assert trial.metrics.get_last_value("cost") == 1.0 and 0 <= trial.score <= 1
assert tuner.get_best_models()[0].predict(x, verbose=0).shape == y.shape
trial, _ = searched(Returning("history"), "val_loss", "history")
assert trial.best_step in (0, 1)
