"""A `HyperModel.fit` with a loop of its own, which calls the callbacks by hand and returns a number."""

import keras
import keras_tuner as kt
import numpy as np
import tensorflow as tf

x = np.random.default_rng(21).normal(size=(32, 2)).astype("float32")
y = x[:, :1] - 1


class Loop(kt.HyperModel):
    def build(self, hp):
        return keras.Sequential(
            [keras.Input((2,)), keras.layers.Dense(hp.Int("units", 2, 30), "relu"), keras.layers.Dense(1)]
        )

    def fit(self, hp, model, x, y, validation_data, callbacks=None, **kwargs):
        data = tf.data.Dataset.from_tensor_slices((x, y)).batch(hp.Int("batch_size", 8, 16, step=8))
        optimizer = keras.optimizers.Adam(hp.Float("rate", 1e-3, 1e-1, sampling="log"))
        for callback in callbacks:
            callback.set_model(model)
        best = float("inf")
        for epoch in range(2):
            for inputs, targets in data:
                with tf.GradientTape() as tape:
                    loss = tf.reduce_mean(tf.square(model(inputs) - targets))
                optimizer.apply_gradients(
                    zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=False)
                )
            loss = float(tf.reduce_mean(tf.square(model(validation_data[0]) - validation_data[1])))
            for callback in callbacks:
                callback.on_epoch_end(epoch, logs={"my_metric": loss})
            best = min(best, loss)
        return best


tuner = kt.RandomSearch(
    Loop(),
    objective=kt.Objective("my_metric", "min"),
    max_trials=2,
    directory="out",
    project_name="loop",
    overwrite=True,
)
tuner.search(x, y, validation_data=(x, y))
best = tuner.get_best_hyperparameters()[0]
model = tuner.get_best_models()[0]
loss = float(np.mean((model.predict(x, verbose=0) - y) ** 2))
assert abs(loss - tuner.oracle.get_best_trials(1)[0].score) < 1e-4
