"""A program that is killed, and run again: what had ended is kept, and both sides tell the same."""

import json
import os
import random
import runpy
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.tuning.keras_tuner.conftest import run_python, studies
from tuning.records.trial import State

PROGRAM = """
import sys, time
import keras_tuner as kt

class BlackBox(kt.Tuner):
    def run_trial(self, trial, *args, **kwargs):
        value = trial.hyperparameters.Float("a", -1.0, 1.0) + trial.hyperparameters.Int("b", 0, 999)
        time.sleep(0.005)
        with open("trained.txt", "a") as file:
            file.write(trial.trial_id + "\\n")
        return value

oracle = kt.oracles.RandomSearchOracle(max_trials=int(sys.argv[1]), seed=3)
BlackBox(oracle=oracle, directory="out", project_name="p").search(verbose=0)
open("done.txt", "w").close()
"""


def ended(folder):
    """Return the trials that KerasTuner's files say have ended, with their scores."""
    found = {}
    for path in folder.glob("out/p/trial_*/trial.json"):
        record = json.loads(path.read_text())
        if record["status"] == "COMPLETED":
            found[record["trial_id"]] = record["score"]
    return found


def agrees(folder, max_trials):
    """Check that study and oracle tell the same of each trial."""
    ((study, n_trials),) = studies(folder / "out").values()
    assert len(study.trials) == n_trials == max_trials
    assert {trial.state for trial in study.trials} == {State.COMPLETED}
    assert {trial.runs[-1].note["trial"]: trial.score for trial in study.trials} == ended(folder)


@pytest.mark.slow
@pytest.mark.parametrize("n_kills", [3, pytest.param(30, marks=pytest.mark.exhaustive)])
def test_killed_at_any_instant_no_ended_trial_is_lost_or_trained_again(tmp_path, n_kills):
    (tmp_path / "program.py").write_text(PROGRAM)
    call = f"from tests.tuning.keras_tuner import test_kills; test_kills.kill({n_kills})"
    run_python("-c", call, folder=tmp_path, TUNE_WORKERS="1")
    agrees(tmp_path, max_trials=10 * n_kills)


def kill(n_kills):
    """Run the program of this folder and kill it at random, so many times, and then to its end; check each time.

    It runs in forks of this process, which has imported everything: a kill is as hard, and costs no import.
    """
    import alembic.command  # noqa: F401
    import optuna  # noqa: F401

    import tuning.keras_tuner
    import tuning.storage.store  # noqa: F401

    here, draws, known, kills = Path.cwd(), random.Random(n_kills), {}, 0
    trained, done = here / "trained.txt", here / "done.txt"
    trained.touch()
    while not done.exists():
        n_trained = len(trained.read_text().split())
        program = forked(max_trials=10 * n_kills)  # more than it gets to between so many kills
        if kills < n_kills:
            wait = time.monotonic() + 120
            while len(ended(here)) == len(known) and time.monotonic() < wait:
                time.sleep(0.01)
            time.sleep(draws.random() * 0.3)
            os.kill(program, signal.SIGKILL)
            kills += 1
        status = os.waitpid(program, 0)[1]
        assert os.waitstatus_to_exitcode(status) in (0, -signal.SIGKILL)
        now = ended(here)
        assert known.items() <= now.items()
        assert not known.keys() & set(trained.read_text().split()[n_trained:])  # only what was under way
        known = now
    print(f"{kills} kills, {len(trained.read_text().split())} trainings of {len(known)} trials")
    assert kills == n_kills


def forked(max_trials):
    """Run the program in a fork of this process; return its id."""
    program = os.fork()
    if program == 0:
        sys.argv, code = ["program.py", str(max_trials)], 1
        try:
            runpy.run_path("program.py", run_name="__main__")
            code = 0
        finally:
            os._exit(code)
    return program


@pytest.mark.medium
@pytest.mark.parametrize("place", ["oracle", "tuner", "study"])
def test_killed_between_two_writes_the_others_are_repaired(tuners, tmp_path, monkeypatch, place):
    """The file of a trial says that it has ended; what is written next does not."""
    from tuning.storage.store import Store

    class Killed(BaseException):
        pass

    trained = []

    class BlackBox(tuners.Tuner):
        def run_trial(self, trial, *args, **kwargs):
            trained.append(trial.trial_id)
            return trial.hyperparameters.Float("a", 0, 1) + trial.hyperparameters.Int("b", 0, 99)

    def search():
        oracle = tuners.oracles.RandomSearchOracle(max_trials=5, seed=1)
        tuner = BlackBox(oracle=oracle, directory="out", project_name="p")
        tuner.search(verbose=0)
        return tuner

    writers = {"oracle": (tuners.Oracle, "save"), "tuner": (tuners.Tuner, "save"), "study": (Store, "close_trial")}
    owner, name = writers[place]
    genuine = getattr(owner, name)

    def dies(*args):
        if len(trained) == 3:
            raise Killed
        return genuine(*args)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, dies)
        with pytest.raises(Killed):
            search()
    tuner = search()
    assert sorted(trained) == ["0", "1", "2", "3", "4"]  # none of them twice
    ((study, n_trials),) = studies("out").values()
    told = [tuner.oracle.trials[trial.runs[-1].note["trial"]].score for trial in study.trials]
    assert n_trials == 5 and [trial.score for trial in study.trials] == told
    assert {t.state for t in study.trials} == {State.COMPLETED}
