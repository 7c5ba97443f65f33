"""Spaces that are no plain stack of layers: several inputs and outputs, subclasses, own training steps, conditions."""

import itertools
from dataclasses import replace

import keras
import numpy as np
import pytest

import tuning
from search_spaces import _mlp, customer_tickets, fashion_mnist_cnn, fashion_mnist_full, two_clouds
from search_spaces import california_wide_deep as wide_deep
from search_spaces import california_wide_deep_subclassed as subclassed
from tests.conftest import needs_real_data
from tuning import compiled as training
from tuning.engines.registry import ENGINES
from tuning.preflight import check
from tuning.records.trial import State
from tuning.space import HyperParameters, resolve
from tuning.training.fit import fit_space

# What is fixed, so that all engines train one architecture, which is compiled once; epochs; rows of the data.
SMALL = {
    "two_clouds": ({}, 3, None),
    "customer_tickets": ({"n_neurons": 16, "dropout": 0.0, "priority_weight": 0.5}, 1, 64),
    "california_wide_deep": ({"n_hidden": 1, "n_neurons": 10, "auxiliary_weight": 0.1}, 1, 320),
    "california_wide_deep_subclassed": ({"n_hidden": 1, "n_neurons": 10, "auxiliary_weight": 0.1}, 1, 320),
    "fashion_mnist_full": (
        {"n_hidden": 1, "n_neurons": 16, "activation": "gelu", "dropout": 0.1, "batch_size": 64, "optimizer": "nadam"},
        1,
        128,
    ),
    "california_housing_full": (
        {"n_hidden": 2, "n_neurons": 10, "activation": "silu", "dropout": 0.1, "batch_size": 64, "optimizer": "adamw"},
        1,
        320,
    ),
    "fashion_mnist_cnn": (
        {"n_filters": 4, "n_blocks": 1, "kernel_size": 3, "dropout": 0.0, "optimizer": "adam", "batch_size": 64},
        1,
        128,
    ),
}


def data_of(name, n=None):
    """Return the space's own data, the first `n` rows of each split."""
    if name.startswith(("california", "fashion")):
        needs_real_data()
    data = resolve(name).load_data()
    x, y, validation = keras.tree.map_structure(lambda a: a[:n], (data.x, data.y, data.validation))
    return replace(data, x=x, y=y, validation=validation)


def trained(space, values, data, epochs):
    """Train a model as a trial does; return it with its history."""
    keras.utils.set_random_seed(0)
    hp = HyperParameters(values)
    model = space.build(hp)
    history = fit_space(space, hp, model, data, [], compiled=True, epochs=epochs).history
    return model, history


# One engine a space, so that every engine comes up; all of them with all spaces take minutes.
SOME = list(zip(SMALL, itertools.cycle(ENGINES)))
PAIRS = [
    pytest.param(name, engine, marks=pytest.mark.slow if (name, engine) in SOME else pytest.mark.exhaustive)
    for name in SMALL
    for engine in ENGINES
]


@pytest.mark.parametrize(("name", "engine"), PAIRS)
def test_every_engine_searches_it_and_the_best_model_has_its_score_also_when_saved(name, engine, tmp_path):
    fix, epochs, n = SMALL[name]
    data = data_of(name, n)
    search = {"trials": 1, "epochs": epochs, "fix": fix, "seed": 1, "logs": tmp_path, "engine": engine}
    if engine == "pbt":  # which needs somebody to take weights over from, and an epoch before that
        search |= {"trials": 2, "epochs": max(epochs, 2), "options": {"population": 2}}
    if ENGINES[engine].folds is not None:
        folded = tuning.search(name, data.x, data.y, cv=2, **search)
        assert folded.trials[0].state is State.COMPLETED and len(folded.models(0)) == 2
        return
    study = tuning.search(name, data.x, data.y, validation_data=data.validation, **search)
    assert {t.state for t in study.trials} == {State.COMPLETED}
    assert all(t.compiled for t in study.trials)
    model = study.best_model()
    batch_size = len(data.validation[1]) if name == "two_clouds" else 32
    result = model.evaluate(*data.validation, verbose=0, return_dict=True, batch_size=batch_size)
    assert result[study.objective.name.removeprefix("val_")] == pytest.approx(study.best.score, rel=1e-5)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.evaluate(*data.validation, verbose=0, return_dict=True, batch_size=batch_size) == result


def test_every_engine_comes_up():
    assert {engine for _, engine in SOME} == set(ENGINES)


# California housing, wide and deep --------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("module", [wide_deep, subclassed], ids=["functional", "subclassed"])
def test_wide_and_deep_has_two_paths_of_the_right_features(module):
    data = data_of(module.space.name, 300)
    model, _ = trained(module.space, {}, data, 1)
    x = {name: array[:5].copy() for name, array in data.x.items()}
    outputs = model.predict(x, verbose=0)
    assert {name: a.shape for name, a in outputs.items()} == {"main": (5, 1), "auxiliary": (5, 1)}
    x["wide"][:, 0] += 1
    wider = model.predict(x, verbose=0)
    assert (wider["main"] != outputs["main"]).all() and (wider["auxiliary"] == outputs["auxiliary"]).all()
    x["deep"][:, 0] += 1
    assert (model.predict(x, verbose=0)["auxiliary"] != outputs["auxiliary"]).all()
    for name, array in data.x.items():
        layer = next(layer for layer in model.layers if layer.name == f"{name}{_mlp.NORMALIZATION}")
        np.testing.assert_allclose(layer.adapt_mean, array.mean(axis=0), rtol=1e-3)


@pytest.mark.medium
def test_both_ways_of_writing_wide_and_deep_are_one_model():
    data = data_of("california_wide_deep", 100)
    models = [m.space.build(HyperParameters({"n_hidden": 3})) for m in (wide_deep, subclassed)]
    for model in models:
        _mlp.adapt(model, data.x)
    theirs, ours = ([layer for layer in m.layers if isinstance(layer, keras.layers.Dense)] for m in models)
    by_number = {"key": lambda layer: (len(layer.name), layer.name)}
    for one, other in zip(sorted(theirs, **by_number), sorted(ours, **by_number), strict=True):
        other.set_weights(one.get_weights())
    expected, got = (model.predict(data.x, verbose=0) for model in models)
    for name in wide_deep.OUTPUTS:
        np.testing.assert_allclose(got[name], expected[name], rtol=1e-5)


@pytest.mark.medium
def test_the_outputs_share_the_loss():
    data = data_of("california_wide_deep", 320)
    _, history = trained(wide_deep.space, {"auxiliary_weight": 0.25}, data, 1)
    history = {name: values[0] for name, values in history.items()}
    assert history["val_loss"] == pytest.approx(
        0.75 * history["val_main_loss"] + 0.25 * history["val_auxiliary_loss"], rel=1e-4
    )
    assert history["val_main_rmse"] == pytest.approx(history["val_main_loss"] ** 0.5, rel=1e-3)


@pytest.mark.exhaustive
def test_wide_and_deep_reaches_its_reference():
    data = data_of("california_wide_deep")
    for share, reference in ((0.0, 0.570), (0.1, 0.574)):
        model, _ = trained(wide_deep.space, {"auxiliary_weight": share}, data, 20)
        result = model.evaluate(*data.load_test(), verbose=0, return_dict=True)
        assert result["main_rmse"] == pytest.approx(reference, abs=0.02)


# Customer tickets -------------------------------------------------------------------------------------


def test_tickets_are_the_same_in_every_process_and_never_in_two_splits():
    first, second = (customer_tickets.make_tickets(50, seed=3) for _ in range(2))
    assert all((first[i][name] == second[i][name]).all() for i in range(2) for name in first[i])
    data = customer_tickets.load_data()
    parts = [data.x, data.validation[0], data.load_test()[0]]
    assert [len(part["tags"]) for part in parts] == [960, 160, 160]
    bodies = np.packbits(np.concatenate([part["text_body"] for part in parts]), axis=1)
    assert len(np.unique(bodies, axis=0)) == 1280


@pytest.mark.slow
def test_tickets_can_be_learned_but_not_without_error():
    data = customer_tickets.load_data()
    _, history = trained(customer_tickets.space, {}, data, 6)
    y = data.validation[1]
    most_frequent = max(np.bincount(y["department"])) / len(y["department"])
    not_urgent = 1 - y["priority"].mean()
    assert most_frequent + 0.25 < max(history["val_department_accuracy"]) < 0.99
    assert not_urgent + 0.1 < max(history["val_priority_accuracy"]) < 0.99


# Two clouds -------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("compiled", [True, False])
def test_gradient_descent_reaches_the_published_loss(compiled):
    data = replace(two_clouds.load_data(), validation=None)
    keras.utils.set_random_seed(0)
    model = two_clouds.space.build(HyperParameters())
    history = fit_space(
        two_clouds.space, HyperParameters(), model, data, [], compiled=compiled, epochs=two_clouds.N_STEPS
    )
    assert history.params["steps"] == 1 and int(model.optimizer.iterations) == 40
    assert not compiled or training.last_report(model).compiled
    x = np.c_[data.x, np.ones(len(data.x))]
    least = np.linalg.lstsq(x, data.y, rcond=None)[1][0] / len(x)
    assert least < history.history["loss"][-1] == pytest.approx(0.0285, abs=0.004)
    loss, accuracy = model.evaluate(*data.load_test(), verbose=0)
    assert loss == pytest.approx(0.0285, abs=0.004) and accuracy > 0.98


@pytest.mark.medium
def test_one_step_is_one_step_down_the_gradient():
    data = two_clouds.load_data()
    keras.utils.set_random_seed(0)
    model = two_clouds.space.build(HyperParameters({"learning_rate": 0.05}))
    kernel, bias = (np.float64(w) for w in model.get_weights())
    error = data.x @ kernel + bias - data.y[:, None]
    two_clouds.fit_model(model, data.x, data.y, verbose=0)
    np.testing.assert_allclose(model.get_weights()[0], kernel - 0.05 * 2 * data.x.T @ error / len(error), rtol=1e-4)
    np.testing.assert_allclose(model.get_weights()[1], bias - 0.05 * 2 * error.mean(), rtol=1e-4)


@pytest.mark.slow
def test_a_trial_has_forty_steps_unless_told_otherwise(tmp_path):
    search = {"engine": "random", "trials": 1, "seed": 0, "logs": tmp_path, "fix": {"learning_rate": 0.01}}
    study = tuning.search("two_clouds", **search)
    assert study.trials[0].epochs == study.definition.epochs == 40
    assert tuning.search("two_clouds", epochs=3, study="shorter", **search).trials[0].epochs == 3


# Fashion-MNIST, everything ----------------------------------------------------------------------------


@pytest.mark.medium
def test_the_full_space_and_its_conditions():
    data = data_of("fashion_mnist_full", 32)
    found = check(fashion_mnist_full.space, data, tuning.Objective.parse("val_accuracy"), {}, {}).hyperparameters
    by_name = {h.name: h for h in found}
    hidden = {"n_neurons", "activation", "initializer", "dropout"}
    always = {"n_hidden", "learning_rate", "optimizer", "warmup_epochs", "normalize", "batch_size"}
    assert set(by_name) == hidden | always | {"momentum", "weight_decay"}
    assert by_name["batch_size"].choices[0] == 8 and by_name["batch_size"].choices[-1] == 512
    for kind in ("sgd", "rmsprop", "adam", "adamw", "nadam"):
        for n_hidden in (0, 1):
            active = {h.name for h in found if h.is_active({"optimizer": kind, "n_hidden": n_hidden})}
            own = {"sgd": {"momentum"}, "adamw": {"weight_decay"}}.get(kind, set())
            assert active == always | own | (hidden if n_hidden else set())


@pytest.mark.parametrize("kind", ["sgd", "rmsprop", "adam", "adamw", "nadam"])
def test_optimizers_of_the_full_space(kind):
    values = {"optimizer": kind, "learning_rate": 0.002, "momentum": 0.8, "weight_decay": 1e-3}
    optimizer = fashion_mnist_full.build_model(HyperParameters(values), shape=(8, 8)).optimizer
    assert type(optimizer).__name__.lower() == kind
    assert float(optimizer.learning_rate) == pytest.approx(0.002)
    assert kind != "sgd" or optimizer.momentum == 0.8
    assert kind != "adamw" or optimizer.weight_decay == 1e-3


@pytest.mark.medium
def test_keras_tuners_hyperparameters_serve_the_full_space():
    import keras_tuner

    hp = keras_tuner.HyperParameters()
    model = fashion_mnist_full.build_model(hp, shape=(8, 8))
    fashion_mnist_full.fit_model(hp, model, np.zeros((8, 8, 8), "float32"), np.zeros(8, "uint8"), verbose=0)
    assert hp.values["momentum"] == 0.9 and "weight_decay" not in hp.values


def test_layers_of_the_full_space():
    values = {"n_hidden": 2, "n_neurons": 20, "activation": "selu", "initializer": "lecun_normal", "dropout": 0.3}
    model = fashion_mnist_full.build_model(HyperParameters(values), shape=(8, 8))
    hidden = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)][:-1]
    assert [layer.units for layer in hidden] == [20, 20]
    assert {layer.activation.__name__ for layer in hidden} == {"selu"}
    assert {type(layer.kernel_initializer).__name__ for layer in hidden} == {"LecunNormal"}
    assert [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == [0.3, 0.3]


@pytest.mark.medium
@pytest.mark.parametrize("initial_epoch", [0, 1, 3])
def test_the_learning_rate_warms_up_and_is_then_left_alone(initial_epoch):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.4), "mse")
    set_by_another = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: epoch == 5 and setattr(model.optimizer, "learning_rate", 0.05)
    )
    callbacks = [set_by_another, *_mlp.warm_up(0.4, 3)]
    x = np.zeros((4, 1))
    history = training.fit(model, x, x, epochs=7, initial_epoch=initial_epoch, callbacks=callbacks, verbose=0).history
    expected = [0.1, 0.2, 0.3, 0.4, 0.4, 0.05, 0.05]
    assert history["learning_rate"] == pytest.approx(expected[initial_epoch:])
    assert _mlp.warm_up(0.4, 0) == []


def test_the_convolutions_see_the_whole_picture():
    model = fashion_mnist_cnn.build_model(HyperParameters({"n_blocks": 3, "n_filters": 4}))
    shapes = [layer.output.shape[1:] for layer in model.layers if isinstance(layer, keras.layers.MaxPooling2D)]
    assert shapes == [(14, 14, 4), (7, 7, 8), (4, 4, 16)]
    assert model.output_shape == (None, 10)
