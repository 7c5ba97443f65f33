"""The command is killed, interrupted, and started twice. Real processes, real signals; many more kills are in
`tests/tuning/driver/test_failures_drivers.py`.
"""

import json
import signal
import time

import pytest

from tests.conftest import SPACES
from tests.processes import are_gone, busy_space, finished, is_sound, records, tune, wait_until, workers_of

pytestmark = pytest.mark.slow

COMMAND = ["run", SPACES / "curve.py", "--seed", "0", "--json", "--epochs", "9", "--study", "s", "--workers", "2"]
ENGINES = {"random": ["--engine", "random", "--trials", "8"], "hyperband": ["--engine", "hyperband"]}


def start(folder, engine, seconds=0.02):
    return tune(*COMMAND, *ENGINES[engine], cwd=folder, env={"CURVE_EPOCH_SECONDS": str(seconds)})


def results(process):
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return [{k: v for k, v in trial.items() if k != "seconds"} for trial in json.loads(out)["trials"]]


def database(folder):
    return folder / "logs" / "s" / "trials.db"


def test_killed_and_run_again_it_goes_on_where_it_was(tmp_path):
    process = start(tmp_path, "hyperband", seconds=0.05)
    wait_until(lambda: finished(records(database(tmp_path))))
    workers = workers_of(process.pid)
    process.kill()
    process.communicate()
    assert len(workers) == 2 and are_gone(workers, 5)
    assert is_sound(database(tmp_path))
    before = finished(records(database(tmp_path)))
    trials = results(start(tmp_path, "hyperband"))
    assert before.items() <= records(database(tmp_path)).items()
    assert [t["number"] for t in trials] == list(range(len(trials))) and {t["state"] for t in trials} == {"COMPLETED"}


def test_interrupted_it_stores_the_running_trials_and_says_how_to_go_on(tmp_path):
    process = start(tmp_path, "random", seconds=0.05)
    wait_until(lambda: len(records(database(tmp_path))) >= 3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130 and out == ""
    assert "The same command goes on where it was" in err.strip().splitlines()[-1]
    assert "Traceback" not in err
    resumed = results(start(tmp_path, "random"))
    assert [t["state"] for t in resumed] == 8 * ["COMPLETED"]
    assert all(t["epochs"] == 9 for t in resumed)


def test_a_second_command_is_refused_in_one_line(tmp_path):
    first = start(tmp_path, "random", seconds=1)
    wait_until(lambda: records(database(tmp_path)))
    begun = time.monotonic()
    out, err = start(tmp_path, "random").communicate(timeout=30)
    assert out == "" and len(err.splitlines()) == 1
    assert err.startswith(f"error: study 's' is being searched by process {first.pid} on ")
    assert time.monotonic() - begun < 5
    first.kill()
    first.communicate()


def test_the_silence_limit_of_a_command_ends_what_is_hung(tmp_path):
    command = ["run", busy_space(tmp_path, "time.sleep(1000)"), "--engine", "random", "--trials", "1", "--workers", "1"]
    process = tune(*command, "--silence-limit", "1s", cwd=tmp_path)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1 and "reported nothing for 1 s" in err and "Traceback" not in err
