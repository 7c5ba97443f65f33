"""Killed in the middle and run again, the search goes on where it was. Real processes, real signals."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from tests.conftest import ROOT, SPACES

ARGUMENTS = ["--seed", "0", "--json", "--epochs", "9", "--workers", "1"]  # with more, the order of trials may vary
COMMAND = [sys.executable, "-m", "tuning.cli", "run", str(SPACES / "curve.py"), *ARGUMENTS]
ENGINES = {
    "random": ["--engine", "random", "--trials", "8"],
    "hyperband": ["--engine", "hyperband"],
    "bayesian": ["--engine", "bayesian", "--trials", "8", "-o", "num_initial_points=6"],
}


def start(folder, engine):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CURVE_EPOCH_SECONDS": "0.02"}
    return subprocess.Popen(
        [*COMMAND, *ENGINES[engine], "--study", "s", "--logs", str(folder)], env=environment, cwd=folder,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )


def finished(process):
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return [{k: v for k, v in trial.items() if k != "seconds"} for trial in json.loads(out)["trials"]]


def wait_for_trials(folder, count):
    """Wait until the store has that many trials."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            with sqlite3.connect(f"file:{folder}/s/trials.db?mode=ro", uri=True) as connection:
                if connection.execute("SELECT count(*) FROM trials").fetchone()[0] >= count:
                    return
        except sqlite3.OperationalError:
            pass
        time.sleep(0.01)
    raise TimeoutError


@pytest.mark.parametrize("engine", ENGINES)
def test_killed_twice_it_ends_like_an_uninterrupted_search(engine, tmp_path):
    (tmp_path / "straight").mkdir()
    straight = start(tmp_path / "straight", engine)
    for count in (2, 5):
        process = start(tmp_path, engine)
        wait_for_trials(tmp_path, count)
        time.sleep(random.Random(count).uniform(0, 0.15))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        with sqlite3.connect(tmp_path / "s" / "trials.db") as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert finished(start(tmp_path, engine)) == finished(straight)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_stores_the_running_trial_and_says_how_to_go_on(number, tmp_path):
    process = start(tmp_path, "random")
    wait_for_trials(tmp_path, 3)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130 and out == ""
    assert "The same command goes on where it was" in err.strip().splitlines()[-1]
    assert "Traceback" not in err
    resumed = finished(start(tmp_path, "random"))
    assert [t["state"] for t in resumed] == 8 * ["COMPLETED"]
    assert all(t["epochs"] == 9 for t in resumed)
