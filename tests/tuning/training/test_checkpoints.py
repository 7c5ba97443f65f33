"""Checkpoints on disk: whole or not at all, and no more of them than needed."""

import multiprocessing
import os
import random
import signal
import time
from dataclasses import replace

import h5py
import numpy as np
import pytest

from tuning.errors import StudyError
from tuning.records.objective import Objective
from tuning.records.trial import Run
from tuning.training import checkpoints, models, progress
from tuning.training.checkpoints import stem
from tuning.training.messages import Decision, Task


class Weights:
    """A model that writes one byte a thousand times over, in pieces."""

    def __init__(self, byte):
        self.byte = byte

    def save_weights(self, path):
        with open(path, "wb", buffering=0) as file:
            for _ in range(100):
                file.write(bytes([self.byte]) * 1000)


def _save_for_ever(path):
    while True:
        for byte in range(256):
            checkpoints.save(Weights(byte), path)


@pytest.mark.medium
def test_a_file_is_whole_whenever_its_writer_is_killed(tmp_path):
    path = checkpoints.best_path(tmp_path, stem(3))
    draws = random.Random(0)
    seen = set()
    for _ in range(15):
        process = multiprocessing.get_context("fork").Process(target=_save_for_ever, args=(path,))
        process.start()
        while not path.exists():
            time.sleep(0.001)
        time.sleep(draws.uniform(0, 0.05))
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        content = path.read_bytes()
        assert len(content) == 100_000 and len(set(content)) == 1
        seen.add(content[0])
        assert len(list(tmp_path.iterdir())) <= 2, "drafts do not pile up"
    assert len(seen) > 1
    checkpoints.prune(tmp_path, [3], lambda *_: None)
    assert list(tmp_path.iterdir()) == [path], "and are cleaned away"


def test_what_cannot_be_written_is_an_error_that_says_what_to_do(tmp_path):
    class Full(Weights):
        def save_weights(self, path):
            super().save_weights(path)
            raise OSError(28, "No space left on device")

    path = checkpoints.best_path(tmp_path, stem(0))
    checkpoints.save(Weights(1), path)
    with pytest.raises(
        StudyError, match="trial_0000.best.weights.h5 could not be written: .*No space left.*same command"
    ):
        checkpoints.save(Full(2), path)
    assert path.read_bytes()[0] == 1 and list(tmp_path.iterdir()) == [path]


def test_the_epoch_before_stays_until_it_is_deleted(tmp_path):
    for epochs in (3, 6, 9):
        checkpoints.save_epoch(Weights(1), tmp_path, stem(7), epochs)
    checkpoints.save_epoch(Weights(1), tmp_path, stem(70), 3)
    assert len(list(tmp_path.iterdir())) == 4
    checkpoints.delete_other_epochs(tmp_path, stem(7), 6)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "trial_0007.epoch_6.weights.h5",
        "trial_0070.epoch_3.weights.h5",
    ]


def test_only_what_is_needed_is_kept(tmp_path):
    checkpoints.prune(tmp_path / "absent", [1], lambda *_: None)
    for number in range(5):
        checkpoints.save(Weights(1), checkpoints.best_path(tmp_path, stem(number)))
        for epochs in (1, 3, 9):
            checkpoints.save_epoch(Weights(1), tmp_path, stem(number), epochs)
    (tmp_path / "mine.weights.h5").write_text("not ours")
    (tmp_path / "trial_0001.best.tmp.weights.h5").write_text("a draft of a worker that was killed")
    (tmp_path / "trial_0004.best.tmp.weights.h5").write_text("a draft of a worker that is at work")
    checkpoints.prune(tmp_path, [1, 2], lambda number, _: {4: 3}.get(number))
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "mine.weights.h5",
        "trial_0001.best.weights.h5",
        "trial_0002.best.weights.h5",
        "trial_0004.best.tmp.weights.h5",
        "trial_0004.best.weights.h5",
        "trial_0004.epoch_3.weights.h5",
        "trial_0004.epoch_9.weights.h5",
    ]


def _model():
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.compile("sgd", "mse")
    return model


class _Killed(BaseException):
    """As if worker and driver were killed at this place."""


@pytest.mark.parametrize("is_old", [False, True], ids=["of this version", "of an earlier version"])
def test_a_kill_between_the_best_epochs_file_and_its_record_leaves_the_recorded_weights(tmp_path, monkeypatch, is_old):
    """The record says 0.7 after epoch 0; weights of 0.3 are written after epoch 1, and nobody gets to know."""
    monkeypatch.setattr(progress, "CHECKPOINT_SECONDS", 0.0)
    model, kills = _model(), False

    def report(message):
        if kills:
            raise _Killed
        return Decision.GO

    task = Task(Run(7, {}, 0, 9), 0, Objective("loss", "min"), folder=str(tmp_path))
    first = progress.Progress(model, task, report)
    model.set_weights([np.array([[0.7]])])
    first.epoch_ended({"loss": 0.7})
    recorded = replace(task, trained=1, best=0.7, best_epoch=0)
    path = checkpoints.best_path(tmp_path, stem(7))
    if is_old:
        with h5py.File(path, "a") as file:
            del file["tuning_epoch"]
    for _ in range(2):  # the second time while it is made up for the first
        kills = True
        model.set_weights([np.array([[0.3]])])
        with pytest.raises(_Killed):
            first.epoch_ended({"loss": 0.3})
        found = checkpoints.recorded_best(tmp_path, stem(7), 0)
        checkpoints.restore(model, found)
        assert model.get_weights()[0] == np.float32(0.7)
        checkpoints.prune(tmp_path, [], lambda *_: 1)  # as the search does when it goes on
        assert models.restore(model, None, recorded) is None
        first = progress.Progress(model, recorded, report)
    checkpoints.restore(model, path)
    assert model.get_weights()[0] == np.float32(0.7)
    kills = False
    model.set_weights([np.array([[0.5]])])
    first.epoch_ended({"loss": 0.5})
    assert sorted(p.name for p in tmp_path.iterdir()) == [path.name, "trial_0007.epoch_2.weights.h5"]
    assert checkpoints.epoch_in(path) == 1
