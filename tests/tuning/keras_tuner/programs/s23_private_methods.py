"""A list of objectives, a limit on the size of models, a subclassed model, subclassing of private methods."""

import keras
import keras_tuner as kt
import numpy as np

x, y = np.random.default_rng(23).normal(size=(40, 3)), np.arange(40) % 2


class Net(keras.Model):
    def __init__(self, units):
        super().__init__()
        self.hidden, self.out = keras.layers.Dense(units, "relu"), keras.layers.Dense(1, "sigmoid")

    def call(self, inputs):
        return self.out(self.hidden(inputs))


def build_model(hp):
    model = Net(hp.Choice("units", [4, 8]))
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model


def build_sized(hp):
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(hp.Choice("units", [4, 400])), keras.layers.Dense(1)]
    )
    model.compile("adam", "mse")
    return model


class Adapted(kt.RandomSearch):
    def _build_and_fit_model(self, trial, *args, **kwargs):
        kwargs["batch_size"] = 10
        return super()._build_and_fit_model(trial, *args, **kwargs)


objective = [kt.Objective("val_loss", "min"), kt.Objective("val_accuracy", "max")]
tuner = Adapted(build_model, objective=objective, max_trials=2, directory="out", project_name="several")
tuner.search(x, y, epochs=2, validation_split=0.25, verbose=0)
for trial in tuner.oracle.trials.values():
    expected = trial.metrics.get_last_value("val_loss") - trial.metrics.get_last_value("val_accuracy")
    assert abs(trial.score - expected) < 1e-6
assert tuner.get_best_hyperparameters()[0].get("units") in (4, 8)

tuner = kt.GridSearch(build_sized, "loss", max_model_size=100, directory="out", project_name="sized")
tuner.search(x, y, epochs=1, verbose=0)
states = {t.hyperparameters.get("units"): t.status for t in tuner.oracle.trials.values()}
assert states == {4: "COMPLETED", 400: "FAILED"}
