"""A distribution strategy that is given to the tuner, convolutions, and a part of the data to validate on."""

import keras
import keras_tuner as kt
import numpy as np
import tensorflow as tf

x = np.random.default_rng(8).random((40, 6, 6, 1)).astype("float32")
y = np.arange(40) % 3


def build_model(hp):
    model = keras.Sequential([keras.Input((6, 6, 1))])
    model.add(keras.layers.Conv2D(hp.Int("filters", 2, 4), 3, activation="relu"))
    model.add(keras.layers.GlobalAveragePooling2D())
    model.add(keras.layers.Dense(3, activation="softmax"))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


tuner = kt.RandomSearch(
    build_model,
    objective="val_accuracy",
    max_trials=2,
    distribution_strategy=tf.distribute.OneDeviceStrategy("/cpu:0"),
    directory="out",
    project_name="strategy",
)
tuner.search(x, y, epochs=1, validation_split=0.25, verbose=0)
assert {trial.status for trial in tuner.oracle.trials.values()} == {"COMPLETED"}
assert tuner.get_best_models()[0].predict(x, verbose=0).shape == (40, 3)
