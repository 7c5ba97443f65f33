"""Studies as things: listed, exported, renamed, cleaned, removed; and what is said of one that was killed."""

import csv
import dataclasses
import io
import json
import shutil

import pytest
from rich.console import Console

import tuning
from tests.conftest import SPACES
from tuning.cli.tables import trials_table
from tuning.records.trial import Run, State
from tuning.storage.lock import locked
from tuning.study.tables import csv_of

CURVE = str(SPACES / "curve.py")
GIVEN = {"engine": "random", "trials": 3, "epochs": 2, "seed": 0, "verbose": 0}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    logs = tmp_path_factory.mktemp("made")
    tuning.search(CURVE, study="one", logs=logs, **GIVEN)
    return logs


@pytest.fixture
def logs(made, tmp_path):
    shutil.copytree(made, tmp_path / "logs")
    return tmp_path / "logs"


@pytest.mark.medium
def test_a_copied_or_renamed_folder_opens_and_goes_on(logs, tune_here):
    shutil.copytree(logs / "one", logs / "two")
    study = tuning.load(logs / "two")
    assert study.name == "two" and [t.score for t in study.trials] == [
        t.score for t in tuning.load(logs / "one").trials
    ]
    more = tuning.search(CURVE, study="two", logs=logs, **{**GIVEN, "trials": 4})
    assert len(more.trials) == 4 and len(tuning.load(logs / "one").trials) == 3
    assert tune_here("rename", "two", "three").returncode == 0 and not (logs / "two").exists()
    assert len(tuning.load(logs / "three").trials) == 4 and "three" in tune_here("show", "three").stdout
    refused = tune_here("rename", "three", "one")
    assert refused.returncode == 1 and "must be new" in refused.stderr
    assert tune_here("rename", "three", "../x").returncode == 1


@pytest.mark.medium
def test_what_is_being_searched_is_left_alone(logs, tune_here):
    with locked(logs / "one"):
        for command in (("rm", "one", "--yes"), ("rename", "one", "x"), ("clean", "one", "--keep", "0")):
            done = tune_here(*command)
            assert done.returncode == 1 and "is being searched by" in done.stderr
    assert tuning.load(logs / "one").trials


def test_removed_is_what_the_study_has_written_and_nothing_else(logs, tune_here):
    (logs / "one" / "notes.txt").write_text("mine")
    assert tune_here("rm", "one", "--yes").returncode == 0
    assert [path.name for path in (logs / "one").iterdir()] == ["notes.txt"]
    assert "no studies" in tune_here("list").stdout


def test_trials_are_exported(logs, tune_here):
    rows = list(csv.DictReader(io.StringIO(tune_here("export", "one").stdout)))
    trials = tuning.load(logs / "one").trials
    assert [float(row["score"]) for row in rows] == pytest.approx([t.score for t in trials])
    assert [float(row["values.a"]) for row in rows] == pytest.approx([t.values["a"] for t in trials])
    assert len(json.loads(tune_here("export", "one", "--to", "json", "--curves").stdout)) == 6
    assert tune_here("export", "one", "--out", logs / "x.csv").returncode == 0 and (logs / "x.csv").stat().st_size
    assert "must name a file" in tune_here("export", "one", "--to", "parquet").stderr


def test_studies_are_listed_with_what_they_took(logs, tune_here):
    shutil.copytree(logs / "one", logs / "large")
    (logs / "large" / "report.html").write_text("x" * 5_000_000)
    records = json.loads(tune_here("list", "--json", "--sort", "size").stdout)
    assert [record["study"] for record in records] == ["large", "one"]
    assert records[0]["size"] > 5e6 and records[0]["epochs"] == 6 and records[0]["date"] > 1.6e9
    text = tune_here("list").stdout
    assert "MB" in text and "3 completed" in text and text.index("large") < text.index("one")


@pytest.mark.medium
def test_a_trial_whose_driver_is_gone_is_interrupted(logs):
    study = tuning.load(logs / "one")
    run = Run(0, study.trials[0].values, 0, 2, asked=0)
    study.trials[0] = dataclasses.replace(study.trials[0], state=State.RUNNING, runs=(run,))

    def shown():
        console = Console(width=200)
        with console.capture() as captured:
            console.print(trials_table(study, None, 200))
        return captured.get()

    assert "interrupted" in shown() and "RUNNING" not in shown()
    with locked(logs / "one"):
        assert "RUNNING" in shown() and "interrupted" not in shown()


@pytest.mark.medium
def test_help_has_a_short_name(tune_here):
    assert tune_here("-h").stdout == tune_here("--help").stdout
    assert tune_here("show", "-h").stdout == tune_here("show", "--help").stdout != ""


def test_weights_and_whole_models_of_all_but_the_best_are_deleted(logs, tune_here):
    folder, best = logs / "one" / "checkpoints", tuning.load(logs / "one").best
    folder.mkdir(exist_ok=True)
    for number in range(3):
        for name in (f"trial_{number:04d}.best.weights.h5", f"trial_{number:04d}.keras"):
            (folder / name).write_text("")
    assert "weights of 2 trials deleted" in tune_here("clean", "one", "--keep", "1").stdout
    assert [path.name[:10] for path in folder.iterdir()] == [f"trial_{best.number:04d}"] * 2
    assert "weights of 1 trial deleted" in tune_here("clean", "one", "--keep", "0").stdout
    assert not list(folder.iterdir()) and len(tuning.load(logs / "one").trials) == 3


@pytest.mark.parametrize("name", ["../one", "../../one", ".", "..", ""])
def test_a_name_that_is_none_of_a_folder_is_refused(name, logs, tune_here, tmp_path):
    """With a database elsewhere the folder of a study need not exist: it would be made."""
    url = f"sqlite:///{logs / 'one' / 'trials.db'}"
    done = tune_here("report", name, "--logs", logs / "below", "--storage", url)
    assert done.returncode == 1 and "`study` must be the name of a study" in done.stderr
    assert not list(tmp_path.rglob("report.html"))
    if name == "../one":
        assert tune_here("report", name, "--logs", logs / "below").returncode == 1, "no folder beside --logs"


def test_no_cell_of_a_table_is_a_formula():
    import pandas

    frame = pandas.DataFrame({"=1+1": ["=cmd", "+a", "-a", "@a", "\tb", "-1", "a=b"], "x": [-1.5, 2, 3, 4, 5, 6, 7]})
    rows = list(csv.reader(io.StringIO(csv_of(frame))))
    assert rows[0] == ["'=1+1", "x"] and rows[1] == ["'=cmd", "-1.5"]
    assert [row[0] for row in rows[2:]] == ["'+a", "'-a", "'@a", "'\tb", "-1", "a=b"]
