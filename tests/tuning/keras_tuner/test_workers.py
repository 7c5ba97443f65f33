"""How many trials of a program are trained at once when it says nothing, and what is said where it is one."""

import functools
import os
import warnings
from importlib import import_module

import keras
import numpy as np
import pytest

from tests.tuning.keras_tuner.conftest import is_ours

X = np.random.default_rng(0).random((20, 2)).astype("float32")
Y = X.sum(axis=1, keepdims=True)


def build(hp):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(hp.Float("rate", 1e-3, 1e-1)), "mse", run_eagerly=True)
    with open("processes", "a") as file:
        file.write(f"{os.getpid()}\n")
    return model


@pytest.fixture
def silent(tuners, monkeypatch):
    """KerasTuner with our driver, in a program that says nothing about workers, on a machine that holds three."""
    module = import_module("tuning.keras_tuner.workers")  # the package's `workers` is the function
    monkeypatch.delenv("TUNE_WORKERS")
    monkeypatch.setattr(module, "default_workers", lambda trials: min(trials or 3, 3))
    return tuners


def chosen(kt, base="RandomSearch", members=None, **options):
    from tuning.keras_tuner.workers import chosen

    kind = type("Own", (getattr(kt, base),), members) if members else getattr(kt, base)
    if base in ("RandomSearch", "BayesianOptimization"):
        options.setdefault("max_trials", 9)
    return chosen(kind(build, objective="loss", directory="out", project_name="p", **options))


@pytest.mark.parametrize("base", ["RandomSearch", "BayesianOptimization", "Hyperband", "GridSearch"])
def test_standard_trials_are_trained_side_by_side(silent, base):
    assert chosen(silent, base) == (3, "")


def test_there_are_no_more_workers_than_trials(silent):
    assert chosen(silent, max_trials=2) == (2, "")


def test_what_is_done_in_the_program_itself_changes_nothing(silent):
    def constructor(self, *args, **kwargs):
        silent.RandomSearch.__init__(self, *args, **kwargs)

    members = {"__init__": constructor, "on_trial_end": lambda self, trial: None, "a_method_of_ones_own": print}
    assert chosen(silent, members=members) == (3, "")


@pytest.mark.parametrize("name", ["run_trial", "on_epoch_end", "_build_and_fit_model", "load_model"])
def test_a_part_of_a_trial_of_ones_own_is_named_and_keeps_it_in_the_program(silent, name):
    number, reason = chosen(silent, members={name: lambda self, *args: None})
    assert number == 1 and reason.startswith(f"Own has a `{name}` of its own")


def test_a_part_of_keras_tuners_own_that_a_program_has_replaced_keeps_trials_in_the_program(silent, monkeypatch):
    monkeypatch.setattr(silent.Tuner, "run_trial", lambda self, trial, *args, **kwargs: 0.0)
    number, reason = chosen(silent)
    assert number == 1 and reason.startswith("RandomSearch has a `run_trial` of its own")


def test_a_fit_of_keras_that_a_program_has_replaced_keeps_trials_in_the_program(silent, monkeypatch):
    monkeypatch.setattr(keras.Model, "fit", functools.wraps(keras.Model.fit)(lambda *args, **kwargs: None))
    number, reason = chosen(silent)
    assert number == 1 and reason.startswith("`keras.Model.fit` is replaced")


def test_the_program_and_the_environment_decide(silent, monkeypatch):
    assert chosen(silent, members={"run_trial": print})[0] == 1
    monkeypatch.setenv("TUNE_WORKERS", "2")
    assert chosen(silent, members={"run_trial": print}) == (2, "")
    silent.workers(4)
    try:
        assert chosen(silent) == (4, "")
    finally:
        silent.workers(None)


def test_a_distribution_strategy_keeps_trials_in_the_program(silent):
    import tensorflow as tf

    number, reason = chosen(silent, distribution_strategy=tf.distribute.OneDeviceStrategy("/cpu:0"))
    assert number == 1 and "distribution strategy" in reason


@pytest.fixture
def chosen_with(silent):
    """Return the number of workers, and why it is one, for a search with a callback."""
    choose = import_module("tuning.keras_tuner.workers").chosen

    def ask(callback, hypermodel=build):
        tuner = silent.RandomSearch(hypermodel, objective="loss", max_trials=9, directory="out", project_name="p")
        return choose(tuner, [keras.callbacks.TensorBoard("b"), callback])

    return ask


CHECKPOINT = keras.callbacks.ModelCheckpoint("best.keras")


@pytest.mark.parametrize(
    "callback", [CHECKPOINT, keras.callbacks.CSVLogger("log.csv"), keras.callbacks.BackupAndRestore("backup")]
)
def test_what_all_trials_write_keeps_them_in_the_program(chosen_with, monkeypatch, callback):
    number, reason = chosen_with(callback)
    assert number == 1 and reason.startswith(f"{type(callback).__name__} writes to the same place in every trial.")
    monkeypatch.setenv("TUNE_WORKERS", "2")
    assert chosen_with(callback)[0] == (2 if callback is CHECKPOINT else 1)
    monkeypatch.setenv("TUNE_WORKERS", "1")
    assert chosen_with(callback) == (1, "")


def test_a_checkpoint_that_a_fit_of_ones_own_may_read_keeps_trials_in_the_program(silent, chosen_with, monkeypatch):
    class Reading(silent.HyperModel):
        def build(self, hp):
            return build(hp)

        def fit(self, hp, model, *args, **kwargs):
            model.fit(*args, **kwargs)
            return model.load_weights("best.keras")

    monkeypatch.setenv("TUNE_WORKERS", "2")
    number, reason = chosen_with(CHECKPOINT, Reading())
    assert number == 1 and reason.endswith("where code of the program's own may read it.")


def searched(kt, *data):
    tuner = kt.RandomSearch(build, objective="loss", max_trials=2, directory="out", project_name="p")
    open("processes", "w").close()
    tuner.search(*data, epochs=1, verbose=0)
    is_ours(tuner)
    return {int(line) for line in open("processes")}


@pytest.mark.slow
def test_without_a_word_trials_are_trained_in_other_processes(silent):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        processes = searched(silent, X, Y)
    assert processes and os.getpid() not in processes
    assert not [w for w in said if "one after the other" in str(w.message)]


@pytest.mark.slow
def test_data_that_cannot_be_sent_keep_trials_in_the_program_and_are_named(silent):
    import tensorflow as tf

    with pytest.warns(UserWarning, match="one after the other, in this process: .* cannot be sent to worker processes"):
        processes = searched(silent, tf.data.Dataset.from_tensor_slices((X, Y)).batch(5))
    assert processes == {os.getpid()}
