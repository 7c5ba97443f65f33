"""Models that differ only in numbers share a program, and train as Keras does."""

import gc
from contextlib import nullcontext

import keras
import pytest

from tests.layers import few
from tests.tuning.compiled import cases
from tests.tuning.compiled.cases import CLASSES, ONE_HOT, N, X, Y
from tests.tuning.compiled.test_parity import BY_NAME, PLAIN, WHOLE, assert_parity, data
from tuning import compiled as training
from tuning.compiled import arrays, fitting
from tuning.compiled.architecture import key_of
from tuning.compiled.numbers import Argument, Number, numbers_of
from tuning.compiled.state import held, replaced

ARGUMENTS = PLAIN if cases.BACKEND == "tensorflow" else PLAIN | WHOLE
optimizers, regularizers, layers = keras.optimizers, keras.regularizers, keras.layers
KINDS = (
    "SGD",
    "RMSprop",
    "Adam",
    "AdamW",
    "Adamax",
    "Nadam",
    "Adagrad",
    "Adadelta",
    "Adafactor",
    "Ftrl",
    "Lion",
    "Lamb",
)
LATER = ("Muon", "ScheduleFreeAdamW")
"""Kinds that older releases do not have."""


def with_optimizer(kind, factor, **more):
    """Return a model whose optimizer has its numbers, all but the learning rate and those of 1, times `factor`."""
    given = {"weight_decay": 0.02, "clipnorm": 0.5, "use_ema": True, "ema_momentum": 0.9, **more}
    config = getattr(optimizers, kind)(0.01, **given).get_config()
    numbers = {n: v * factor for n, v in config.items() if type(v) is float and n != "learning_rate" and v != 1}
    model = cases.mlp(optimizer=getattr(optimizers, kind).from_config(config | numbers))
    model.optimizer.build(model.trainable_variables)  # what ScheduleFreeAdamW assigns there, Keras's steps would again
    return model


def regularized(factor):
    l2, both = regularizers.L2(0.1 * factor), regularizers.L1L2(0.01 * factor, 0.02 * factor)
    options = {"kernel_regularizer": l2, "activity_regularizer": both}
    return cases.mlp(layers.Dense(8, "relu", **options), optimizer=optimizers.SGD(0.05, momentum=0.9 * factor))


def l1(factor):
    one = regularizers.L1(0.02 * factor)
    options = {"kernel_regularizer": one, "bias_regularizer": one, "activity_regularizer": regularizers.L1(0.01)}
    return cases.mlp(layers.Dense(8, "relu", **options))


def with_layers(*inner):
    # XLA draws other random numbers than TensorFlow's own kernels; Keras has to run the same.
    return cases.mlp(layers.Dense(8, "relu"), *inner, jit_compile=True)


def in_recurrent(layer):
    return with_layers(layers.Reshape((4, 2)), layer)


def attending(factor):
    x = keras.Input((8,))
    steps = layers.Reshape((4, 2))(x)
    attended = layers.MultiHeadAttention(2, 2, dropout=0.3 * factor)(steps, steps)
    model = keras.Model(x, layers.Dense(1)(layers.Flatten()(attended)))
    model.compile("sgd", "mse", jit_compile=True)
    return model


def classifying(loss, activation="softmax", **numbers):
    return cases.mlp(output=layers.Dense(3, activation), loss=getattr(keras.losses, loss)(**numbers), metrics=[])


def smoothed(factor):
    return classifying("CategoricalCrossentropy", label_smoothing=0.2 * factor)


def focal(factor):
    return classifying("CategoricalFocalCrossentropy", alpha=0.3 * factor, gamma=1.7 * factor, label_smoothing=0.1)


def binary_focal(factor):
    numbers = {"alpha": 0.3 * factor, "gamma": 1.7 * factor, "label_smoothing": 0.1 * factor}
    return classifying("BinaryFocalCrossentropy", "sigmoid", apply_class_balancing=True, **numbers)


def weighted(factor):
    """Two outputs whose losses have weights, one of them with labels that are smoothed; and dropout."""
    a, b = keras.Input((8,), name="a"), keras.Input((1,), name="b")
    hidden = layers.Dense(8, "relu", kernel_regularizer=regularizers.L1(0.01 * factor))(layers.Concatenate()([a, b]))
    hidden = layers.Dropout(0.5 * factor)(hidden)
    kind = layers.Dense(3, activation="softmax", name="kind")(hidden)
    model = keras.Model({"a": a, "b": b}, {"value": layers.Dense(1, name="value")(hidden), "kind": kind})
    smooth = keras.losses.CategoricalCrossentropy(label_smoothing=0.1 * factor)
    weights = {"value": 0.5 * factor, "kind": 1.2 * factor}
    model.compile(optimizers.SGD(0.05), {"value": "mse", "kind": smooth}, loss_weights=weights, jit_compile=True)
    return model


NAMED = BY_NAME | {
    "y": {"value": Y[:N], "kind": ONE_HOT[:N]},
    "validation_data": (BY_NAME["validation_data"][0], {"value": Y[N:], "kind": ONE_HOT[N:]}),
}
OF_CLASSES = data(X, ONE_HOT)
OTHERS = {
    "label smoothing": (smoothed, OF_CLASSES),
    "dropout": (lambda f: with_layers(layers.Dropout(0.3 * f)), PLAIN),
    "spatial dropout": (lambda f: in_recurrent(layers.SpatialDropout1D(0.3 * f)), PLAIN),
    "alpha dropout": (lambda f: with_layers(layers.AlphaDropout(0.3 * f)), PLAIN),
    "noise": (lambda f: with_layers(layers.GaussianNoise(0.3 * f)), PLAIN),
    "dropout of LSTM": (lambda f: in_recurrent(layers.LSTM(4, dropout=0.3 * f, recurrent_dropout=0.2 * f)), PLAIN),
    "dropout of attention": (attending, PLAIN),
    "focal": (focal, OF_CLASSES),
    "binary focal": (binary_focal, OF_CLASSES),
    "smoothed binary": (lambda f: classifying("BinaryCrossentropy", "sigmoid", label_smoothing=0.2 * f), OF_CLASSES),
    "huber": (lambda f: cases.mlp(loss=keras.losses.Huber(0.7 * f)), PLAIN),
    "tversky": (lambda f: classifying("Tversky", alpha=0.3 * f, beta=0.6 * f), OF_CLASSES),
    "generalized": (lambda f: classifying("CategoricalGeneralizedCrossEntropy", q=0.5 * f), data(X, CLASSES)),
    "weights of losses": (weighted, NAMED),
    "weight of a loss": (lambda f: cases.mlp(loss_weights=1.2 * f), PLAIN),
    "l1": (l1, PLAIN),
}


def with_momentum(momentum):
    return cases.mlp(optimizer=optimizers.SGD(0.05, momentum))


def assert_shared(build, **arguments):
    """Train with some numbers, then with others: in the same program, with Keras's results."""
    arguments = {"epochs": 2} | (arguments or ARGUMENTS)
    training.clear()
    first = assert_parity(lambda: build(1.0), **arguments)
    second = assert_parity(lambda: build(0.8), **arguments)
    assert not first.reused and second.reused
    return first


@pytest.mark.medium
@pytest.mark.parametrize("name", few(OTHERS, 1))
def test_numbers_of_layers_losses_and_their_weights(name):
    build, arguments = OTHERS[name]
    assert_shared(build, **arguments, **WHOLE)


def key(build, x, y, **_):
    model = build()
    fitting.build(model, arrays.load(x, y))
    return key_of(model, isinstance(x, dict))


@pytest.mark.parametrize("name", ["dropout", "label smoothing", "l1"])
def test_a_second_model_needs_no_new_program(name):
    build, arguments = OTHERS[name]
    assert key(lambda: build(1.0), **arguments) == key(lambda: build(0.8), **arguments) is not None


@pytest.mark.parametrize(
    "builds",
    [
        [lambda rate=rate: with_layers(layers.Dropout(rate)) for rate in (0.0, 0.5, 1.0)],
        [lambda kind=kind: in_recurrent(kind(0.5)) for kind in (layers.Dropout, layers.SpatialDropout1D)],
        [lambda rate=rate: with_layers(layers.GaussianDropout(rate)) for rate in (0.3, 0.5)],
        [lambda weight=weight: cases.mlp(loss_weights=weight) for weight in (None, 0.5)],
    ],
    ids=["rate of 0 or 1", "kind of dropout", "rate that is a constant", "no weight"],
)
def test_what_is_another_step_needs_another_program(builds):
    assert len({key(build, **PLAIN) for build in builds}) == len(builds)


@pytest.mark.medium
def test_weights_of_classes_are_data():
    reports = []
    training.clear()
    for weight in (0.5, 2.0):
        given = data(X, CLASSES) | {"class_weight": {0: weight, 1: 1.0, 2: 1.5}, "epochs": 1}
        reports.append(assert_parity(cases.sparse_classifier, **given))
    assert [report.reused for report in reports] == [False, True]


def test_each_number_is_itself_again_whatever_happens():
    model = weighted(1.0)
    fitting.build(model, arrays.load(NAMED["x"], NAMED["y"]))
    numbers = numbers_of(model)
    before = held(numbers)
    with pytest.raises(ZeroDivisionError), replaced(numbers, range(len(numbers))):
        assert held(numbers) == [*range(len(numbers))]
        raise ZeroDivisionError
    assert held(numbers) == before and {0.5, 0.1, 1.2} <= {*before}
    assert all(isinstance(number, Number) for number in numbers)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*KINDS, *(kind for kind in LATER if hasattr(optimizers, kind))])
def test_every_optimizer_of_keras(kind):
    assert_shared(lambda factor: with_optimizer(kind, factor))


@pytest.mark.slow
@pytest.mark.parametrize("more", [{"clipvalue": 0.05}, {"global_clipnorm": 0.5}, {"loss_scale_factor": 4.0}])
def test_other_ways_of_clipping_and_scaling(more):
    assert_shared(lambda factor: with_optimizer("SGD", factor, momentum=0.9, clipnorm=None, **more))


@pytest.mark.medium
def test_regularizers_and_the_way_of_the_short_batch():
    assert assert_shared(regularized).short_batch == ("bounded" if cases.BACKEND == "tensorflow" else "whole")


@pytest.mark.medium
def test_a_number_that_a_step_asks_for_is_a_constant():
    """Momentum of 0 leaves out a part of the step, so it is another program than any other."""
    training.clear()
    for momentum in (0.9, 0.0):
        report = assert_parity(lambda momentum=momentum: with_momentum(momentum), **ARGUMENTS)
        assert not report.reused
        assert report.short_batch == ("per row" if cases.BACKEND == "tensorflow" else "whole")


@pytest.mark.slow
def test_where_a_step_asks_for_more_the_numbers_are_constants(monkeypatch):
    genuine = optimizers.SGD.update_step

    def asking(self, gradient, variable, learning_rate):
        return genuine(self, gradient * float(self.momentum), variable, learning_rate)

    monkeypatch.setattr(optimizers.SGD, "update_step", asking)
    training.clear()
    reports = [
        assert_parity(lambda momentum=momentum: with_momentum(momentum), **ARGUMENTS) for momentum in (0.9, 0.8, 0.9)
    ]
    assert [report.reused for report in reports] == [False, False, True]


@pytest.mark.medium
@pytest.mark.parametrize("is_saved_by_constants", [True, False])
def test_numbers_are_back_after_an_error_in_the_midst_of_a_trace(is_saved_by_constants, monkeypatch):
    """And nothing that stands for one is left anywhere: JAX's tracers must not outlive their trace."""
    genuine, seen = optimizers.SGD.update_step, set()

    def failing(self, gradient, variable, learning_rate):
        genuine(self, gradient * self.momentum, variable, learning_rate)
        is_argument = isinstance(self.momentum, Argument)
        seen.add(is_argument)
        if is_argument or not is_saved_by_constants:
            raise ValueError("not this time")

    monkeypatch.setattr(optimizers.SGD, "update_step", failing)
    training.clear()
    model = with_momentum(0.9)
    with nullcontext() if is_saved_by_constants else pytest.raises(ValueError, match="not this time"):
        training.fit(model, **ARGUMENTS, verbose=0)
    assert seen == {True, False}
    assert training.last_report(model).compiled == is_saved_by_constants
    assert type(model.optimizer.momentum) is float and model.optimizer.momentum == 0.9
    gc.collect()
    assert not [thing for thing in gc.get_objects() if isinstance(thing, Argument)]
