"""SQLite files: read where nothing can be written, and found whatever their path is made of."""

import contextlib
import json
import os
import pwd
import sqlite3
import subprocess
import sys

import pytest

import tuning
from tests.conftest import SPACES

CURVE = str(SPACES / "curve.py")


@pytest.mark.medium
@pytest.mark.parametrize("name", ["a?b", "a%2Fb", "a#b", "a {b} %s c", "a&mode=ro"])
def test_a_study_lies_where_it_was_told_to(name, tmp_path):
    study = tuning.search(CURVE, engine="random", trials=2, epochs=1, seed=0, study="s", logs=tmp_path / name)
    assert len(study.trials) == 2 and len(tuning.load(tmp_path / name / "s").trials) == 2
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.fixture
def logs(tmp_path):
    """A folder with a study, which anybody may read and nobody may write to."""
    tuning.search(CURVE, engine="random", trials=3, epochs=1, seed=0, study="s", logs=tmp_path / "logs")
    yield tmp_path / "logs"
    for folder in (tmp_path / "logs", tmp_path / "logs" / "s"):
        folder.chmod(0o755)


def lock(logs):
    for folder in (logs / "s", logs):
        folder.chmod(0o555)


@pytest.fixture
def as_reader(tmp_path, tune_here):
    """Run the command as somebody who may not write there; root may everywhere."""

    def call(*arguments):
        tune_here(*arguments, "--logs", tmp_path / "logs")  # imports what it needs
        for folder in (tmp_path, *tmp_path.parents):
            if not folder.stat().st_mode & 0o001:
                folder.chmod(folder.stat().st_mode | 0o011)
        me = os.geteuid()
        try:
            os.seteuid(pwd.getpwnam("nobody").pw_uid if me == 0 else me)
            return tune_here(*arguments, "--logs", tmp_path / "logs")
        finally:
            os.seteuid(me)

    return call


def test_a_study_that_cannot_be_written_can_be_read(logs, as_reader):
    lock(logs)
    shown = as_reader("show", "s", "--json")
    assert shown.returncode == 0, shown.stderr
    assert len(json.loads(shown.stdout)["trials"]) == 3
    assert "3 completed" in as_reader("list").stdout
    assert sorted(path.name for path in (logs / "s").iterdir() if path.suffix != ".lock") == [
        "tensorboard",
        "trials.db",
    ]


def test_what_a_killed_search_has_left_in_its_log_is_read_as_well(logs, as_reader):
    kill = (
        "import os, sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1])\n"
        "connection.execute('UPDATE trials SET state = ?', ('FAIL',))\n"
        "connection.execute('UPDATE trial_user_attributes SET value_json = replace(value_json, ?, ?)', "
        "('COMPLETED', 'PRUNED'))\n"
        "connection.commit()\n"
        "os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", kill, str(logs / "s" / "trials.db")], check=True)
    assert (logs / "s" / "trials.db-wal").stat().st_size
    lock(logs)
    assert "3 pruned" in as_reader("list").stdout


def test_a_folder_that_cannot_be_looked_into_is_said(logs, as_reader):
    (logs / "s").chmod(0o700 if os.geteuid() == 0 else 0)
    listed = as_reader("list")
    assert listed.returncode == 0 and "Permission denied" in listed.stderr
    logs.chmod(0o700 if os.geteuid() == 0 else 0)
    listed = as_reader("list")
    assert listed.returncode == 1 and "error: `logs` must be a folder that can be read" in listed.stderr


def test_readers_change_nothing(logs):
    before = {path: path.stat().st_mtime_ns for path in (logs / "s").rglob("*")}
    tuning.load(logs / "s")
    after = {path: path.stat().st_mtime_ns for path in (logs / "s").rglob("*")}
    assert after.keys() <= before.keys() | {logs / "s" / f"trials.db-{name}" for name in ("wal", "shm")}
    assert all(after[path] == when for path, when in before.items() if path.suffix != ".db-shm")
    with contextlib.closing(sqlite3.connect(logs / "s" / "trials.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
