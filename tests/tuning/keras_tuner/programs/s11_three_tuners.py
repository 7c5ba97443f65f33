"""Three tuners one after the other; tables of trials; a search that goes on with more trials."""

import keras
import keras_tuner as kt
import numpy as np

x, y = np.random.default_rng(11).normal(size=(40, 3)), np.arange(40) % 2


def build_model(hp):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(hp.Choice("units", [2, 4]), "relu")])
    model.add(keras.layers.Dense(1, activation="sigmoid"))
    rate = hp.Float("rate", 1e-4, 1e-1, sampling="log")
    model.compile(keras.optimizers.Adam(rate), "binary_crossentropy", metrics=["accuracy"])
    return model


def random(max_trials):
    return kt.RandomSearch(
        build_model, "val_loss", max_trials=max_trials, directory="out", project_name="random", seed=4
    )


tuners = [
    random(2),
    kt.Hyperband(
        build_model, "val_loss", max_epochs=2, factor=3, hyperband_iterations=2, directory="out", project_name="h"
    ),
    kt.BayesianOptimization(build_model, "val_loss", max_trials=2, directory="out", project_name="bayes"),
]
for tuner in tuners:
    tuner.search(x, y, epochs=1, validation_split=0.25, verbose=0)
    trial = tuner.oracle.get_best_trials(num_trials=1)[0]
    trial.summary()
    assert trial.metrics.get_last_value("val_loss") == trial.score
    assert tuner.project_dir.startswith("out")
first = {i: trial.score for i, trial in tuners[0].oracle.trials.items()}
tuner = random(4)
assert tuner.remaining_trials == 2
tuner.search(x, y, epochs=1, validation_split=0.25, verbose=0)
scores = {i: trial.score for i, trial in tuner.oracle.trials.items()}
assert len(scores) == 4 and all(scores[i] == score for i, score in first.items())
assert tuner.remaining_trials == 0
