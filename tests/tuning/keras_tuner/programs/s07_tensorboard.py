"""TensorBoard among the callbacks: a folder for each trial and execution."""

from pathlib import Path

import keras
import keras_tuner as kt
import numpy as np

x = np.random.default_rng(7).normal(size=(40, 2))
y = x[:, 0]


def build_model(hp):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(hp.Int("units", 1, 9)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


tuner = kt.RandomSearch(
    build_model, "val_loss", max_trials=2, executions_per_trial=2, directory="out", project_name="b"
)
callbacks = [keras.callbacks.TensorBoard("curves"), keras.callbacks.EarlyStopping("val_loss", patience=1)]
tuner.search(x, y, validation_split=0.2, epochs=2, callbacks=callbacks, verbose=0)
for trial_id in tuner.oracle.trials:
    for execution in range(2):
        folder = Path("curves", trial_id, f"execution{execution}")
        assert list((folder / "validation").glob("events*")) and list(folder.glob("events*")), folder
assert callbacks[0].log_dir == "curves"
