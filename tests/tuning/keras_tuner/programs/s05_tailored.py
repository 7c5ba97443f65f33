"""A space that is tailored: hyperparameters of the program's own, fixed ones, compile overrides."""

import keras
import keras_tuner as kt
import numpy as np

x = np.random.default_rng(5).normal(size=(50, 3))
y = (x[:, 0] > 0).astype("int32")


def build_model(hp):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(hp.Int("units", 4, 16, step=4), "relu")])
    model.add(keras.layers.Dense(2, activation=hp.Choice("activation", ["softmax", "sigmoid"])))
    model.compile(keras.optimizers.SGD(hp.Float("rate", 1e-3, 1e-1, sampling="log")), "sparse_categorical_crossentropy")
    return model


def searched(name, **kwargs):
    kwargs = {"objective": "val_accuracy", "max_trials": 3, "metrics": ["accuracy"], **kwargs}
    tuner = kt.RandomSearch(build_model, directory="out", project_name=name, **kwargs)
    tuner.search(x, y, validation_split=0.2, epochs=1, verbose=0)
    return tuner, [trial.hyperparameters.values for trial in tuner.oracle.trials.values()]


hp = kt.HyperParameters()
hp.Fixed("rate", 0.01)
tuner, values = searched("fixed", hyperparameters=hp)
assert all(v["rate"] == 0.01 for v in values) and len({v["units"] for v in values}) > 0

hp = kt.HyperParameters()
hp.Choice("units", [4, 8, 12])
tuner, values = searched("one", hyperparameters=hp, tune_new_entries=False)
assert {v["rate"] for v in values} == {1e-3} and {v["activation"] for v in values} == {"softmax"}

hp = kt.HyperParameters()
hp.Int("units", 4, 16, step=4)
try:
    searched("refused", hyperparameters=hp, allow_new_entries=False)
except RuntimeError as error:
    assert "allow_new_entries" in str(error)
else:
    raise AssertionError("a new entry was allowed")

tuner, values = searched(
    "overrides",
    objective=kt.Objective("val_hits", "max"),
    optimizer=keras.optimizers.Adam(0.5),
    loss=keras.losses.SparseCategoricalCrossentropy(),
    metrics=[keras.metrics.SparseCategoricalAccuracy(name="hits")],
)
model = tuner.get_best_models()[0]
assert isinstance(model.optimizer, keras.optimizers.Adam) and isinstance(model.loss, keras.losses.Loss)
assert all(0 <= trial.score <= 1 for trial in tuner.oracle.trials.values())
