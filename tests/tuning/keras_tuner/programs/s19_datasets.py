"""A repeated `tf.data.Dataset`, weights of classes, a lambda as hypermodel, an area under a curve."""

import keras
import keras_tuner as kt
import numpy as np
import tensorflow as tf

x = np.random.default_rng(19).normal(size=(64, 3)).astype("float32")
y = (x[:, 0] > 0.4).astype("float32")[:, None]
train = tf.data.Dataset.from_tensor_slices((x, y)).batch(16).repeat()
test = tf.data.Dataset.from_tensor_slices((x, y)).batch(16)


def build_model(hp, n_features):
    model = keras.Sequential([keras.Input((n_features,)), keras.layers.Dense(hp.Int("units", 2, 20), "relu")])
    model.add(keras.layers.Dense(1, activation="sigmoid"))
    model.compile("adam", "binary_crossentropy", metrics=[keras.metrics.AUC(name="auc")])
    return model


tuner = kt.RandomSearch(
    lambda hp: build_model(hp, 3), kt.Objective("val_auc", "max"), max_trials=2, directory="out", project_name="data"
)
tuner.search(
    train,
    epochs=2,
    steps_per_epoch=4,
    validation_data=test,
    class_weight={0: 1.0, 1: 2.0},
    callbacks=[keras.callbacks.ReduceLROnPlateau("val_loss", patience=1)],
    verbose=0,
)
assert all(0 <= trial.score <= 1 for trial in tuner.oracle.trials.values())
assert tuner.get_best_models()[0].evaluate(test, verbose=0)[1] > 0
