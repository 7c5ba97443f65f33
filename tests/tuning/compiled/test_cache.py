"""Programs: shared by models of one architecture, kept within bounds, and exact for each model."""

import gc
import subprocess
import sys
import weakref

import keras
import numpy as np
import pytest

from tests.tuning.compiled import cases
from tests.tuning.compiled.cases import BACKEND, CLASSES, N, X, Y
from tuning import compiled as training
from tuning.compiled import arrays, backends, cache, fitting

layers, optimizers, losses, metrics = keras.layers, keras.optimizers, keras.losses, keras.metrics
PLAIN = {"x": X[:N], "y": Y[:N], "validation_data": (X[N:], Y[N:]), "batch_size": 25, "verbose": 0}


@pytest.fixture(autouse=True)
def no_programs():
    training.clear()


@pytest.mark.medium
def test_one_trace_serves_learning_rates_seeds_folds_repeats_and_promotions():
    traced, compiled = training.traced_programs(), training.compiled_programs()
    for seed, rate, rows in ((0, 0.1, 75), (1, 0.01, 75), (2, 0.1, 74)):
        keras.utils.set_random_seed(seed)
        model = cases.normalization(mean=seed)
        model.optimizer.learning_rate = rate
        arguments = PLAIN | {"x": X[:rows], "y": Y[:rows], "batch_size": 32}
        training.fit(model, epochs=2, **arguments)
        training.fit(model, epochs=3, initial_epoch=2, **arguments)
    assert training.last_report(model).reused
    # On JAX a short last batch has a body of its own, for its own number of rows.
    programs, bodies = (1, 1) if BACKEND == "tensorflow" else (2, 4)
    assert training.traced_programs() - traced == bodies
    assert training.compiled_programs() - compiled == programs


@pytest.mark.slow
def test_a_shared_program_trains_each_model_as_keras_does():
    for seed, mean in ((0, 0.0), (1, 5.0)):
        models = []
        for fit in (keras.Model.fit, training.fit):
            keras.utils.set_random_seed(seed)
            model = cases.normalization(mean)
            model.optimizer.learning_rate = 0.01 * (seed + 1)
            fit(model, **PLAIN, shuffle=False, epochs=2)
            models.append(model)
        assert cases.largest_difference(*(model.get_weights() for model in models)) < 1e-5
    assert training.last_report(models[1]).reused


def huber(delta):
    return cases.mlp(loss=losses.Huber(delta))


@pytest.mark.slow
@pytest.mark.parametrize("build", [huber, cases.late_regularizer])
def test_models_that_differ_in_a_number_are_trained_differently(build):
    weights = {}
    for fit in (keras.Model.fit, training.fit):
        for number in (0.1, 0.2):
            keras.utils.set_random_seed(0)
            model = build(number)
            fit(model, **PLAIN, shuffle=False)
            weights[fit, number] = model.get_weights()
    for number in (0.1, 0.2):
        theirs, ours = (weights[fit, number] for fit in (keras.Model.fit, training.fit))
        assert cases.largest_difference(theirs, ours) < 1e-5
    assert cases.largest_difference(weights[training.fit, 0.1], weights[training.fit, 0.2]) > 1e-4


@pytest.mark.medium
def test_models_train_in_turns_without_touching_each_other():
    a, b = cases.mlp(), cases.mlp()
    training.fit(a, **PLAIN)
    weights = a.get_weights()
    training.fit(b, **PLAIN)
    assert training.last_report(b).reused
    assert cases.largest_difference(weights, a.get_weights()) == 0


@pytest.mark.medium
def test_each_model_has_its_own_names_of_metrics():
    for _ in range(2):
        model = cases.mlp(output=layers.Dense(1, "sigmoid"), metrics=[metrics.AUC()])
        arguments = {"validation_split": 0.2, "batch_size": 15, "verbose": 0}
        history = training.fit(model, X[:N], CLASSES[:N] > 0, **arguments).history
        name = model.metrics[1].metrics[0].name
        assert set(history) == {"loss", "val_loss", name, f"val_{name}"}
    assert training.last_report(model).reused


@pytest.mark.medium
def test_compiling_a_model_anew_makes_a_new_program():
    model = cases.subclassed()
    training.fit(model, **PLAIN)
    training.fit(model, **PLAIN)
    assert training.last_report(model).reused
    model.compile("sgd", "mae", metrics=["mae"])
    history = training.fit(model, **PLAIN).history
    assert not training.last_report(model).reused
    assert history["loss"] == pytest.approx(history["mae"])


@pytest.mark.medium
def test_another_optimizer_in_the_same_model_is_no_error():
    model = cases.mlp()
    training.fit(model, **PLAIN)
    model.optimizer = optimizers.Adam(0.01)
    training.fit(model, **PLAIN)
    assert int(model.optimizer.iterations) == 3


@pytest.mark.medium
def test_arrays_that_are_changed_between_fits_are_read_anew():
    x = X[:N].copy()
    model = cases.mlp()
    model.optimizer.learning_rate = 0.0
    first = training.fit(model, x, Y[:N], verbose=0).history["loss"]
    x *= 2
    assert training.fit(model, x, Y[:N], verbose=0).history["loss"][-1] != first[0]


@pytest.mark.medium
def test_a_kept_program_keeps_no_model():
    model = cases.mlp()
    training.fit(model, **PLAIN)
    own = cases.subclassed()
    training.fit(own, **PLAIN)
    gone = [weakref.ref(model), weakref.ref(own)]
    del model, own
    gc.collect()
    assert [ref() for ref in gone] == [None, None]
    assert len(cache._shared) == 1 and len(cache._own) == 0


@cases.on_tensorflow  # as it is on JAX, where building so many models takes long
@pytest.mark.medium
def test_no_more_programs_are_kept_than_the_capacity(monkeypatch):
    monkeypatch.setattr(cache, "CAPACITY", 16)
    monkeypatch.setattr(backends.current(), "compile_epoch", lambda *_: _StandIn())
    for units in range(1, 25):
        model = cases.mlp(units=units)
        samples = arrays.load(X[:N], Y[:N])
        fitting.build(model, samples)
        cache.program_for(model, samples, None)
    assert len(cache._shared) == 16
    for rows in range(16, 16 * 9, 16):
        samples = arrays.load(np.zeros((rows, 8), "float32"), np.zeros((rows, 1), "float32"), batch_size=16)
        cache.program_for(model, samples, None)
    assert len(cache._own[model]) == 2


class _StandIn:
    names = (("loss", "mae"), ())
    short = None
    is_bound = False
    takes_numbers = True

    def fits(self, model):
        return True


@pytest.mark.exhaustive
def test_memory_grows_by_what_a_program_takes():
    """TensorFlow never frees compiled code; this bounds how much there is of it for each architecture."""
    code = """
import gc, keras, psutil
from tests.tuning.compiled.cases import X, Y, mlp
from tuning import compiled as training
sizes = []
for units in range(1, 61):
    training.fit(mlp(units=units), X, Y, validation_split=0.2, verbose=0)
    gc.collect()
    sizes.append(psutil.Process().memory_info().rss / 2**20)
assert training.compiled_programs() == 60
assert (sizes[-1] - sizes[9]) / 50 < 16, sizes
before = sizes[-1]
for repeat in range(30):
    training.fit(mlp(units=60), X, Y, validation_split=0.2, verbose=0)
gc.collect()
assert training.compiled_programs() == 60
assert psutil.Process().memory_info().rss / 2**20 - before < 30
"""
    subprocess.run([sys.executable, "-c", code], check=True)
