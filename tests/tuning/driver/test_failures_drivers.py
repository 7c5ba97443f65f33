"""The driver is killed at random instants and taken up again; there is one driver a study; no clock decides anything.

The searches are real processes and the signals real ones; `tests/processes.py` says how they start so fast.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

import tuning
from tests.conftest import ROOT
from tests.processes import (
    CURVE,
    Driver,
    are_gone,
    busy_space,
    finished,
    is_sound,
    outcome,
    records,
    wait_until,
    workers_of,
)
from tuning.records.trial import State
from tuning.storage.lock import holder

pytestmark = pytest.mark.slow

EPOCH = {"CURVE_EPOCH_SECONDS": "0.02"}
ENGINES = {
    "random": {"engine": "random", "trials": 12},
    "hyperband": {"engine": "hyperband"},
    "bayesian": {"engine": "bayesian", "trials": 10, "options": {"num_initial_points": 7}},
}


def arguments(folder, engine, **more):
    return {**ENGINES[engine], "epochs": 9, "seed": 0, "study": "s", "logs": folder, **more}


def hunted(folder, engine, kills, seed, workers):
    """Search to the end, killed again and again on the way; return the study."""
    draws, database = random.Random(seed), folder / "s" / "trials.db"
    settled = {}
    for _ in range(kills):
        driver = Driver(env=EPOCH, **arguments(folder, engine, workers=workers))
        driver.process.join(draws.uniform(0.02, 0.7))
        orphans = driver.kill()
        assert are_gone(orphans, 5)
        assert is_sound(database)
        now = finished(records(database))
        assert settled.items() <= now.items(), "a finished trial has changed"
        settled = now
    assert Driver(env=EPOCH, **arguments(folder, engine, workers=workers)).wait() == ""
    assert is_sound(database) and settled.items() <= records(database).items()
    return tuning.load(folder / "s", space=None)


@pytest.mark.parametrize("engine", ENGINES)
def test_killed_at_random_instants_it_ends_like_an_uninterrupted_search(engine, tmp_path, kills=10):
    straight = tuning.search(CURVE, **arguments(tmp_path / "straight", engine))
    assert outcome(hunted(tmp_path, engine, kills, seed=1, workers=1)) == outcome(straight)


@pytest.mark.parametrize("engine", ENGINES)
def test_killed_with_two_workers_the_study_is_consistent(engine, tmp_path, kills=4):
    study = hunted(tmp_path, engine, kills, seed=2, workers=2)
    assert [t.number for t in study.trials] == list(range(len(study.trials)))
    assert {t.state for t in study.trials} == {State.COMPLETED}
    assert len(study.trials) == (
        len(_straight_hyperband(tmp_path)) if engine == "hyperband" else ENGINES[engine]["trials"]
    )
    assert all(t.epochs == t.run.stop and len(t.curve) == t.epochs for t in study.trials)
    assert len({tuple(t.values.items()) for t in study.trials}) == len(study.trials)
    events = [m for t in study.trials for run in t.runs for m in (run.asked, run.ended)]
    assert sorted(events) == sorted(set(events)), "every event has a place of its own"


def _straight_hyperband(folder):
    return tuning.search(CURVE, **arguments(folder / "straight", "hyperband")).trials


@pytest.mark.exhaustive
@pytest.mark.parametrize("engine", ENGINES)
def test_killed_very_often(engine, tmp_path):
    test_killed_at_random_instants_it_ends_like_an_uninterrupted_search(engine, tmp_path, kills=34)
    test_killed_with_two_workers_the_study_is_consistent(engine, tmp_path / "two", kills=20)


# Orphans ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("statement", ["time.sleep(1000)", "sum(range(10**12))"])
def test_no_worker_outlives_a_killed_driver(statement, tmp_path):
    space = busy_space(tmp_path, statement)  # the second keeps every other thread of the worker from running
    driver = Driver(space, engine="random", trials=4, study="s", logs=tmp_path, workers=2)
    wait_until(lambda: len(records(tmp_path / "s" / "trials.db")) == 2)
    time.sleep(0.3)
    assert len(workers_of(driver.pid)) == 2
    assert are_gone(driver.kill(), 5)


def test_a_driver_killed_while_its_workers_start_leaves_none(tmp_path):
    for wait in (0.0, 0.05, 0.1, 0.15, 0.2, 0.25):
        driver = Driver(env=EPOCH, **arguments(tmp_path, "random", workers=2))
        time.sleep(wait)
        assert are_gone(driver.kill(), 5)
    assert not [
        line for line in _process_list() if "tuning.executors.worker" in line and f" {os.getpid()} " not in line
    ]


def _process_list():
    return subprocess.run(["ps", "-eo", "ppid,args"], capture_output=True, text=True, check=True).stdout.splitlines()


# One driver a study ---------------------------------------------------------------------------------------


def test_a_second_driver_is_refused_and_a_killed_one_gives_way_at_once(tmp_path):
    first = Driver(env={"CURVE_EPOCH_SECONDS": "0.2"}, **arguments(tmp_path, "random", workers=2))
    wait_until(lambda: len(records(tmp_path / "s" / "trials.db")) >= 2)
    before = records(tmp_path / "s" / "trials.db")
    refused = Driver(**arguments(tmp_path, "random")).wait()
    host = holder()["host"]
    assert refused.startswith(f"StudyError: study 's' is being searched by process {first.pid} on {host}. Wait until")
    assert "is being searched" in Driver(**arguments(tmp_path, "random", overwrite=True, seed=1)).wait()
    assert before.keys() <= records(tmp_path / "s" / "trials.db").keys()
    first.kill()
    assert Driver(**arguments(tmp_path, "random")).wait() == ""


def test_a_stopped_driver_keeps_its_study(tmp_path):
    first = Driver(env={"CURVE_EPOCH_SECONDS": "0.05"}, **arguments(tmp_path, "random", workers=2, silence_limit=1))
    wait_until(lambda: len(records(tmp_path / "s" / "trials.db")) >= 3)
    first.send(signal.SIGSTOP)
    assert "is being searched by process" in Driver(**arguments(tmp_path, "random")).wait()
    time.sleep(1.5)
    first.send(signal.SIGCONT)
    assert first.wait() == "", "its workers waited for its answers"
    assert all(t.state is State.COMPLETED and t.trainings[0].lost == 0 for t in tuning.load(tmp_path / "s").trials)


def jumping_clock():
    """Make the wall clock useless: years ahead, years behind, at every look."""
    draws, genuine = random.Random(0), time.time
    time.time = lambda: genuine() + draws.uniform(-1e8, 1e8)


def test_no_clock_decides_who_drives_or_when_it_ends(tmp_path):
    slow = {"CURVE_EPOCH_SECONDS": "0.1"}
    first = Driver(env=slow, before=jumping_clock, **arguments(tmp_path, "random", workers=2, silence_limit=5))
    wait_until(lambda: len(records(tmp_path / "s" / "trials.db")) >= 2)
    second = Driver(before=jumping_clock, **arguments(tmp_path, "random"))
    assert "is being searched by process" in second.wait()
    first.kill()
    begun = time.monotonic()
    limited = Driver(env=slow, before=jumping_clock, **arguments(tmp_path, "random", time_limit=1.0))
    assert limited.wait() == "" and time.monotonic() - begun < 5
    assert any(not t.state.is_finished for t in tuning.load(tmp_path / "s").trials)
    assert Driver(before=jumping_clock, **arguments(tmp_path, "random", silence_limit=5)).wait() == ""
    straight = tuning.search(CURVE, **arguments(tmp_path / "straight", "random"))
    assert outcome(tuning.load(tmp_path / "s")) == outcome(straight)


# Programs of the user --------------------------------------------------------------------------------------

SCRIPT = """
import tuning, numpy
SHIFT = 0.25
def shifted(value): return value - SHIFT
def build_model(hp): return hp.Float("a", 0, 1)
class Mine(tuning.SearchSpace):
    name, objective = "mine", "loss:min"
    def build(self, hp): return build_model(hp)
    def fit(self, hp, model, x, **_): return shifted(model) ** 2
study = tuning.search(Mine(), numpy.arange(3.0), engine="random", trials=6, epochs=1, seed=0, workers=2, logs="logs")
print(study.to_json()["trials"][0]["state"], len(study.trials))
"""


@pytest.mark.parametrize("how", ["script", "notebook"])
def test_a_space_defined_in_a_program_works_with_workers(how, tmp_path):
    program = tmp_path / "mine.py"
    text = (
        f"import json\nexec(json.loads({json.dumps(json.dumps(SCRIPT))!s}), globals())" if how == "notebook" else SCRIPT
    )
    program.write_text(text)
    done = subprocess.run(
        [sys.executable, program], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stdout == "COMPLETED 6\n", done.stderr
