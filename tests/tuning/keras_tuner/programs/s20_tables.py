"""Tables of all trials, and a finished project that is opened again."""

import keras
import keras_tuner as kt
import numpy as np
import pandas as pd

x, y = np.random.default_rng(20).normal(size=(30, 2)), np.arange(30) % 2


def build_model(hp):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4, "relu")])
    model.add(keras.layers.Dense(1, activation="sigmoid"))
    rate = hp.Float("rate", 1e-4, 1e-1, sampling="log")
    model.compile(keras.optimizers.Adam(rate), "binary_crossentropy", metrics=["accuracy"])
    return model


def made(**kwargs):
    return kt.RandomSearch(build_model, "val_accuracy", max_trials=3, directory="out", project_name="table", **kwargs)


tuner = made(overwrite=True)
tuner.search(x, y, epochs=2, validation_split=0.3, verbose=0)
rows = [
    {"trial": i, "score": t.score, "state": t.status, **t.hyperparameters.values}
    for i, t in tuner.oracle.trials.items()
]
table = pd.DataFrame(rows).sort_values("score", ascending=False)
assert list(table.columns) == ["trial", "score", "state", "rate"] and len(table) == 3
histories = [t.metrics.get_history("val_accuracy") for t in tuner.oracle.trials.values()]
assert all(len(history) == 1 and history[0].mean() >= 0 for history in histories)

again = made()
again.reload()
assert {i: t.score for i, t in again.oracle.trials.items()} == dict(zip(table["trial"], table["score"], strict=False))
again.results_summary(num_trials=2)
assert again.get_best_models()[0].predict(x, verbose=0).shape == (30, 1)
again.search(x, y, epochs=2, validation_split=0.3, verbose=0)
assert len(again.oracle.trials) == 3
