"""Studies of newer versions, of other programs, and damaged ones: one line each, and the others are listed."""

import contextlib
import json
import shutil
import sqlite3

import pytest

import tuning
from tests.conftest import SPACES
from tuning.errors import StudyError, TuningError
from tuning.records.definition import Definition
from tuning.storage.reading import checked, parsed, understood

CURVE = str(SPACES / "curve.py")


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    logs = tmp_path_factory.mktemp("sound")
    tuning.search(CURVE, engine="random", trials=2, epochs=1, seed=0, study="s", logs=logs)
    return logs / "s"


@pytest.fixture
def study(sound, tmp_path):
    """A copy of a study that may be damaged."""
    return shutil.copytree(sound, tmp_path / "logs" / "s")


def executed(study, statement):
    with contextlib.closing(sqlite3.connect(study / "trials.db")) as connection:
        connection.execute(statement)
        connection.commit()


def edited(study, table, change):
    """Change the record of the study or of its trials."""
    with contextlib.closing(sqlite3.connect(study / "trials.db")) as connection:
        query = f"SELECT rowid, value_json FROM {table} WHERE key = 'tuning'"
        for row, document in connection.execute(query).fetchall():
            record = json.loads(document)
            record = change(record) or record
            connection.execute(f"UPDATE {table} SET value_json = ? WHERE rowid = ?", (json.dumps(record), row))
        connection.commit()


def of_study(change):
    return lambda study: edited(study, "study_user_attributes", change)


def of_trials(change):
    return lambda study: edited(study, "trial_user_attributes", change)


def overwritten(part):
    def damage(study):
        whole = (study / "trials.db").read_bytes()
        (study / "trials.db").write_bytes(part(whole))

    return damage


DAMAGES = {
    "garbage": overwritten(lambda whole: b"not a database" * 1000),
    "empty": overwritten(lambda whole: b""),
    "cut": overwritten(lambda whole: whole[: len(whole) // 2]),
    "zeros": overwritten(lambda whole: whole[:4096] + bytes(len(whole) - 4096)),
    "other tables": lambda study: executed(study, "DROP TABLE trial_user_attributes"),
    "another program's": lambda study: executed(study, "DELETE FROM study_user_attributes"),
    "no JSON": lambda study: executed(study, "UPDATE study_user_attributes SET value_json = '{'"),
    "no JSON of a trial": lambda study: executed(study, "UPDATE trial_user_attributes SET value_json = '{'"),
    "unknown field": of_study(lambda r: r.update(later=1)),
    "list": of_study(lambda r: [r]),
    "no objective": of_study(lambda r: r.pop("objective") and None),
    "kind": of_study(lambda r: r["hyperparameters"][0].update(kind="complex")),
    "epochs": of_study(lambda r: r.update(epochs="many")),
    "state": of_trials(lambda r: r.update(state="ODD")),
    "number": of_trials(lambda r: r.update(number="x")),
    "values": of_trials(lambda r: r.update(values=[1])),
    "no runs": of_trials(lambda r: r.pop("runs") and None),
    "field of a run": of_trials(lambda r: r["runs"][0].update(later=1)),
    "null trial": of_trials(lambda r: [None]),
    "folds": of_study(lambda r: r.update(cv={"a": 1})),
    "repeats": of_study(lambda r: r.update(repeats=10**30)),
    "time": of_trials(lambda r: r.update(ended_at=-1e300)),
    "late": of_trials(lambda r: r.update(started_at=1e300)),
    "seconds": of_trials(lambda r: r["trainings"][0].update(seconds=float("inf"))),
    "score": of_trials(lambda r: r["trainings"][0].update(score=float("nan"))),
    "numbers": of_trials(lambda r: r["trainings"][0]["curve"].update(numbers="AAAA")),
    "no base64": of_trials(lambda r: r["trainings"][0]["curve"].update(numbers="?")),
    "half an epoch": of_trials(lambda r: r["trainings"][0]["curve"]["names"].extend("xyz")),
    "metric": of_trials(lambda r: r["trainings"][0].update(curve={"names": [1], "numbers": "AAAAAAAAAAA="})),
    "best epoch": of_trials(lambda r: r["trainings"][0].update(best_epoch=7)),
    "counted": of_trials(lambda r: r.update(counted=[[]])),
    "scores": of_trials(lambda r: r.update(scores=["x"])),
    "resources": of_trials(lambda r: r.update(resources={"n_params": "x"})),
    "found": of_trials(lambda r: r.update(found=["x"])),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_study_that_cannot_be_read_is_an_error_in_one_line(damage, study):
    DAMAGES[damage](study)
    with pytest.raises(TuningError) as error:
        tuning.load(study)
    assert "\n" not in str(error.value) and len(str(error.value)) < 600


def test_the_others_are_listed(study, sound, tune_here):
    DAMAGES["state"](study)
    shutil.copytree(sound, study.parent / "t")
    executed(study.parent / "t", "UPDATE studies SET study_name = 't'")
    edited(study.parent / "t", "study_user_attributes", lambda r: r.update(study="t"))
    (study.parent / "folder" / "trials.db").mkdir(parents=True)
    listed = tune_here("list", "--logs", study.parent)
    assert listed.returncode == 0 and "2 completed" in listed.stdout
    assert "logs/s: study 's' must be one that this version can read" in " ".join(listed.stderr.split())


def test_text_that_nothing_can_write_is_written_out(study, tune_here):
    edited(study, "trial_user_attributes", lambda r: r["values"].update(a="\ud800") or r.update(error="\ud800"))
    edited(study, "study_user_attributes", lambda r: r.update(space_source="\ud800"))
    for command in (["report", "s"], ["export", "s", "--out", "t.csv"], ["show", "s"]):
        done = tune_here(*command, "--logs", study.parent)
        assert done.returncode == 0, done.stderr


def test_a_record_of_a_final_model_that_is_damaged_is_one_line(study, tune_here):
    executed(study, "INSERT INTO study_user_attributes (study_id, key, value_json) VALUES (1, 'tuning_final', '{}')")
    shown = tune_here("show", "s", "--logs", study.parent)
    assert shown.returncode == 1 and "its record cannot be understood" in shown.stderr
    executed(study, "UPDATE study_user_attributes SET value_json = '[]' WHERE key = 'tuning_final'")
    with pytest.raises(StudyError, match="its final model is list"):
        tuning.load(study)


def test_tables_of_another_optuna_are_refused_in_one_line(study):
    executed(study, "UPDATE alembic_version SET version_num = 'v99'")
    with pytest.raises(StudyError, match="could not be opened: .*Optuna|optuna"):
        tuning.search(CURVE, engine="random", trials=3, epochs=1, seed=0, study="s", logs=study.parent)


def test_a_trial_that_is_gone_does_not_shift_the_others(study, tune_here):
    executed(study, "DELETE FROM trials WHERE number = 0")
    found = tuning.load(study)
    assert found._trial(1) is found.trials[0]
    with pytest.raises(StudyError, match="`trial` must be one of"):
        found._trial(0)
    shown = json.loads(tune_here("show", "s", "--logs", study.parent, "--top", "1", "--json").stdout)
    assert [trial["number"] for trial in shown["trials"]] == [1]


def test_fields_are_checked_against_their_declaration():
    good = {"study": "s", "space": "x", "space_source": None, "hyperparameters": (), "objective": None}
    rest = {"engine": "random", "options": {}, "seed": 0}
    objective = tuning.Objective("score", "max")
    definition = Definition(**{**good, "objective": objective}, **rest, epochs=3)
    assert checked(definition) is definition
    for wrong in ({"epochs": True}, {"epochs": 3.0}, {"options": []}, {"repeats": "2"}, {"objective": "score"}):
        with pytest.raises(TypeError, match=f"^{next(iter(wrong))} is"):
            checked(Definition(**{**good, "objective": objective, **rest, "epochs": 3, **wrong}))
    with pytest.raises(StudyError, match="study 's' must be one"), understood("s"):
        json.loads("[" * 100_000)


def test_records_are_parsed_one_by_one():
    assert parsed([]) == [] and parsed(['{"a": 1}', "[2]"]) == [{"a": 1}, [2]]
    for documents in (["1, 2", "3"], ["", "1"], ["[1", "2]"], ["1]", "[2"]):
        with pytest.raises(ValueError):
            parsed(documents)
