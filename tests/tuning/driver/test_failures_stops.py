"""A whole job is stopped: driver, workers and what trials have started get the signal; and pauses with hung workers."""

import contextlib
import os
import signal
import time

import psutil
import pytest

import tuning
from tests.processes import CURVE, Driver, are_gone, busy_space, outcome, records, wait_until, workers_of
from tests.tuning.driver.test_failures_drivers import arguments
from tuning.records.trial import State

pytestmark = pytest.mark.slow

SLOW = {"CURVE_EPOCH_SECONDS": "0.05"}


def stop_all(driver, number, driver_first=True):
    """Send a signal to all processes of a search, one after the other."""
    processes = [psutil.Process(driver.pid), *psutil.Process(driver.pid).children(recursive=True)]
    for process in processes if driver_first else reversed(processes):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)
            time.sleep(0.02)


@pytest.mark.parametrize(
    ("number", "driver_first"),
    [(signal.SIGTERM, True), (signal.SIGTERM, False), (signal.SIGHUP, False), (signal.SIGKILL, False)],
)
def test_stops_of_the_whole_job_cost_no_trial_anything(number, driver_first, tmp_path):
    given = {**arguments(tmp_path, "random", workers=2), "trials": 6}
    for stop in range(2):
        before = records(tmp_path / "s" / "trials.db")
        driver = Driver(env=SLOW, **given)
        wait_until(lambda before=before: records(tmp_path / "s" / "trials.db") != before)
        time.sleep(0.1)
        stop_all(driver, number, driver_first)
        if number is signal.SIGKILL:
            driver.process.join(10)
        else:
            assert driver.wait(20) == "KeyboardInterrupt"
        trials = tuning.load(tmp_path / "s").trials
        assert not [t for t in trials if t.state is State.FAILED or t.trainings[0].lost], f"stop {stop}"
    assert Driver(**given).wait() == ""
    straight = tuning.search(CURVE, **{**given, "workers": 1, "logs": tmp_path / "straight"})
    assert outcome(tuning.load(tmp_path / "s")) == outcome(straight)


def _n_running(folder):
    return sum('"RUNNING"' in text for text in records(folder / "s" / "trials.db").values())


def _has_child(driver, name):
    for process in psutil.Process(driver.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if process.name() == name:
                return True
    return False


def test_a_trial_whose_own_process_gets_the_stop_is_trained_again(tmp_path):
    space = busy_space(tmp_path, "__import__('subprocess').run(['sleep', '30'], check=True)")
    given = {"engine": "random", "trials": 1, "epochs": 2, "seed": 0, "study": "s", "logs": tmp_path, "workers": 2}
    driver = Driver(space, **given)
    wait_until(lambda: _has_child(driver, "sleep"))
    stop_all(driver, signal.SIGTERM)
    assert driver.wait(20) == "KeyboardInterrupt"
    assert [t.state for t in tuning.load(tmp_path / "s").trials] == [State.RUNNING]
    assert Driver(space, env={"CALM": "1"}, **given).wait() == ""
    assert [t.state for t in tuning.load(tmp_path / "s").trials] == [State.COMPLETED]


def test_the_same_stop_twice_at_once_is_one(tmp_path):
    driver = Driver(env={"CURVE_EPOCH_SECONDS": "0.4"}, **arguments(tmp_path, "random", workers=2))
    wait_until(lambda: _n_running(tmp_path))
    for _ in range(2):
        os.kill(driver.pid, signal.SIGTERM)
    assert driver.wait(20) == "KeyboardInterrupt"
    paused = [t for t in tuning.load(tmp_path / "s").trials if t.state is State.RUNNING]
    assert paused and all(t.epochs for t in paused), "their epochs were waited for"


@pytest.mark.parametrize("how", ["signal", "time"])
def test_a_pause_does_not_wait_for_the_hung(how, tmp_path):
    space = busy_space(tmp_path, "time.sleep(1000)")
    given = {"engine": "random", "trials": 4, "epochs": 2, "seed": 0, "study": "s", "logs": tmp_path, "workers": 2}
    driver = Driver(space, before=impatient if how == "signal" else out_of_time, **given)
    wait_until(lambda: _n_running(tmp_path) == 2)
    workers = workers_of(driver.pid)
    if how == "signal":
        driver.send(signal.SIGINT)
    assert driver.wait(20) == ("KeyboardInterrupt" if how == "signal" else "")
    assert are_gone(workers, 1)
    assert Driver(space, env={"CALM": "1"}, **given).wait() == ""
    assert [t.state for t in tuning.load(tmp_path / "s").trials] == 4 * [State.COMPLETED]


def impatient():
    """Have a pause, and whoever stops a job, wait for a second only, where epochs are short."""
    from tuning.driver import interruption
    from tuning.executors import patience

    patience.PAUSE_SECONDS = interruption.PATIENCE_SECONDS = 1.0


@pytest.mark.parametrize("in_process", [True, False])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_epoch_without_an_end_is_ended(number, in_process, tmp_path):
    space = tmp_path / "endless.py"
    space.write_text(
        "import itertools, keras, numpy\nfrom tuning import Data, SearchSpace\n"
        "class Endless(SearchSpace):\n"
        "    objective = 'loss'\n"
        "    def build(self, hp):\n"
        "        model = keras.Sequential([keras.layers.Dense(hp.Int('units', 1, 3)), keras.layers.Dense(1)])\n"
        "        model.compile('sgd', 'mse')\n"
        "        return model\n"
        "    def load_data(self):\n"
        "        return Data(lambda: ((numpy.ones((4, 2)), numpy.ones((4, 1))) for _ in itertools.count()))\n"
    )
    given = {"engine": "random", "trials": 1, "epochs": 2, "seed": 0, "study": "s", "logs": tmp_path}
    driver = Driver(str(space), before=impatient, **given, in_process=in_process)
    wait_until(lambda: _n_running(tmp_path), 120)
    time.sleep(2)
    driver.send(number)
    if number is signal.SIGINT and in_process:  # the first asks for the end of the epoch
        time.sleep(2)
        driver.send(number)
    assert driver.wait(60) == "KeyboardInterrupt"
    assert [t.state for t in tuning.load(tmp_path / "s").trials] == [State.RUNNING]


def out_of_time():
    """Let the time be over as soon as two trials are under way, however long that took."""
    from tuning.driver.loop import Search

    def start_runs(search, original=Search.start_runs):
        if len(search._under_way) == 2 and search.deadline is None:
            search.deadline = time.monotonic()
        return original(search)

    impatient()
    Search.start_runs = start_runs
