"""Epochs and batch size are hyperparameters that `fit` asks for."""

import keras
import keras_tuner as kt
import numpy as np

x, y = np.random.default_rng(14).normal(size=(40, 2)), np.arange(40) % 2


class Model(kt.HyperModel):
    def build(self, hp):
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(hp.Int("units", 2, 9), "relu")])
        model.add(keras.layers.Dense(1, activation="sigmoid"))
        model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
        return model

    def fit(self, hp, model, *args, **kwargs):
        return model.fit(
            *args, batch_size=hp.Choice("batch_size", [8, 16]), epochs=hp.Int("epochs", 1, 3), verbose=0, **kwargs
        )


tuner = kt.RandomSearch(Model(), "val_accuracy", max_trials=3, seed=1, directory="out", project_name="e")
tuner.search(x, y, validation_split=0.2)
for trial in tuner.oracle.trials.values():
    assert trial.status == "COMPLETED" and trial.hyperparameters.get("epochs") in (1, 2, 3)
    assert trial.best_step < trial.hyperparameters.get("epochs")
