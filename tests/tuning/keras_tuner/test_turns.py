"""Places that every trial writes to: what one trial has written there is not another's before it ends."""

import os
import threading
import warnings

import keras
import pytest

from tests.tuning.keras_tuner.conftest import run_python
from tuning.keras_tuner.turns import Turns


class Other:
    """Another process with a trial of its own, which waits inside what it was given to do until it is told to go on."""

    def __init__(self, do):
        said, say = os.pipe()
        told, tell = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            do(lambda: (os.write(say, b"!"), os.read(told, 1)))
            os._exit(0)
        os.read(said, 1)
        self._tell = tell

    def goes_on_soon(self):
        threading.Timer(0.1, os.write, [self._tell, b"!"]).start()

    def end(self):
        os.write(self._tell, b"!!")
        os.waitpid(self.pid, 0)


def written(path, text):
    with open(path, "a") as file:
        file.write(text)


@pytest.mark.parametrize(
    "make", [keras.callbacks.BackupAndRestore, keras.callbacks.CSVLogger, lambda path: keras.callbacks.ModelCheckpoint(
        f"{path}.keras", save_freq=2)], ids=["BackupAndRestore", "CSVLogger", "ModelCheckpoint of batches"],
)  # fmt: skip
def test_a_place_is_a_trials_until_its_end(tmp_path, make):
    def other_trial(wait):
        turns = Turns(tmp_path / "lock", is_read=False)
        with turns.taken([make(tmp_path / "place")]):
            wait()
        written(tmp_path / "order", "other")
        turns.end()

    other, turns = Other(other_trial), Turns(tmp_path / "lock", is_read=False)
    other.goes_on_soon()
    with turns.taken([make(tmp_path / "place")]), turns.taken([make(tmp_path / "place")]):
        assert (tmp_path / "order").read_text() == "other"
    turns.end()
    other.end()


def test_other_places_and_other_callbacks_are_not_waited_for(tmp_path):
    def other_trial(wait):
        with Turns(tmp_path / "lock", is_read=True).taken([keras.callbacks.CSVLogger(tmp_path / "one")]):
            wait()

    other, turns = Other(other_trial), Turns(tmp_path / "lock", is_read=True)
    with turns.taken([keras.callbacks.CSVLogger(tmp_path / "another"), keras.callbacks.TensorBoard(tmp_path / "one")]):
        other.end()


class Kept(keras.callbacks.ModelCheckpoint):
    def on_epoch_end(self, epoch, logs=None):
        self.write()


def test_a_checkpoint_that_nobody_reads_is_waited_for_each_time_that_it_is_written(tmp_path):
    def other_trial(wait):
        callback = Kept(tmp_path / "best.keras")
        callback.write = lambda: (wait(), written(tmp_path / "order", "other"))
        with Turns(tmp_path / "lock", is_read=False).taken([callback]):
            callback.on_epoch_end(0)
            wait()  # the trial goes on

    other, callback = Other(other_trial), Kept(tmp_path / "best.keras")
    callback.write = lambda: written(tmp_path / "order", " and mine")
    other.goes_on_soon()
    with Turns(tmp_path / "lock", is_read=False).taken([callback]):
        callback.on_epoch_end(0)
    assert (tmp_path / "order").read_text() == "other and mine"
    assert "on_epoch_end" not in vars(callback)
    other.end()


def test_trials_that_want_each_others_places_go_on_with_a_warning(tmp_path):
    one, another = (keras.callbacks.CSVLogger(tmp_path / name) for name in ("one", "another"))

    def other_trial(wait):
        turns = Turns(tmp_path / "lock", is_read=True)
        with turns.taken([one]):
            wait()
            with warnings.catch_warnings(record=True) as said, turns.taken([another]):
                warnings.simplefilter("always")
            written(tmp_path / "order", "warned" if said else "waited")
        turns.end()

    other, turns = Other(other_trial), Turns(tmp_path / "lock", is_read=True)
    with turns.taken([another]):
        other.goes_on_soon()
        with warnings.catch_warnings(record=True) as said, turns.taken([one]):
            warnings.simplefilter("always")
    turns.end()
    other.end()
    assert [bool(said), (tmp_path / "order").read_text() == "warned"].count(True) == 1


PROGRAM = """
import keras, numpy as np, keras_tuner as kt
x = np.random.default_rng(0).random((40, 2)).astype("float32")
y = (x.sum(axis=1, keepdims=True) > 1).astype("float32")

class Reading(kt.HyperModel):
    def build(self, hp):
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(hp.Choice("units", [3, 4, 5, 6])),
                                  keras.layers.Dense(1, "sigmoid")])
        model.compile(keras.optimizers.SGD(0.1), "binary_crossentropy", run_eagerly=True)
        return model

    def fit(self, hp, model, *args, callbacks=(), **kwargs):
        kept = [keras.callbacks.ModelCheckpoint("best.weights.h5", save_weights_only=True, save_best_only=True),
                keras.callbacks.CSVLogger("log.csv"), keras.callbacks.BackupAndRestore("backup")]
        history = model.fit(*args, callbacks=[*callbacks, *kept], **kwargs)
        lines = open("log.csv").read().splitlines()
        assert len(lines) == 4 and not __import__("os").path.exists("backup")
        model.load_weights("best.weights.h5")
        again = model.evaluate(x, y, verbose=0)
        assert abs(again - min(history.history["val_loss"])) < 1e-5, (again, history.history)
        return again

tuner = kt.GridSearch(Reading(), "val_loss", directory="out", project_name="p")
tuner.search(x, y, epochs=3, validation_data=(x, y), verbose=0)
assert [t.status for t in tuner.oracle.trials.values()] == ["COMPLETED"] * 4, tuner.oracle.trials
"""


@pytest.mark.slow
def test_what_fit_reads_again_is_what_its_own_trial_has_written(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    run_python("-m", "tuning.keras_tuner", "program.py", folder=tmp_path, TUNE_WORKERS="2")
