"""A HyperModel whose `fit` asks for hyperparameters, changes its inputs by one, and hands on what it is given."""

import keras
import keras_tuner as kt
import numpy as np

x = np.random.default_rng(2).normal(3, 2, size=(80, 3))
y = x.sum(axis=1, keepdims=True)


class Regression(kt.HyperModel):
    def build(self, hp):
        model = keras.Sequential(
            [keras.Input((3,)), keras.layers.Dense(hp.Int("units", 4, 8), "relu"), keras.layers.Dense(1)]
        )
        model.compile("adam", "mse")
        return model

    def fit(self, hp, model, x, y, validation_data=None, **kwargs):
        if hp.Boolean("scale"):
            mean = x.mean(axis=0)
            x = x - mean
            validation_data = (validation_data[0] - mean, validation_data[1])
        return model.fit(
            x, y, validation_data=validation_data, batch_size=hp.Choice("batch_size", [16, 32]), shuffle=True, **kwargs
        )


tuner = kt.BayesianOptimization(Regression(), "val_loss", max_trials=3, directory="out", project_name="fit")
tuner.search(x[:60], y[:60], validation_data=(x[60:], y[60:]), epochs=2, verbose=0)
values = [trial.hyperparameters.values for trial in tuner.oracle.trials.values()]
assert all({"units", "scale", "batch_size"} <= set(v) for v in values), values
assert {h.name for h in tuner.oracle.get_space().space} == {"units", "scale", "batch_size"}
