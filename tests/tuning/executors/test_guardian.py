"""What a trial has started: it neither hides the end of its worker nor outlives it or the driver."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from tests.contracts.executor import Scripted, task
from tests.layers import few
from tests.processes import Driver, are_gone, wait_until
from tests.tuning.executors.test_processes import OPEN, heard_until, pid_of, started
from tuning.executors.guardian import MARK, end_descendants
from tuning.executors.patience import LEAST_SECONDS, PAUSE_SECONDS, Patience
from tuning.training.messages import Lost, Report

SLEEP = [sys.executable, "-c", "import time; time.sleep(100)"]

WAYS = {
    "forked": lambda: multiprocessing.get_context("fork").Process(target=time.sleep, args=(100,)).start(),
    "by a shell": lambda: os.system("sleep 100 &"),
    "started": lambda: subprocess.Popen(SLEEP),
    "inheriting": lambda: subprocess.Popen(SLEEP, close_fds=False),
    "own session": lambda: subprocess.Popen(SLEEP, start_new_session=True),
    "bare": lambda: subprocess.Popen(["/bin/sleep", "100"], env={}),
}


@pytest.fixture(autouse=True)
def _close_all():
    yield
    while OPEN:
        OPEN.pop().close()


class Parent(Scripted):
    """Starts a process, reports, and then does what it was made for."""

    def __init__(self, way, then=lambda: time.sleep(100)):
        super().__init__()
        self.way, self.then = way, then

    def fit(self, hp, model, x, *, callbacks=(), **_):
        self.way()
        (child,) = psutil.Process().children(recursive=True) or self.adopted()
        callbacks[0].on_epoch_end(0, {"score": 1.0, "pid": os.getpid(), "child": child.pid})
        self.then()

    @staticmethod
    def adopted():
        """Return what a shell has left behind, which has another parent now."""
        mark = os.environ[MARK]
        return [p for p in psutil.process_iter(["name"]) if p.info["name"] == "sleep" and _mark(p) == mark]


def die():
    os.kill(os.getpid(), signal.SIGKILL)  # as the system does when memory runs out


@pytest.mark.medium
@pytest.mark.parametrize("way", few(WAYS))
def test_a_worker_that_dies_is_noticed_though_what_it_started_lives(way):
    executor = started(Parent(WAYS[way], die), slots=1)
    executor.submit(task())
    heard = heard_until(executor, lambda m: isinstance(m, Lost))
    assert heard[-1] == Lost(0, "its worker process died: killed by signal 9")
    assert are_gone([psutil.Process(int(m.metrics["child"])) for m in heard[:-1] if _is_there(m)], 1)


@pytest.mark.medium
@pytest.mark.parametrize(
    ("system", "how"), [("without waitid", "killed by signal 9"), ("that buries children", "exit code 0")]
)
def test_a_worker_that_dies_is_noticed_on_a_system(system, how, monkeypatch):
    executor = started(Parent(WAYS["by a shell"], die), slots=1)
    before = signal.getsignal(signal.SIGCHLD)
    if system == "without waitid":  # macOS before Python 3.13
        monkeypatch.delattr(os, "waitid")
    else:  # as whoever started this process may have told it to
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        executor.submit(task())
        heard = heard_until(executor, lambda m: isinstance(m, Lost))
        OPEN.pop().close()
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert heard[-1] == Lost(0, f"its worker process died: {how}")
    assert are_gone([psutil.Process(int(m.metrics["child"])) for m in heard[:-1] if _is_there(m)], 1)


def _is_there(report):
    return psutil.pid_exists(int(report.metrics["child"]))


@pytest.mark.medium
@pytest.mark.parametrize("way", ["by a shell", "own session"])
def test_a_closed_executor_leaves_nothing_of_a_trial(way):
    executor = started(Parent(WAYS[way]), slots=1)
    executor.submit(task())
    report = heard_until(executor, lambda m: isinstance(m, Report))[0]
    child = psutil.Process(int(report.metrics["child"]))
    executor.close()
    assert are_gone([child], 0.1)


PROGRAM = """
import multiprocessing, os, subprocess, time
from tuning import Data, SearchSpace
class Parent(SearchSpace):
    objective = 'score:max'
    def build(self, hp): hp.Float('a', 0, 1)
    def fit(self, hp, model, x, *, epochs, callbacks=(), **_):
        if epochs > 1:
            multiprocessing.get_context('fork').Process(target=time.sleep, args=(100,)).start()
            subprocess.Popen(['sleep', '100'], start_new_session=True)
            os.system('sleep 100 &')
            {then}
        callbacks[0].on_epoch_end(0, {{'score': 1.0}})
    def load_data(self): return Data([1.0])
"""


def descendants(pid):
    """Return all processes with a mark of the driver's workers, whoever their parent is now."""
    workers = psutil.Process(pid).children()
    marks = {w.environ().get(MARK) for w in workers} - {None}
    return [p for p in psutil.process_iter() if _mark(p) in marks]


def _mark(process):
    try:
        return process.environ().get(MARK)
    except psutil.Error:
        return None


@pytest.mark.slow
def test_a_killed_driver_leaves_nothing_of_its_trials(tmp_path):
    space = tmp_path / "parent.py"
    space.write_text(PROGRAM.format(then="time.sleep(100)"))
    driver = Driver(str(space), engine="random", trials=2, epochs=2, study="s", logs=tmp_path, workers=2)
    wait_until(lambda: len(descendants(driver.pid)) == 8)  # two workers, and three each
    found = descendants(driver.pid)
    driver.kill()
    assert are_gone(found, 5)


def test_only_what_has_the_mark_is_ended():
    ours, other = (subprocess.Popen(SLEEP, env={**os.environ, MARK: mark}) for mark in ("a-1-", "b-1-"))
    try:
        wait_until(lambda: all(_mark(psutil.Process(p.pid)) is not None for p in (ours, other)))
        end_descendants((), "a-")
        assert ours.wait(5) == -signal.SIGKILL and other.poll() is None
    finally:
        other.kill()
        other.wait()


@pytest.mark.medium
def test_workers_and_what_they_start_take_stops_as_they_should():
    class Stopped(Scripted):
        def fit(self, hp, model, x, *, callbacks=(), **_):
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                os.kill(os.getpid(), number)
            forked = multiprocessing.get_context("fork").Process(target=time.sleep, args=(100,))
            forked.start()
            helper = subprocess.Popen(SLEEP)
            forked.terminate()
            helper.terminate()
            forked.join()
            codes = {"forked": forked.exitcode, "helper": helper.wait()}
            callbacks[0].on_epoch_end(0, {"score": 1.0, "pid": os.getpid(), **codes})

    executor = started(Stopped(), slots=1)
    executor.submit(task())
    report = heard_until(executor, lambda m: isinstance(m, Report))[0]
    assert report.metrics["forked"] == report.metrics["helper"] == -signal.SIGTERM
    assert pid_of(report) == executor._workers[0].pid


@pytest.mark.medium
def test_a_stop_while_a_worker_starts_does_not_end_it():
    executor = started(slots=2)
    for worker in executor._workers:
        os.kill(worker.pid, signal.SIGTERM)
    before = [worker.pid for worker in executor._workers]
    executor.submit(task())
    heard_until(executor, lambda m: not isinstance(m, Report))
    assert [worker.pid for worker in executor._workers] == before


def test_patience_follows_from_what_was_seen():
    patience = Patience()
    assert patience.limit == float("inf") and patience.pause_limit == PAUSE_SECONDS
    patience.saw(1.0)
    assert patience.limit == LEAST_SECONDS
    patience.saw(100.0)
    patience.saw(1.0)
    assert (patience.limit, patience.pause_limit) == (1000.0, 200.0)
    assert Patience(2.0).limit == Patience(2.0).pause_limit == 2.0
    assert Patience(float("inf")).limit == float("inf")
