"""A trial raises because a process that it has started was killed."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import BrokenExecutor

import pytest

import tuning
from tuning.records.trial import State
from tuning.training import own_processes


def call(code):
    subprocess.run([sys.executable, "-S", "-c", code], check=True)


@pytest.mark.parametrize(
    ("code", "killed"), [("import os; os.kill(os.getpid(), 15)", True), ("raise SystemExit(3)", False)]
)
def test_a_process_that_was_killed_is_told_from_one_that_failed(code, killed):
    before = own_processes.ended()
    assert own_processes.ended() == before
    with pytest.raises(RuntimeError) as caught:
        try:
            call(code)
        except subprocess.CalledProcessError:
            raise RuntimeError("no data") from None  # as programs do
    assert own_processes.ended() != before
    assert own_processes.was_killed(caught.value) is killed


def test_a_process_is_noticed_before_it_is_buried():
    before = own_processes.ended()
    end = time.monotonic() + 30
    process = subprocess.Popen([sys.executable, "-S", "-c", "pass"])
    while own_processes.ended() == before:
        assert time.monotonic() < end
        time.sleep(0.005)
    process.wait()


def test_a_broken_pool_has_lost_a_process():
    assert own_processes.was_killed(BrokenExecutor())
    assert not own_processes.was_killed(ValueError())


class Loads(tuning.SearchSpace):
    """Has a process of its own, which is killed in the first `n` trainings, or fails by itself."""

    name, objective = "loads", "loss:min"

    def __init__(self, n, code):
        self.n, self.code, self.trained = n, code, 0

    def build(self, hp):
        hp.Float("a", 0, 1)

    def fit(self, hp, model, x, *, epochs, initial_epoch=0, callbacks=(), **_):
        if epochs > 1:  # preflight trains one
            self.trained += 1
            if self.trained <= self.n:
                call(self.code)
        for epoch in range(initial_epoch, epochs):
            for callback in callbacks:
                callback.on_epoch_end(epoch, {"loss": 1.0})

    def load_data(self):
        return tuning.Data([1.0])


@pytest.mark.medium
@pytest.mark.parametrize(
    ("n", "code", "state", "trainings"),
    [
        (1, "import os; os.kill(os.getpid(), 9)", State.COMPLETED, 2),
        (2, "import os; os.kill(os.getpid(), 9)", State.FAILED, 2),
        (1, "raise SystemExit(3)", State.FAILED, 1),
    ],
)
def test_a_run_is_trained_once_more_when_its_process_was_killed(n, code, state, trainings, tmp_path, monkeypatch):
    monkeypatch.setattr("tuning.driver.interruption.GRACE_SECONDS", 0.0)
    space = Loads(n, code)
    given = {"engine": "random", "trials": 1, "epochs": 2, "logs": tmp_path, "study": "s"}
    if state is State.FAILED:
        with pytest.raises(tuning.TuningError, match="CalledProcessError"):
            tuning.search(space, **given)
    else:
        tuning.search(space, **given)
    (trial,) = tuning.load(tmp_path / "s").trials
    assert (trial.state, space.trained) == (state, trainings)


@pytest.mark.medium
def test_a_stop_that_comes_a_moment_later_explains_what_has_failed(tmp_path, monkeypatch):
    """The trial says only that it has failed: it may be that whoever stops the search has hit its process first."""
    space = Loads(1, "raise SystemExit(3)")
    monkeypatch.setattr("tuning.driver.loop.time.sleep", lambda _: os.kill(os.getpid(), signal.SIGTERM))
    given = {"engine": "random", "trials": 1, "epochs": 2, "logs": tmp_path, "study": "s"}
    with pytest.raises(KeyboardInterrupt):
        tuning.search(space, **given)
    assert [t.state for t in tuning.load(tmp_path / "s").trials] == [State.RUNNING]
