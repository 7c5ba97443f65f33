"""A study that somebody hostile has made: whatever its files and records hold, looking at it runs nothing of them."""

import contextlib
import csv
import io
import json
import os
import pickle
import sqlite3
import sys

import numpy as np
import pytest

import tuning
from tests.processes import tune
from tuning.errors import DataError, SpaceError
from tuning.final.inputs import Inputs
from tuning.training import checkpoints, export

SPACE = """
import pathlib
pathlib.Path({mark!r}).touch()
from tuning import Data, SearchSpace
class Hostile(SearchSpace):
    name, objective = "hostile", "score:max"
    def build(self, hp): return hp.Float("a", 0, 1), hp.Choice("b", {texts!r})
    def fit(self, hp, model, x, *, epochs, initial_epoch=0, callbacks=(), **_):
        callbacks[0].on_epoch_end(0, {{"score": model[0]}})
    def load_data(self): return Data([float(i) for i in range(10)])
"""
TEXTS = ["=HYPERLINK(1)", "+1+1", "-1+1", "@SUM(1)", "<script>alert(1)</script>", "\x1b]8;;http://x\x1b\\", "[/b]"]
COMMANDS = [
    *(["show", "s"], ["show", "s", "--json"], ["list"], ["list", "--json"], ["report", "s"]),
    *(["best", "s"], ["best", "s", "--json"], ["export", "s"], ["export", "s", "--to", "json"]),
    *(["export", "s", "--curves"],),
]


class Touches:
    """Unpickled, it makes a file."""

    def __init__(self, mark):
        self._mark = str(mark)

    def __reduce__(self):
        return os.mknod, (self._mark,)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder of such studies, and the file that is there as soon as anything of them has run."""
    folder = tmp_path_factory.mktemp("hostile")
    mark = folder / "it ran"
    (folder / "space.py").write_text(SPACE.format(mark=str(mark), texts=TEXTS))
    tries = [{"a": 0.1 * n, "b": text} for n, text in enumerate(TEXTS)]
    tuning.search(str(folder / "space.py"), engine="random", trials=7, epochs=1, seed=0, tries=tries, study="s",
                  logs=folder / "logs")  # fmt: skip
    mark.unlink()
    study = folder / "logs" / "s"
    pickled = pickle.dumps(Touches(mark))
    _rewrite(study / "trials.db", pickled.hex())
    (study / "checkpoints").mkdir(exist_ok=True)
    for number in range(7):
        for name in (f"trial_{number:04d}.best.weights.h5", f"trial_{number:04d}.keras"):
            (study / "checkpoints" / name).write_bytes(pickled)
    (study / "final").mkdir()
    (study / "final" / "model.keras").write_bytes(pickled)
    (folder / "victim").write_text("as it was")
    (study / "report.html").symlink_to(folder / "victim")
    (study / ".unfinished.report.html").symlink_to(folder / "victim")
    return folder, mark


def _rewrite(database, pickled):
    """Put a pickle, and what is no number of a version that we know, wherever a record has a place for it."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        query = "SELECT rowid, value_json FROM trial_user_attributes WHERE key = 'tuning'"
        for row, text in connection.execute(query).fetchall():
            record = json.loads(text)
            record["engine"] = pickled
            record["runs"][0]["note"] = {"trial": {"cma:optimizer:0": pickled}, "study": {"cma:optimizer:0": pickled}}
            update = "UPDATE trial_user_attributes SET value_json = ? WHERE rowid = ?"
            connection.execute(update, (json.dumps(record), row))
        connection.commit()


def test_these_pieces_are_hostile(made, tmp_path):
    folder, mark = made
    pickle.loads((folder / "logs" / "s" / "final" / "model.keras").read_bytes())
    assert mark.exists()
    mark.unlink()
    exec((folder / "space.py").read_text(), {})
    assert mark.exists()
    mark.unlink()


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_nothing_of_a_hostile_study_runs(command, made, tune_here, monkeypatch):
    folder, mark = made
    if command[0] == "export":  # data for a program, unless somebody looks at them
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    done = tune_here(*command, "--logs", folder / "logs")
    assert done.returncode == 0, done.stderr
    assert not mark.exists() and "\x1b]" not in done.stdout + done.stderr
    assert (folder / "victim").read_text() == "as it was"


def test_a_report_of_it_runs_nothing_in_a_browser_and_follows_no_link(made, tune_here):
    folder, _ = made
    assert tune_here("report", "s", "--logs", folder / "logs").returncode == 0
    page = folder / "logs" / "s" / "report.html"
    assert "<script>alert(1)" not in page.read_text() and not page.is_symlink()
    assert (folder / "victim").read_text() == "as it was"


def test_no_cell_of_its_table_is_a_formula(made, tune_here, tmp_path):
    folder, _ = made
    printed = tune_here("export", "s", "--logs", folder / "logs").stdout
    assert tune_here("export", "s", "--out", "t.csv", "--logs", folder / "logs").returncode == 0
    for text in (printed, (tmp_path / "t.csv").read_text()):
        cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
        assert {f"'{text}" for text in TEXTS[:4]} <= set(cells)
        assert not [cell for cell in cells if cell.startswith(("=", "+", "@"))]


@pytest.mark.slow
def test_tensorboard_of_it_runs_nothing(made, tmp_path):
    folder, mark = made
    process = tune("board", "s", "--logs", folder / "logs", cwd=tmp_path)
    assert process.stdout.readline().startswith("TensorBoard"), process.stderr.read()
    process.terminate()
    process.communicate(timeout=20)
    assert not mark.exists()


# Files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["x.npz", "x.csv", "x.npy"])
def test_samples_to_predict_are_read_as_numbers(name, tmp_path):
    mark, path = tmp_path / "it ran", tmp_path / name
    if name == "x.npz":
        np.savez(path, x=np.array([Touches(mark)], dtype=object))
        with np.load(path, allow_pickle=True) as file, contextlib.suppress(TypeError, ValueError):
            file["x"]
        assert mark.exists(), "it is hostile"
        mark.unlink()
    elif name == "x.csv":
        path.write_text(f"=cmd|'/C touch {mark}'!A0,1\n@SUM(1),2\n")
    else:
        path.write_bytes(pickle.dumps(Touches(mark)))
    with pytest.raises(DataError) as refused:
        Inputs.of(np.zeros((4, 2), "float32")).read(path)
    assert not mark.exists() and "\n" not in str(refused.value)


def test_weights_are_read_as_numbers(tmp_path):
    path, mark = tmp_path / "trial_0000.best.weights.h5", tmp_path / "it ran"
    path.write_bytes(pickle.dumps(Touches(mark)))
    assert checkpoints.epoch_in(path) is None and not mark.exists()


@pytest.mark.slow
def test_a_model_is_opened_in_safe_mode(tmp_path):
    keras = pytest.importorskip("keras")
    mark, path = tmp_path / "it ran", tmp_path / "m.keras"
    touch = eval(f"lambda x: (__import__('pathlib').Path({str(mark)!r}).touch(), x)[1]")
    keras.Sequential([keras.Input((2,)), keras.layers.Lambda(touch)]).save(path)
    mark.unlink()
    keras.models.load_model(path, safe_mode=False)
    assert mark.exists(), "it is hostile"
    mark.unlink()
    with pytest.raises(SpaceError, match="safe"):
        export.load(path, None)
    assert not mark.exists()
