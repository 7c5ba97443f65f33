"""A HyperModel without `super().__init__()`; two executions; a last training on all data."""

import keras
import keras_tuner as kt
import numpy as np

x, y = np.random.default_rng(12).normal(size=(50, 6)), np.arange(50) % 5


class Classifier(kt.HyperModel):
    def __init__(self, n_classes):
        self.n_classes = n_classes

    def build(self, hp):
        model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(hp.Int("units", 4, 32), "relu")])
        if hp.Boolean("dropout"):
            model.add(keras.layers.Dropout(0.3))
        model.add(keras.layers.Dense(self.n_classes, activation="softmax"))
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model


hypermodel = Classifier(n_classes=5)
tuner = kt.RandomSearch(
    hypermodel, "val_accuracy", max_trials=2, executions_per_trial=2, directory="out", project_name="p", overwrite=True
)
tuner.search(x[:40], y[:40], epochs=1, validation_data=(x[40:], y[40:]), verbose=0)
best = tuner.get_best_hyperparameters(5)[0]
model = hypermodel.build(best)
model.fit(x, y, epochs=1, verbose=0)
assert model.evaluate(x, y, verbose=0, return_dict=True)["accuracy"] >= 0
