"""Cross-validation in `run_trial`, in the new form and in the old one."""

import warnings

import keras
import keras_tuner as kt
import numpy as np
from sklearn.model_selection import KFold

x, y = np.random.default_rng(17).normal(size=(30, 2)), np.arange(30) % 2


def build_model(hp):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(hp.Choice("units", [4, 8]), "relu")])
    model.add(keras.layers.Dense(1, activation="sigmoid"))
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model


class Folds(kt.Tuner):
    old = False

    def run_trial(self, trial, x, y, batch_size=8, epochs=1):
        losses = []
        for train, test in KFold(2).split(x):
            model = self.hypermodel.build(trial.hyperparameters)
            model.fit(x[train], y[train], batch_size=batch_size, epochs=epochs, verbose=0)
            losses.append(model.evaluate(x[test], y[test], verbose=0)[0])
        if not self.old:
            return float(np.mean(losses))
        self.oracle.update_trial(trial.trial_id, {"val_loss": np.mean(losses)})
        model.save(str(self.get_trial_dir(trial.trial_id)) + "/model.keras")
        return None


for old in (False, True):
    oracle = kt.oracles.BayesianOptimizationOracle(objective="val_loss" if old else None, max_trials=2)
    tuner = Folds(hypermodel=build_model, oracle=oracle, directory="out", project_name=f"folds-{old}")
    tuner.old = old
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        tuner.search(x, y, epochs=2)
    scores = [trial.score for trial in oracle.trials.values()]
    assert len(scores) == 2 and all(score > 0 for score in scores)
