"""Layers in a loop, several executions, the best models, and a model of the best values that is trained again."""

import keras
import keras_tuner as kt
import numpy as np

rng = np.random.default_rng(1)
x = rng.normal(size=(120, 4)).astype("float32")
y = (x[:, 0] + x[:, 1] > 0).astype("int32")


def build_model(hp):
    model = keras.Sequential([keras.Input((4,))])
    for i in range(hp.Int("layers", 1, 2)):
        model.add(keras.layers.Dense(hp.Int(f"units_{i}", 4, 8, step=4), activation="relu"))
    model.add(keras.layers.Dense(1, activation="sigmoid"))
    rate = hp.Choice("learning_rate", [1e-1, 1e-2, 1e-3])
    model.compile(keras.optimizers.Adam(rate), "binary_crossentropy", metrics=["accuracy"])
    return model


tuner = kt.RandomSearch(
    build_model, "val_accuracy", max_trials=2, executions_per_trial=2, seed=5, directory="out", project_name="random"
)
tuner.search_space_summary()
tuner.search(x[:90], y[:90], epochs=2, validation_data=(x[90:], y[90:]), verbose=0)
tuner.results_summary()

models = tuner.get_best_models(num_models=2)
assert len(models) == 2 and models[0].count_params() > 0
best = tuner.get_best_hyperparameters(num_trials=1)[0]
assert 1 <= best.get("layers") <= 2
scores = [trial.score for trial in tuner.oracle.get_best_trials(2)]
assert scores == sorted(scores, reverse=True) and all(0 <= score <= 1 for score in scores)
model = tuner.hypermodel.build(best)
history = model.fit(x, y, epochs=2, validation_split=0.25, verbose=0)
assert len(history.history["val_accuracy"]) == 2
