"""Records of earlier versions are read, those of later ones refused; see also tests/test_golden_studies.py."""

import json
import shutil
import sqlite3

import pytest

import tuning
from tests.conftest import ROOT
from tuning.errors import StudyError
from tuning.records.definition import VERSION
from tuning.storage.store import Store

GOLDEN = ROOT / "tests" / "golden" / "studies"


@pytest.fixture
def copied(tmp_path):
    """Return a function that copies a study of version 1 and changes its stored definition, or each trial."""

    def copy(name="random", of_trials=False, **changes):
        shutil.copytree(GOLDEN / name, tmp_path / name)
        table = "trial_user_attributes" if of_trials else "study_user_attributes"
        with sqlite3.connect(tmp_path / name / "trials.db") as connection:
            for row, text in connection.execute(
                f"SELECT rowid, value_json FROM {table} WHERE key = 'tuning'"
            ).fetchall():
                changed = json.dumps({**json.loads(text), **changes})
                connection.execute(f"UPDATE {table} SET value_json = ? WHERE rowid = ?", (changed, row))
        return tmp_path / name

    return copy


def versions(path):
    with sqlite3.connect(path / "trials.db") as connection:
        tables = ("study_user_attributes", "trial_user_attributes")
        return [
            [json.loads(text).get("version", 1) for (text,) in connection.execute(
                f"SELECT value_json FROM {table} WHERE key = 'tuning'")]
            for table in tables
        ]  # fmt: skip


@pytest.mark.parametrize("of_trials", [False, True])
def test_a_later_version_is_refused_in_a_line_that_names_both(copied, of_trials):
    path = copied(of_trials=of_trials, version=VERSION + 7)
    with pytest.raises(StudyError) as error:
        tuning.load(path)
    assert f"version {VERSION} or earlier, but it is of version {VERSION + 7}" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.medium
def test_the_command_refuses_it_in_one_line(copied, tune):
    path = copied(version=VERSION + 1)
    done = tune("show", path)
    assert done.returncode == 1 and f"version {VERSION + 1}" in done.stderr and "Traceback" not in done.stderr


def test_a_key_that_is_not_known_is_named(copied):
    with pytest.raises(StudyError, match="its definition has colour"):
        tuning.load(copied(colour="blue"))


@pytest.mark.medium
def test_a_study_that_is_gone_on_with_is_of_this_version(copied, monkeypatch):
    monkeypatch.chdir(ROOT)
    path = copied()
    assert versions(path)[0] == [1]
    before = tuning.load(path).trials
    tuning.search(
        "tests/golden/studies/formula.py", engine="random", trials=8, seed=7, epochs=4, logs=path.parent, study="random"
    )
    (definition,), trials = versions(path)
    assert definition == VERSION and set(trials) == {1, VERSION}, "a trial is converted when it is written"
    assert tuning.load(path).trials[:4] == before[:4]


def test_reading_changes_nothing(copied):
    path = copied("folds")
    content = versions(path)
    tuning.load(path)
    assert versions(path) == content == [[1], len(content[1]) * [1]]


def test_trainings_of_version_1(tmp_path):
    for name in ("hyperband", "folds", "optuna", "halving"):
        shutil.copytree(GOLDEN / name, tmp_path / name)
        store = Store.of(tmp_path / name)
        trials, _ = store.read()
        store.close()
        for trial in trials:
            assert trial.is_divided == (name in ("folds", "halving"))
            ended = [run.until for run in trial.runs if run.ended is not None]
            if not trial.is_divided and trial.state.value in ("RUNNING", "COMPLETED"):
                assert list(trial.trainings[0].untils) == ended
            elif not trial.is_divided:
                assert list(trial.trainings[0].untils) == ended[:-1], "what was cut has not ended"
