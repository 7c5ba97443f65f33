"""Hyperband with early stopping, and a retraining to the best epoch."""

import keras
import keras_tuner as kt
import numpy as np

x = np.random.default_rng(10).normal(size=(60, 4))
y = (x[:, 0] > 0).astype("int32")


def build_model(hp):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(hp.Choice("units", [4, 8]), "relu")])
    model.add(keras.layers.Dense(2))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(hp.Float("rate", 1e-4, 1e-2, sampling="log")), loss, metrics=["accuracy"])
    return model


tuner = kt.Hyperband(build_model, "val_accuracy", max_epochs=3, factor=3, seed=2, directory="out", project_name="h")
stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=3)
tuner.search(x, y, epochs=50, validation_split=0.2, callbacks=[stop], verbose=0)
trials = tuner.oracle.trials.values()
assert {t.hyperparameters["tuner/epochs"] for t in trials} == {1, 3}
promoted = [t for t in trials if t.hyperparameters["tuner/round"] == 1]
assert promoted and all(t.hyperparameters["tuner/initial_epoch"] == 1 for t in promoted)
assert all(t.hyperparameters["tuner/trial_id"] in tuner.oracle.trials for t in promoted)
best = tuner.get_best_hyperparameters()[0]
model = tuner.hypermodel.build(best)
history = model.fit(x, y, epochs=3, validation_split=0.2, verbose=0)
scores = history.history["val_accuracy"]
epochs = scores.index(max(scores)) + 1
model = build_model(best)
assert len(model.fit(x, y, epochs=epochs, verbose=0).epoch) == epochs
