"""Studies that were brought here: reading them runs nothing, and what would run code says whose."""

import contextlib
import json
import os
import pickle
import shutil
import sqlite3

import pytest

import tuning
from tuning.engines.optuna import notes
from tuning.errors import SpaceError
from tuning.storage import origin

SPACE = """
import pathlib
from tuning import Data, SearchSpace
pathlib.Path({mark!r}).touch()
class Elsewhere(SearchSpace):
    name, objective = "elsewhere", "score:max"
    def build(self, hp): return hp.Float("a", 0, 1)
    def fit(self, hp, model, x, *, epochs, initial_epoch=0, callbacks=(), **_): return model
    def load_data(self): return Data([float(i) for i in range(10)])
"""


@pytest.fixture
def study(tmp_path):
    """A study of this user's, with the mark that its space leaves when it runs."""
    mark = tmp_path / "it ran"
    (tmp_path / "space.py").write_text(SPACE.format(mark=str(mark)))
    tuning.search(
        str(tmp_path / "space.py"), engine="random", trials=2, epochs=1, seed=0, study="s", logs=tmp_path / "logs"
    )
    mark.unlink()
    (tmp_path / "logs" / "s" / "checkpoints").mkdir(exist_ok=True)
    for number in range(2):  # as if weights had been kept
        (tmp_path / "logs" / "s" / "checkpoints" / f"trial_{number:04d}.best.weights.h5").touch()
    return tmp_path / "logs" / "s", mark


def brought(monkeypatch, tmp_path):
    """Make this another user's machine."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another home"))


COMMANDS = [["show", "s"], ["show", "s", "--json"], ["report", "s"], ["list"], ["best", "s"]]


@pytest.mark.medium
@pytest.mark.parametrize("command", COMMANDS)
def test_reading_a_study_runs_nothing(command, study, tune_here):
    path, mark = study
    done = tune_here(*command, "--logs", path.parent)
    assert done.returncode == 0 and not mark.exists()


@pytest.mark.medium
@pytest.mark.parametrize(
    "command", [["best", "s", "--save", "m.keras"], ["finalize", "s"], ["predict", "s", "--input", "x.npz"]]
)
def test_what_would_run_code_is_refused_and_names_it(command, study, tune_here, monkeypatch, tmp_path):
    path, mark = study
    brought(monkeypatch, tmp_path)
    refused = tune_here(*command, "--logs", path.parent)
    assert refused.returncode == 1 and len(refused.stderr.splitlines()) == 1 and not mark.exists()
    assert f"names '{tmp_path / 'space.py'}' as its space" in refused.stderr and "--trust" in refused.stderr
    with contextlib.suppress(AttributeError, OSError):  # its model is a number, and its weights are an empty file
        tune_here(*command, "--logs", path.parent, "--trust")
    assert mark.exists()


def test_a_study_is_ones_own_until_its_source_is_changed(study):
    path, _ = study
    assert tuning.load(path).space.name == "elsewhere"
    with contextlib.closing(sqlite3.connect(path / "trials.db")) as connection:
        query = "SELECT value_json FROM study_user_attributes WHERE key = 'tuning'"
        record = json.loads(connection.execute(query).fetchone()[0])
        record["space_source"] = "/somewhere/else.py"
        update = "UPDATE study_user_attributes SET value_json = ? WHERE key = 'tuning'"
        connection.execute(update, (json.dumps(record),))
        connection.commit()
    with pytest.raises(SpaceError, match="/somewhere/else.py"):
        _ = tuning.load(path).space


def test_a_given_space_and_a_bundled_one_need_no_trust(study, monkeypatch, tmp_path):
    brought(monkeypatch, tmp_path)
    given = tuning.load(study[0]).definition.space_source
    assert tuning.load(study[0], space=given).space.name == "elsewhere"
    assert tuning.load(study[0], trust=True).space.name == "elsewhere"


def test_a_search_of_ones_own_takes_a_study_over(study, monkeypatch, tmp_path):
    path, _ = study
    brought(monkeypatch, tmp_path)
    given = tuning.load(path).definition.space_source
    tuning.search(given, engine="random", trials=3, epochs=1, seed=0, study="s", logs=path.parent)
    assert tuning.load(path).space.name == "elsewhere"


def test_the_key_is_nobody_elses(monkeypatch, tmp_path):
    brought(monkeypatch, tmp_path)
    old = os.umask(0)
    try:
        first = origin.seal("s", "a.py")
    finally:
        os.umask(old)
    (key,) = (tmp_path / "another home" / "keras-tuning").iterdir()
    assert key.stat().st_mode & 0o777 == 0o600 and key.parent.stat().st_mode & 0o077 == 0
    assert origin.seal("s", "a.py") == first != origin.seal("s", "b.py")
    assert origin.is_own("s", "a.py", first) and not origin.is_own("t", "a.py", first)
    key.chmod(0o640)
    assert not origin.is_own("s", "a.py", first), "somebody else may have read the key"
    assert key.stat().st_mode & 0o777 == 0o600 and key.stat().st_size == 32 and origin.seal("s", "a.py") != first
    key.unlink()
    key.symlink_to(tmp_path / "a key of somebody else's")
    (tmp_path / "a key of somebody else's").write_bytes(bytes(32))
    assert origin.seal("s", "a.py") is not None and not key.is_symlink()
    assert (tmp_path / "a key of somebody else's").read_bytes() == bytes(32)
    shutil.rmtree(tmp_path / "another home")
    (tmp_path / "another home").write_text("no folder")
    assert origin.seal("s", "a.py") is None and not origin.is_own("s", "a.py", None)


# Pickles ------------------------------------------------------------------------------------------------------


class Hostile:
    def __reduce__(self):
        return os.mkdir, ("it-ran",)


HOSTILE = pickle.dumps(Hostile()).hex()
ATTRIBUTES = [{f"{kind}:optimizer:0": HOSTILE[:10], f"{kind}:optimizer:1": HOSTILE[10:]} for kind in ("cma", "sepcma")]
ATTRIBUTES += [{"cmawm:optimizer": HOSTILE}, {"cma:optimizer of mine:0": HOSTILE}]


@pytest.mark.parametrize("attributes", ATTRIBUTES)
def test_nothing_that_may_be_a_pickle_is_stored_or_given_back(attributes):
    assert notes.note_of({**attributes, "cma:generation": 1}, attributes) == {
        "trial": {"cma:generation": 1},
        "remake": True,
    }
    note = {"trial": {**attributes, "cma:generation": 1}, "study": attributes}  # as earlier versions wrote them
    assert notes.is_remade(note)
    assert notes.written(note, "trial") == {"cma:generation": 1} and notes.written(note, "study") == {}
    assert not notes.is_remade({"trial": {"cma:generation": 1}}) and not notes.is_remade({})


@pytest.mark.medium
def test_a_study_with_a_hostile_sampler_state_goes_on_as_if_it_had_none(tmp_path, monkeypatch, curve_space):
    pytest.importorskip("cmaes", reason="cmaes is not installed: pip install 'keras-tuning[cmaes]'")
    monkeypatch.chdir(tmp_path)
    given = {"engine": "optuna", "options": {"sampler": "cmaes", "n_startup_trials": 1}, "epochs": 1, "seed": 0,
             "logs": tmp_path, "fix": {"k": "x"}}  # fmt: skip
    straight = tuning.search(curve_space, trials=16, study="straight", **given)
    tuning.search(curve_space, trials=12, study="s", **given)
    with contextlib.closing(sqlite3.connect(tmp_path / "s" / "trials.db")) as connection:
        query = "SELECT rowid, value_json FROM trial_user_attributes WHERE key = 'tuning'"
        rows = [(row, json.loads(text)) for row, text in connection.execute(query)]
        assert not any("optimizer" in json.dumps(record["runs"][0]["note"]) for _, record in rows)
        assert any(record["runs"][0]["note"].get("remake") for _, record in rows)
        for row, record in rows:
            record["runs"][0]["note"].setdefault("trial", {})["cma:optimizer:0"] = HOSTILE
            update = "UPDATE trial_user_attributes SET value_json = ? WHERE rowid = ?"
            connection.execute(update, (json.dumps(record), row))
        connection.commit()
    assert [trial.values for trial in tuning.search(curve_space, trials=16, study="s", **given).trials] == [
        trial.values for trial in straight.trials
    ]
    assert not (tmp_path / "it-ran").exists()


# Rights of files ------------------------------------------------------------------------------------------------


@pytest.mark.medium
@pytest.mark.parametrize("mask", [0o077, 0o027])
def test_what_a_search_writes_has_the_rights_that_the_umask_leaves(mask, tmp_path, curve_space, tune_here):
    old = os.umask(mask)
    try:
        tuning.search(curve_space, engine="random", trials=2, epochs=1, seed=0, study="s", logs=tmp_path / "logs")
        assert tune_here("report", "s", "--logs", tmp_path / "logs").returncode == 0
        assert (
            tune_here("export", "s", "--logs", tmp_path / "logs", "--out", tmp_path / "logs" / "t.csv").returncode == 0
        )
    finally:
        os.umask(old)
    written = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "logs").rglob("*")}
    assert {"trials.db", "driver.lock", "report.html", "t.csv", "tensorboard"} <= set(written)
    assert not {name: oct(mode) for name, mode in written.items() if mode & mask}
    assert written["trials.db"] == 0o666 & ~mask or written["trials.db"] == 0o644 & ~mask
