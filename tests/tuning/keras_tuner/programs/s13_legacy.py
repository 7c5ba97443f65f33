"""The legacy package, tuners in a loop, a folder as a Path, an old word for a sampling."""

from pathlib import Path

import keras
import kerastuner
import numpy as np
from kerastuner.engine.hyperparameters import HyperParameters
from kerastuner.tuners import BayesianOptimization, Hyperband, RandomSearch

x, y = np.random.default_rng(13).normal(size=(40, 2)), np.arange(40) % 2


def build_model(hp):
    assert isinstance(hp, HyperParameters)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(hp.Choice("units", [4, 8]), "relu")])
    model.add(keras.layers.Dense(1, activation="sigmoid"))
    rate = hp.Float("rate", min_value=1e-4, max_value=1e-2, sampling="LOG", default=1e-3)
    model.compile(keras.optimizers.Adam(rate), "binary_crossentropy", metrics=["accuracy"])
    return model


limits = {RandomSearch: {"max_trials": 2}, Hyperband: {"max_epochs": 2}, BayesianOptimization: {"max_trials": 2}}
for kind, limit in limits.items():
    tuner = kind(
        build_model,
        objective=kerastuner.Objective("val_accuracy", direction="max"),
        directory=Path("out"),
        project_name=kind.__name__,
        **limit,
    )
    tuner.search(x, y, epochs=1, validation_split=0.2, verbose=0)
    assert tuner.get_best_hyperparameters()[0].get("rate") <= 1e-2
