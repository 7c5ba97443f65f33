"""Trainings in lanes come to what each comes to alone, whatever becomes of the others. Run with KERAS_BACKEND=jax."""

import random

import keras
import numpy as np
import pytest

from tests.tuning.compiled import cases
from tests.tuning.compiled.cases import CLASSES, IMAGES, N, X, Y
from tuning import compiled
from tuning.compiled import lanes
from tuning.compiled.on_jax import program

pytestmark = [cases.on_jax, pytest.mark.medium]
VALIDATED = {"validation_data": (X[N:], Y[N:])}


class StopsAt(keras.callbacks.Callback):
    def __init__(self, epoch):
        super().__init__()
        self._epoch = epoch

    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = epoch == self._epoch


class Breaks(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1:
            raise ValueError("not this lane")


def trained(seed, rate, epochs=4, rows=slice(N), callbacks=(), units=8, momentum=0.9, dropout=0.1):
    """Train a model; return history, weights, and how many were trained with it at most.

    Its program takes the numbers as arguments, so lanes may differ in them.
    """
    keras.utils.set_random_seed(seed)
    hidden = keras.layers.Dense(units, "relu"), keras.layers.Dropout(dropout)
    model = cases.mlp(*hidden, optimizer=keras.optimizers.SGD(rate, momentum))
    history = compiled.fit(
        model, X[rows], Y[rows], epochs=epochs, callbacks=list(callbacks), verbose=0, batch_size=16, **VALIDATED
    )
    return history.history, model.get_weights(), lanes.company()


def in_lanes(works, **options):
    """Do what is to be done in a lane each; return what each returned or raised."""
    found = [None] * len(works)

    def put(at, work):
        try:
            found[at] = work()
        except Exception as error:
            found[at] = error

    together = lanes.Lanes(**options)
    for at, work in enumerate(works):
        together.start(lambda at=at, work=work: put(at, work))
    together.wait()
    return found


def assert_same(found, expected):
    (history, weights, _), (expected_history, expected_weights, _) = found, expected
    assert history.keys() == expected_history.keys()
    for name, values in expected_history.items():
        np.testing.assert_allclose(history[name], values, rtol=1e-4, atol=1e-5, err_msg=name)
    np.testing.assert_allclose(
        *map(np.concatenate, ([w.ravel() for w in ws] for ws in (weights, expected_weights))), atol=1e-4
    )


def test_eight_trainings_of_which_one_stops_one_diverges_and_one_raises_are_what_they_are_alone():
    numbers = [
        (seed, {"rate": 0.002 * seed, "momentum": 1 - 0.1 * seed, "dropout": 0.1 * seed}) for seed in range(1, 6)
    ]
    works = [lambda seed=seed, given=given: trained(seed, **given) for seed, given in numbers]
    works += [
        lambda: trained(6, 0.01, callbacks=[StopsAt(1)]),
        lambda: trained(7, float("nan")),
        lambda: trained(8, 0.01, callbacks=[Breaks()]),
    ]
    alone = [work() for work in works[:-1]]
    *found, raised = in_lanes(works)
    for one, other in zip(found, alone, strict=True):
        assert_same(one, other)
    assert [company for *_, company in found] == [8] * 7
    assert len(found[5][0]["loss"]) == 2 and np.isnan(found[6][0]["loss"]).all()
    assert str(raised) == "not this lane"


@pytest.mark.slow  # five programs
def test_other_data_another_program_and_what_keras_trains_do_not_disturb_each_other():
    def left_to_keras():
        keras.utils.set_random_seed(1)
        model = cases.convolutional()
        history = compiled.fit(model, IMAGES[:N], CLASSES[:N], epochs=2, verbose=0).history
        return history, model.get_weights(), lanes.company()

    works = [
        lambda: trained(1, 0.01, rows=slice(0, 64)),
        lambda: trained(2, 0.01, rows=slice(11, N)),
        lambda: trained(3, 0.01, units=5),
        left_to_keras,
    ]
    alone, found = [work() for work in works], in_lanes(works)
    for one, other in zip(found, alone, strict=True):
        assert_same(one, other)
    assert [company for *_, company in found] == [2, 2, 1, 1]


def test_what_is_drawn_in_a_lane_is_not_drawn_in_another():
    def draws(seed):
        keras.utils.set_random_seed(seed)
        drawn = []
        after = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda *_: drawn.append((random.random(), np.random.random(), keras.random.randint((), 0, 9)))
        )
        trained(seed, 0.01, callbacks=[after])
        return drawn

    works = [lambda seed=seed: draws(seed) for seed in (1, 2)]
    state = random.getstate()
    assert in_lanes(works) == [work() for work in works]
    random.setstate(state)


def test_epochs_that_cannot_be_run_together_are_run_one_by_one(monkeypatch):
    def refuses(self, epochs):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(program.Program, "run_together", refuses)
    works = [lambda seed=seed: trained(seed, 0.01) for seed in (1, 2)]
    alone = [work() for work in works]
    found = in_lanes(works)
    for one, other in zip(found, alone, strict=True):
        assert_same(one, other)
    assert [company for *_, company in found] == [1, 1]


@pytest.mark.parametrize("is_quicker", [True, False])
def test_a_measurement_decides_where_it_is_asked_for(is_quicker, monkeypatch):
    import time

    def slow(function):
        def slowed(*arguments):
            time.sleep(0.2)
            return function(*arguments)

        return slowed

    name = "run" if is_quicker else "run_together"
    monkeypatch.setattr(program.Program, name, slow(getattr(program.Program, name)))
    together = []
    run = lanes._run_together
    monkeypatch.setattr(lanes, "_run_together", lambda epochs: together.append(len(epochs)) or run(epochs))
    works = [lambda seed=seed: trained(seed, 0.01, epochs=6) and lanes.n_alone() for seed in (1, 2)]
    assert in_lanes(works, is_measured=True) == [1 if is_quicker else 4] * 2
    assert len(together) == (5 if is_quicker else 2), "compiled, measured, not together once, and then what is quicker"


def test_a_session_that_is_cleared_in_a_lane_is_its_own():
    def cleared():
        keras.utils.clear_session()
        return trained(1, 0.01)

    works = [cleared, lambda: trained(2, 0.01)]
    alone = [work() for work in works]
    for one, other in zip(in_lanes(works), alone, strict=True):
        assert_same(one, other)
