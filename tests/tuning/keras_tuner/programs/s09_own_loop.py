"""A `run_trial` with a loop of its own; the batch size is asked for there; the oracle is given explicitly."""

import keras
import keras_tuner as kt
import numpy as np
import tensorflow as tf

x = np.random.default_rng(9).normal(size=(48, 2)).astype("float32")
y = x[:, :1] * 2


def build_model(hp):
    return keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(hp.Int("units", 2, 8), "relu"), keras.layers.Dense(1)]
    )


class OwnLoop(kt.Tuner):
    def run_trial(self, trial, data, labels, epochs):
        hp = trial.hyperparameters
        size = hp.Int("batch_size", 8, 24, step=8)
        model = self.hypermodel.build(hp)
        optimizer = keras.optimizers.SGD(hp.Float("rate", 1e-3, 1e-1, sampling="log"))
        batches = tf.data.Dataset.from_tensor_slices((data, labels)).batch(size)
        losses = []
        for epoch in range(epochs):
            self.on_epoch_begin(trial, model, epoch, logs={})
            for inputs, targets in batches:
                with tf.GradientTape() as tape:
                    loss = tf.reduce_mean(tf.square(model(inputs, training=True) - targets))
                gradients = tape.gradient(loss, model.trainable_variables)
                optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
            losses.append(float(loss))
            self.on_epoch_end(trial, model, epoch, logs={"loss": losses[-1]})
        model.save_weights(str(self.get_trial_dir(trial.trial_id)) + "/own.weights.h5")
        return {"loss": min(losses)}


tuner = OwnLoop(
    hypermodel=build_model,
    oracle=kt.oracles.BayesianOptimizationOracle(objective=kt.Objective("loss", "min"), max_trials=3, seed=1),
    directory="out",
    project_name="loop",
)
tuner.search(x, y, epochs=2)
best = tuner.get_best_hyperparameters()[0]
assert best.get("batch_size") in (8, 16, 24) and 1e-3 <= best.get("rate") <= 1e-1
assert tuner.oracle.get_best_trials(1)[0].score >= 0
