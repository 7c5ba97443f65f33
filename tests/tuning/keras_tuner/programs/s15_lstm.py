"""A stack of LSTMs with gates; the program runs twice, the second time for more trials."""

import keras
import keras_tuner as kt
import numpy as np

x = np.random.default_rng(15).normal(size=(24, 5, 2))
y = x[:, -1, 0]


def build_model(hp):
    model = keras.Sequential([keras.Input((5, 2))])
    if hp.Boolean("second"):
        model.add(keras.layers.LSTM(hp.Int("units_0", 2, 4), return_sequences=True))
        if hp.Boolean("dropout"):
            model.add(keras.layers.Dropout(hp.Float("rate", 0.1, 0.5, step=0.1)))
    model.add(keras.layers.LSTM(hp.Int("units_1", 2, 4)))
    model.add(keras.layers.Dense(1))
    model.compile("adam", "mse")
    return model


for max_trials in (1, 3):
    tuner = kt.BayesianOptimization(
        build_model, "val_loss", max_trials=max_trials, directory="out", project_name="lstm", seed=7
    )
    tuner.search(x, y, epochs=1, validation_split=0.25, verbose=0)
    assert len(tuner.oracle.trials) == max_trials
