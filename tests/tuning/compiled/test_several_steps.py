"""What is left to `model.fit` is trained several batches at a time, with the numbers of single steps."""

import keras
import numpy as np
import pytest

from tests.layers import few
from tuning import compiled
from tuning.compiled import several_steps

RNG = np.random.default_rng(0)
X = RNG.normal(size=(75, 12, 2)).astype("float32")
Y = X.mean(axis=(1, 2))


def convolution(seed=1):
    keras.utils.set_random_seed(seed)
    layers = [keras.layers.SeparableConv1D(3, 3, activation="relu"), keras.layers.Dropout(0.3), keras.layers.Flatten()]
    model = keras.Sequential([keras.Input((12, 2)), *layers, keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
    return model


class Pieces(keras.utils.PyDataset):
    def __len__(self):
        return 5

    def __getitem__(self, index):
        return X[15 * index : 15 * (index + 1)], Y[15 * index : 15 * (index + 1)]


def endless():
    while True:
        for start in range(0, 75, 15):
            yield X[start : start + 15], Y[start : start + 15]


def dataset():
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(75, seed=3).batch(8)


GIVEN = {
    "arrays and a short batch": lambda: {"x": X, "y": Y, "batch_size": 8, "validation_data": (X[:20], Y[:20])},
    "dataset": lambda: {"x": dataset(), "validation_data": dataset()},
    "sequence": lambda: {"x": Pieces()},
    "endless generator": lambda: {
        "x": endless(),
        "steps_per_epoch": 6,
        "validation_data": (X, Y),
        "validation_steps": 3,
    },
}


@pytest.mark.medium
@pytest.mark.parametrize("name", few(GIVEN, 1))
def test_weights_and_logs_are_those_of_single_steps(name):
    trained = []
    for fit in (keras.Model.fit, compiled.fit):
        model = convolution()
        keras.utils.set_random_seed(2)
        history = fit(model, **GIVEN[name](), epochs=2, verbose=0)
        trained.append((history.history, model))
    (logs, one), (ours, other) = trained
    assert compiled.last_report(other).steps == (3 if "endless" in name else several_steps.MOST)
    assert logs == ours
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert other.steps_per_execution == 1 and one.optimizer.iterations == other.optimizer.iterations


@pytest.mark.medium
def test_a_model_that_is_fitted_again_is_not_traced_again_and_trains_single_batches_as_before():
    model = convolution()
    compiled.fit(model, X, Y, verbose=0)
    kept = vars(model)[several_steps._KEPT]
    compiled.fit(model, X, Y, verbose=0)
    assert all(a is b for a, b in zip(kept[2], vars(model)[several_steps._KEPT][2], strict=True))
    before = int(model.optimizer.iterations)
    model.train_on_batch(X[:8], Y[:8])
    assert int(model.optimizer.iterations) == before + 1
    model.compile("sgd", "mse", metrics=["mape"])
    history = compiled.fit(model, X, Y, verbose=0)
    assert history.history.keys() == {"loss", "mape"}, "what was traced for another loss is not used"


class Counts(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.n = 0

    def on_train_batch_end(self, batch, logs=None):
        self.n += 1


class OwnStep(keras.Sequential):
    def train_step(self, *given):  # the data, and on JAX the state before them
        return super().train_step(*given)


@pytest.mark.medium
def test_single_batches_where_somebody_looks_at_them():
    model, counts = convolution(), Counts()
    compiled.fit(model, X, Y, batch_size=15, callbacks=[counts], verbose=0)
    assert counts.n == 5 and compiled.last_report(model).steps == 1
    own = OwnStep(
        [keras.Input((12, 2)), keras.layers.SeparableConv1D(2, 3), keras.layers.Flatten(), keras.layers.Dense(1)]
    )
    own.compile("sgd", "mse")
    compiled.fit(own, X, Y, verbose=0)
    assert compiled.last_report(own).steps == 1
    model.compile("sgd", "mse", steps_per_execution=2)
    compiled.fit(model, X, Y, verbose=0)
    assert compiled.last_report(model).steps == 1 and model.steps_per_execution == 2, "what was asked for holds"


class CompilesAnew(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.compile("sgd", "mse", steps_per_execution=4)


@pytest.mark.medium
def test_a_model_that_was_compiled_meanwhile_is_left_as_it_was_compiled():
    model = convolution()
    compiled.fit(model, X, Y, callbacks=[CompilesAnew()], verbose=0)
    assert model.steps_per_execution == 4


@pytest.mark.medium
def test_the_reason_that_is_recorded_tells_how_many():
    model = convolution()
    compiled.fit(model, X, Y, verbose=0)
    report = compiled.last_report(model)
    assert report.explanation == f"{report.reason}; 32 batches at a time"
    assert compiled.FitReport(True).explanation is None
    assert compiled.FitReport(False, "why").explanation == "why"
