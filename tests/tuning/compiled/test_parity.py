"""Compiled epochs train what `model.fit` trains: same weights, same history."""

import keras
import numpy as np
import pandas as pd
import pytest

from tests.layers import few
from tests.tuning.compiled import cases
from tests.tuning.compiled.cases import BACKEND, CLASSES, IMAGES, ONE_HOT, WEIGHTS, N, X, Y
from tuning import compiled as training
from tuning.compiled import arrays, eligibility
from tuning.compiled.backends import ShortBatch

tensor = keras.ops.convert_to_tensor
NAMED = ({"a": X[:N], "b": Y[:N]}, {"value": Y[:N], "kind": CLASSES[:N]})
NAMED_VALIDATION = ({"a": X[N:], "b": Y[N:]}, {"value": Y[N:], "kind": CLASSES[N:]})
BY_NAME = {"x": NAMED[0], "y": NAMED[1], "validation_data": NAMED_VALIDATION}


def data(x, y):
    return {"x": x[:N], "y": y[:N], "validation_data": (x[N:], y[N:])}


PLAIN = data(X, Y)
SHORT_ON_JAX = cases.mlp, cases.batch_normalization, cases.multi_input_output, cases.custom_step, cases.loss_of_last_row
"""What has short batches there, too, where all of them are done in the same way; each is a further body to compile."""
WHOLE = {"batch_size": 25, "validation_batch_size": 21}


def assert_parity(build, way=None, tolerance=1e-5, **arguments):
    """Train twice from the same seed; compare weights, optimizer and history. Return the compiled report."""
    arguments = {"batch_size": 16, "epochs": 3, "shuffle": False, "verbose": 0} | arguments
    models, histories = [], []
    for fit in (keras.Model.fit, training.fit):
        keras.utils.set_random_seed(3)
        model = build()
        histories.append(fit(model, **arguments).history)
        models.append(model)
    report = training.last_report(models[1])
    assert report.compiled, report.reason
    assert way is None or report.short_batch == (way if BACKEND == "tensorflow" else "second body")
    ours, theirs = models[1], models[0]
    assert cases.largest_difference(ours.get_weights(), theirs.get_weights()) < tolerance
    state = [[v.numpy() for v in model.optimizer.variables] for model in (ours, theirs)]
    assert cases.largest_difference(*state) < tolerance
    assert set(histories[0]) == set(histories[1])
    for name, values in histories[0].items():
        np.testing.assert_allclose(histories[1][name], values, rtol=1e-4, atol=1e-5, err_msg=name)
    return report


@pytest.mark.medium
@pytest.mark.parametrize(
    ("build", "arguments", "way"),
    few(
        [
            (cases.mlp, PLAIN, "per row"),
            (cases.batch_normalization, PLAIN, "bounded"),
            (cases.multi_input_output, BY_NAME, "bounded"),
            (cases.subclassed, PLAIN, "bounded"),
            (cases.custom_step, PLAIN, "bounded"),
            (cases.sparse_classifier, data(X, CLASSES), "per row"),
            (cases.loss_of_last_row, PLAIN, "second body"),
            (cases.scheduled, PLAIN, "per row"),
            (cases.normalization, PLAIN, "per row"),
            (cases.regularized, PLAIN, "bounded"),
            (cases.clipped, PLAIN, "per row"),
            (cases.averaged, PLAIN, "per row"),
            (cases.custom_loss_and_metric, PLAIN, "per row"),
            (cases.classifier, data(X, ONE_HOT), "per row"),
            (cases.centered, PLAIN, "bounded"),
            (cases.embedding, data((X * 3).astype("int32") % 10, Y), "per row"),
            (cases.without_targets, {"x": X[:N], "validation_data": (X[N:],)}, "bounded"),
        ],
        8,
    ),
    ids=lambda value: getattr(value, "__name__", None) if callable(value) else None,
)
def test_weights_and_history_are_those_of_keras(build, arguments, way):
    if BACKEND == "jax" and build not in SHORT_ON_JAX:
        assert assert_parity(build, **arguments, **WHOLE).short_batch == "whole"
    else:
        assert_parity(build, way, **arguments)


@cases.on_tensorflow
@pytest.mark.medium
def test_random_numbers_are_not_drawn_in_a_program_with_shortened_arrays():
    """There XLA takes ten times as long for them; `scripts/bench_training.py` measures it."""
    model = cases.mlp(keras.layers.Dense(8, "relu"), keras.layers.Dropout(0.3))
    training.fit(model, **PLAIN, epochs=1, verbose=0)
    assert training.last_report(model).short_batch == "second body"


@cases.on_tensorflow
@pytest.mark.slow
def test_convolutions_where_they_are_worthwhile(monkeypatch):
    monkeypatch.setattr(eligibility, "has_accelerator", lambda: True)
    monkeypatch.setattr(keras.Model, "_resolve_auto_jit_compile", lambda self: False)
    assert_parity(cases.convolutional, "bounded", **data(IMAGES, CLASSES))


@cases.on_tensorflow
@pytest.mark.medium
@pytest.mark.parametrize("way", [ShortBatch.BOUNDED, ShortBatch.SECOND])
def test_other_ways_of_the_short_batch_are_exact_too(way, monkeypatch):
    from tuning.compiled.on_tensorflow import short_batch

    monkeypatch.setattr(short_batch, "choose", lambda *_: [way])
    training.clear()
    assert_parity(cases.mlp, way.value, **PLAIN)
    training.clear()


@pytest.mark.slow
@pytest.mark.parametrize("build", [cases.mlp, cases.loss_of_last_row])
def test_large_arrays_are_trained_on_as_they_are(build, monkeypatch):
    monkeypatch.setattr(arrays, "MAX_PADDED_BYTES", 0)
    training.clear()
    assert_parity(build, **PLAIN)
    assert arrays.load(X[:N], Y[:N]).tensors[0].shape[0] == N
    training.clear()


@pytest.mark.medium
@pytest.mark.parametrize(
    "arguments",
    few(
        [
            {"class_weight": {0: 0.5, 1: 2.0, 2: 1.0}, "validation_batch_size": 5},
            {"validation_data": None, "validation_split": 0.25, "sample_weight": WEIGHTS[:N], "batch_size": None},
            {"validation_freq": 2, "batch_size": 25, "x": pd.DataFrame(X[:N]), "y": pd.Series(CLASSES[:N])},
            {"sample_weight": WEIGHTS[:N], "validation_data": (X[N:], CLASSES[N:], WEIGHTS[N:])},
            {"initial_epoch": 1, "batch_size": 1000, "x": X[:N].astype("float64"), "y": CLASSES[:N].astype("i1")},
            {"validation_freq": [1, 3], "x": tensor(X[:N]), "y": tensor(CLASSES[:N])},
        ]
    ),
    ids=lambda arguments: ",".join(arguments),
)
def test_arguments_mean_what_they_mean_in_keras(arguments):
    assert_parity(cases.sparse_classifier, **{**data(X, CLASSES), **arguments})


@pytest.mark.medium
def test_lists_of_inputs_outputs_and_weights():
    def build():
        inputs = [keras.Input((8,)), keras.Input((1,))]
        hidden = keras.layers.Concatenate()(inputs)
        outputs = [keras.layers.Dense(n, name=f"out_{n}")(hidden) for n in (1, 3)]
        model = keras.Model(inputs, outputs)
        model.compile("sgd", ["mse", "mae"], loss_weights=[1.0, 0.2], weighted_metrics=[["mae"], ["mse"]])
        return model

    weights = [WEIGHTS[:N], WEIGHTS[:N][::-1].copy()]
    assert_parity(build, x=[X[:N], Y[:N]], y=[Y[:N], ONE_HOT[:N]], sample_weight=weights)


@pytest.mark.medium
def test_whole_numbers_are_cast_as_keras_casts_them():
    def build():
        model = keras.Sequential([keras.Input((8,)), keras.layers.Rescaling(0.01), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        return model

    pixels = np.clip(X * 40 + 128, 0, 255).astype("uint8")
    assert_parity(build, x=pixels[:N], y=CLASSES[:N].astype("int64"))


@pytest.mark.medium
def test_an_unbuilt_sequential_model_fits_other_batch_sizes_afterwards():
    model = keras.Sequential([keras.layers.Dense(4, "relu"), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    training.fit(model, X, Y, verbose=0)
    assert training.last_report(model).compiled
    assert model.predict(X[:7], verbose=0).shape == (7, 1)


@pytest.mark.medium
def test_a_continued_training_goes_on_where_it_was():
    def twice(fit):
        keras.utils.set_random_seed(3)
        model = cases.clipped()
        for initial_epoch, epochs in ((0, 2), (2, 3)):
            arguments = {"shuffle": False, "verbose": 0, "initial_epoch": initial_epoch, "epochs": epochs}
            fit(model, **PLAIN, **arguments)
        return model

    theirs, ours = twice(keras.Model.fit), twice(training.fit)
    assert cases.largest_difference(ours.get_weights(), theirs.get_weights()) < 1e-5
    assert int(ours.optimizer.iterations) == int(theirs.optimizer.iterations)
