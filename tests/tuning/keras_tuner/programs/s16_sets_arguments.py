"""A `run_trial` that sets the batch size and the epochs and calls the tuner's own, on each of the four tuners."""

import keras
import keras_tuner as kt
import numpy as np

x, y = np.random.default_rng(16).normal(size=(40, 2)), np.arange(40) % 2


def build_model(hp):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(hp.Choice("units", [2, 4]), "relu")])
    model.add(keras.layers.Dense(1, activation="sigmoid"))
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model


def with_batches(kind):
    class Tailored(kind):
        def run_trial(self, trial, *args, **kwargs):
            kwargs["batch_size"] = trial.hyperparameters.Choice("batch_size", [8, 16])
            kwargs["epochs"] = trial.hyperparameters.Int("epochs", 1, 2)
            return super().run_trial(trial, *args, **kwargs)

    return Tailored


limits = {
    kt.RandomSearch: {"max_trials": 2},
    kt.BayesianOptimization: {"max_trials": 2},
    kt.Hyperband: {"max_epochs": 2},
    kt.GridSearch: {"max_trials": 3},
}
for kind, limit in limits.items():
    tuner = with_batches(kind)(build_model, "val_loss", directory="out", project_name=kind.__name__, **limit)
    tuner.search(x, y, validation_split=0.2, verbose=0)
    values = [trial.hyperparameters.values for trial in tuner.oracle.trials.values()]
    assert values and all({"batch_size", "epochs", "units"} <= set(v) for v in values)
