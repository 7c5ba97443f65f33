"""Studies that earlier versions have left behind: each opens, shows, reports, and goes on to what it would have been.

How they were written: tests/golden/studies/write.py.
"""

import importlib.util
import json
import shutil
import sqlite3
from pathlib import Path

import pytest
import typer.testing

import tuning
from tests.conftest import ROOT
from tuning.cli import main
from tuning.cli.app import app

STUDIES = ROOT / "tests" / "golden" / "studies"
NAMES = sorted(path.parent.name for path in STUDIES.glob("*/trials.db"))

_spec = importlib.util.spec_from_file_location("write_golden_studies", STUDIES / "write.py")
write = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(write)


@pytest.fixture
def copied(tmp_path):
    """Return a function that copies a study; what is opened, even to read, gets files beside it."""

    def copy(name):
        (tmp_path / name).mkdir()
        shutil.copy(STUDIES / name / "trials.db", tmp_path / name)
        return tmp_path / name

    return copy


def whole(name):
    return json.loads((STUDIES / name / "whole.json").read_text(encoding="utf-8"))


def as_written(study):
    """Return a study's trials as `whole.json` has them, which knows no trainings."""
    return [
        {
            "number": t.number,
            "state": t.state.value,
            "score": t.score,
            "best_epoch": t.best_epoch,
            "values": dict(t.values),
            "error": t.error,
            "scores": list(t.scores),
            "part_scores": list(t.part_scores) if t.is_divided else [],
            "runs": [[r.start, r.stop, r.until, dict(r.note)] for r in t.runs],
            "curve": [dict(epoch) for epoch in t.curve.epochs],
            "parts": [[dict(e) for e in training.curve.epochs] for training in t.trainings if t.is_divided],
            "found": list(t.found),
        }
        for t in study.trials
    ]


def normal(record):
    """Return a record as JSON gives it back, comparable: infinities and NaN are equal to themselves as text."""
    return json.dumps(record, sort_keys=True)


@pytest.fixture
def run_command(monkeypatch):
    """Run `tune` in this process."""
    monkeypatch.setattr("sys.argv", ["tune", "--version"])
    with pytest.raises(SystemExit):
        main()  # registers the commands

    def call(*arguments):
        result = typer.testing.CliRunner().invoke(app, list(map(str, arguments)))
        assert result.exit_code == 0, result.output
        return result.output

    return call


def test_there_is_one_of_every_kind():
    assert sorted(NAMES) == sorted(write.ARGUMENTS)


@pytest.mark.medium
@pytest.mark.parametrize("name", NAMES)
def test_a_study_opens_shows_and_reports(name, copied, run_command, tmp_path):
    path = copied(name)
    study, expected = tuning.load(path, space=str(STUDIES / "formula.py")), whole(name)
    trials = as_written(study)
    assert 0 < len(trials) <= len(expected)
    ended = [(mine, theirs) for mine, theirs in zip(trials, expected, strict=False) if mine["state"] != "RUNNING"]
    for mine, theirs in ended:
        assert normal(mine) == normal(theirs)
    shown = json.loads(run_command("show", name, "--logs", tmp_path, "--json"))
    assert [t["score"] for t in shown["trials"]] == [t["score"] for t in trials]
    assert f"{len(trials)} trials" in run_command("show", name, "--logs", tmp_path)
    run_command("report", name, "--logs", tmp_path)
    assert name in Path(path, "report.html").read_text(encoding="utf-8")


@pytest.mark.medium
@pytest.mark.parametrize("name", NAMES)
def test_a_study_goes_on_to_what_an_uninterrupted_search_came_to(name, copied, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    path = copied(name)
    study = write.search(name, tmp_path)
    assert study.path == path
    for mine, theirs in zip(as_written(study), whole(name), strict=True):
        assert normal(mine) == normal(theirs)
    with sqlite3.connect(path / "trials.db") as connection:
        states = connection.execute("SELECT state FROM trials ORDER BY number").fetchall()
    words = {"COMPLETED": "COMPLETE", "PRUNED": "PRUNED", "FAILED": "FAIL"}
    assert [state for (state,) in states] == [words[t["state"]] for t in whole(name)]
