"""What every bundled space must keep: its hyperparameters, its objective, a real training, KerasTuner's `hp`."""

from dataclasses import replace

import numpy as np
import pytest

from search_spaces import california_housing, diabetes, digits, fashion_mnist
from tests.conftest import loaded_by
from tuning.errors import DataError
from tuning.hyperparameters import Number
from tuning.records.objective import Objective
from tuning.space import HyperParameters, bundled_spaces, resolve

SPACES = {m.space.name: m.space for m in (fashion_mnist, california_housing, digits, diabetes)}
SHAPES = {"fashion_mnist": (28, 28), "digits": (8, 8), "california_housing": (8,), "diabetes": (10,)}
CLASSIFIERS = ("fashion_mnist", "digits")

# name: kind, bounds or choices, default
CLASSIFIER = {
    "n_hidden": ("int", (0, 8), 2),
    "n_neurons": ("int", (16, 256), 100),
    "learning_rate": ("float", (1e-4, 1e-2), 1e-2),
    "optimizer": ("choice", ("sgd", "adam"), "sgd"),
    "normalize": ("boolean", (False, True), False),
    "batch_size": ("choice", (16, 32, 64, 128), 32),
}
REGRESSOR = {
    "n_hidden": ("int", (1, 5), 3),
    "n_neurons": ("int", (10, 100), 50),
    "learning_rate": ("float", (1e-4, 1e-2), 1e-2),
    "optimizer": ("choice", ("sgd", "adam"), "sgd"),
    "loss": ("choice", ("mse", "huber"), "mse"),
}


def made_up(name, n=64):
    """Return (x, y) of a space's shapes and ranges."""
    rng = np.random.default_rng(0)
    if name in CLASSIFIERS:
        return rng.random((n, *SHAPES[name]), np.float32), rng.integers(0, 10, n).astype(np.uint8)
    return rng.normal(30, 9, (n, *SHAPES[name])).astype(np.float32), rng.random(n, np.float32)


@pytest.fixture(params=SPACES)
def name(request):
    return request.param


@pytest.mark.medium
def test_importing_the_spaces_loads_neither_keras_nor_scikit_learn():
    code = f"from search_spaces import {', '.join(bundled_spaces())}"
    assert loaded_by(code, "tensorflow", "keras", "keras_tuner", "sklearn") == []


def test_a_space_is_found_by_its_name_with_a_line_about_it(name):
    assert resolve(name) is SPACES[name]
    assert not any(found.startswith("_") for found in bundled_spaces())


@pytest.mark.parametrize("bundled", bundled_spaces())
def test_a_line_about_each_space_and_one_about_its_data(bundled):
    said = bundled_spaces()[bundled]
    assert said.description.endswith(".") and len(said.description) < 120
    assert said.data and not said.data.endswith(".") and len(said.data) < 80
    assert resolve(bundled).name == bundled and resolve(bundled).patience == 5


def test_objectives(name):
    goal = "val_accuracy:max" if name in CLASSIFIERS else "val_rmse:min"
    assert str(Objective.parse(SPACES[name].objective)) == goal
    assert SPACES[name].patience == 5


@pytest.mark.medium
def test_hyperparameters_of_build_and_fit(name):
    hp, space = HyperParameters(), SPACES[name]
    model = space.build(hp)
    assert "batch_size" not in hp
    space.fit(hp, model, *made_up(name), verbose=0)
    found = {h.name: (h.kind, h.bounds if isinstance(h, Number) else h.values(), h.default) for h in hp.space}
    assert found == (CLASSIFIER if name in CLASSIFIERS else REGRESSOR)
    assert list(found) == list(CLASSIFIER if name in CLASSIFIERS else REGRESSOR)
    assert next(h for h in hp.space if h.name == "learning_rate").sampling == "log"


@pytest.mark.medium
def test_keras_tuners_hyperparameters_serve_as_well(name):
    import keras_tuner

    hp, space = keras_tuner.HyperParameters(), SPACES[name]
    history = space.fit(hp, space.build(hp), *made_up(name), validation_data=made_up(name, 8), epochs=1, verbose=0)
    assert space.objective.partition(":")[0] in history.history
    assert hp.values == {
        key: default for key, (_, _, default) in (CLASSIFIER if name in CLASSIFIERS else REGRESSOR).items()
    }
    wrapped = space.hypermodel()
    assert wrapped.build(hp).count_params() == space.build(hp).count_params()


def n_trainable(model):
    return sum(int(np.prod(w.shape)) for w in model.trainable_weights)


@pytest.mark.parametrize(
    "name, values, n_weights",
    [
        ("fashion_mnist", {"n_hidden": 0}, 784 * 10 + 10),
        ("fashion_mnist", {"n_hidden": 2, "n_neurons": 16}, 784 * 16 + 16 + 16 * 16 + 16 + 16 * 10 + 10),
        ("digits", {"n_hidden": 8, "n_neurons": 256}, 64 * 256 + 256 + 7 * (256 * 256 + 256) + 2570),
        ("california_housing", {}, 8 * 50 + 50 + 2 * (50 * 50 + 50) + 51),
        ("diabetes", {"n_hidden": 1, "n_neurons": 10}, 10 * 10 + 10 + 11),
    ],
)
def test_model_sizes(name, values, n_weights):
    model = SPACES[name].build(HyperParameters(values))
    assert n_trainable(model) == n_weights
    assert model.input_shape == (None, *SHAPES[name])
    assert model.output_shape == (None, 10 if name in CLASSIFIERS else 1)


@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_the_optimizer_and_its_learning_rate(name, kind):
    model = SPACES[name].build(HyperParameters({"optimizer": kind, "learning_rate": 0.002}))
    assert type(model.optimizer).__name__.lower() == kind
    assert float(model.optimizer.learning_rate) == pytest.approx(0.002)


@pytest.mark.medium
@pytest.mark.parametrize("loss", ["mse", "huber"])
def test_losses_of_the_regressors(loss):
    x, y = made_up("diabetes")
    y[::2] += 5  # huber counts large errors linearly
    model = diabetes.space.build(HyperParameters({"loss": loss}))
    error = abs(model.predict(x, verbose=0)[:, 0] - y.astype(np.float64))
    each = error**2 if loss == "mse" else np.where(error <= 1, error**2 / 2, error - 0.5)
    result = model.evaluate(x, y, verbose=0, return_dict=True)
    assert result["loss"] == pytest.approx(each.mean(), rel=1e-4)
    assert result["rmse"] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-4)


def steps_per_epoch(space, hp, **kwargs):
    x, y = made_up(space.name, 100)
    return space.fit(hp, space.build(hp), x, y, epochs=1, verbose=0, **kwargs).params["steps"]


@pytest.mark.medium
def test_the_batch_size_reaches_training():
    assert steps_per_epoch(digits.space, HyperParameters({"batch_size": 16})) == 7
    assert steps_per_epoch(digits.space, HyperParameters()) == 4


@pytest.mark.medium
def test_a_batch_size_of_the_caller_is_no_hyperparameter():
    hp = HyperParameters()
    assert steps_per_epoch(digits.space, hp, batch_size=50) == 2
    assert "batch_size" not in hp.used


@pytest.mark.medium
def test_further_arguments_are_handed_on():
    hp = HyperParameters()
    model, (x, y) = digits.space.build(hp), made_up("digits")
    history = digits.space.fit(
        hp,
        model,
        x,
        y,
        validation_data=(x, y, np.ones(64)),
        sample_weight=np.ones(64),
        initial_epoch=2,
        epochs=4,
        verbose=0,
    )
    assert history.epoch == [2, 3]


# One real training each --------------------------------------------------------------------------------


def real_data(space, n):
    try:
        data = space.load_data()
    except DataError as error:
        pytest.skip(str(error))
    return replace(data, x=data.x[:n], y=data.y[:n])


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, values, n, epochs, bound",
    [
        ("fashion_mnist", {"n_hidden": 1, "n_neurons": 32, "normalize": True}, 6_400, 2, 0.70),
        ("digits", {"n_hidden": 1, "n_neurons": 64, "optimizer": "adam", "normalize": True}, None, 5, 0.85),
        ("california_housing", {"optimizer": "adam", "n_hidden": 2, "learning_rate": 3e-3}, 6_400, 4, 0.75),
        ("diabetes", {"optimizer": "adam"}, None, 8, 0.70),
    ],
)
def test_a_real_training_learns(name, values, n, epochs, bound, monkeypatch):
    import keras

    monkeypatch.setattr("search_spaces.data.datasets.download", no_download)
    keras.utils.set_random_seed(1)
    hp, space = HyperParameters(values), SPACES[name]
    data = real_data(space, n)
    history = space.fit(
        hp, space.build(hp), data.x, data.y, validation_data=data.validation, epochs=epochs, verbose=0
    ).history
    objective = Objective.parse(space.objective)
    _, score = objective.best(history[objective.name])
    assert objective.is_better(score, bound)


def no_download(*args, **kwargs):
    raise DataError("tests do not download")
