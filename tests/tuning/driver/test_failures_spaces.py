"""Spaces that do what nobody expects: they change the working folder, and raise what is no ordinary exception."""

import os

import pytest

import tuning
from tuning import Data, SearchSpace
from tuning.errors import DataError, SearchFailedError, SpaceError
from tuning.records.trial import State


class Wandering(SearchSpace):
    """Leaves the working folder wherever its code runs."""

    name, objective = "wandering", "score:max"

    def build(self, hp):
        os.chdir("/")
        return hp.Float("a", 0, 1)

    def fit(self, hp, model, x, **_):
        return model

    def load_data(self):
        os.chdir("/")
        return Data([1.0, 2.0])


@pytest.mark.medium
@pytest.mark.parametrize("workers", [1, 2])
def test_a_relative_folder_is_where_it_was_when_the_search_began(workers, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = tuning.search(Wandering(), engine="random", trials=3, epochs=1, seed=0, study="s", workers=workers)
    assert len(study.trials) == 3 and (tmp_path / "logs" / "s" / "trials.db").is_file()
    assert not os.path.exists("/logs")


FILE = """
import os, signal
from tuning import Data, SearchSpace
os.chdir("/")
class Wandering(SearchSpace):
    name, objective = "wandering", "score:max"
    def build(self, hp):
        return hp.Float("a", 0, 1)
    def fit(self, hp, model, x, *, epochs, **_):
        if epochs > 1 and not os.path.exists({mark!r}):
            open({mark!r}, "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
        return model
    def load_data(self):
        return Data([1.0, 2.0])
"""


@pytest.mark.medium
def test_all_that_is_relative_begins_where_the_search_began(tmp_path, monkeypatch):
    """The file of the space, which a worker reads that is started later, and the database."""
    (tmp_path / "space.py").write_text(FILE.format(mark=str(tmp_path / "killed")))
    monkeypatch.chdir(tmp_path)
    study = tuning.search("space.py", engine="random", trials=2, epochs=2, seed=0, study="s", in_process=False,
                          storage="sqlite:///own.db")  # fmt: skip
    assert (tmp_path / "killed").exists() and [t.state for t in study.trials] == 2 * [State.COMPLETED]
    assert (tmp_path / "own.db").is_file() and not os.path.exists("/own.db")


class Odd(BaseException):
    pass


class Mute(Exception):
    def __str__(self):
        raise ValueError("no words")


RAISED = {"odd": Odd("words"), "mute": Mute(), "exit": SystemExit(3)}


class Raising(SearchSpace):
    name, objective = "raising", "score:max"

    def build(self, hp):
        return hp.Choice("kind", [*RAISED, "none"])

    def fit(self, hp, model, x, *, epochs, **_):
        if epochs > 1 and model in RAISED:
            raise RAISED[model]
        return 1.0

    def load_data(self):
        return Data([1.0, 2.0])


@pytest.mark.medium
@pytest.mark.parametrize("workers", [1, 2])
def test_whatever_is_raised_is_the_reason_of_the_failure(workers, tmp_path):
    tries = [{"kind": kind} for kind in (*RAISED, "none")]
    given = {"engine": "random", "trials": 4, "epochs": 2, "seed": 0, "study": "s", "logs": tmp_path, "tries": tries}
    odd, mute, ended, none = tuning.search(Raising(), workers=workers, **given).trials
    assert odd.error == "Odd: words" and "raise RAISED[model]" in odd.traceback
    assert mute.error == "Mute: its text cannot be had (ValueError)" and "in fit" in mute.traceback
    assert ended.error == "SystemExit: 3" and not ended.trainings[0].lost
    assert none.state is State.COMPLETED


class Stubborn(SearchSpace):
    """Raises the same wherever its code runs."""

    name, objective = "stubborn", "score:max"

    def __init__(self, error, epochs=0, data=False):
        self.error, self.epochs, self.data = error, epochs, data

    def build(self, hp):
        return hp.Float("a", 0, 1)

    def fit(self, hp, model, x, *, epochs, **_):
        if epochs > self.epochs:
            raise self.error
        return 1.0

    def load_data(self):
        if self.data:
            raise self.error
        return Data([1.0, 2.0])


@pytest.mark.parametrize("error", [SystemExit(3), Odd("words"), Mute()])
def test_what_a_search_cannot_begin_with_is_an_error(error, tmp_path):
    given = {"engine": "random", "trials": 1, "epochs": 2, "seed": 0, "study": "s", "logs": tmp_path}
    with pytest.raises(SpaceError, match=f"stubborn.*{type(error).__name__}"):
        tuning.search(Stubborn(error), **given)
    with pytest.raises(DataError, match=f"stubborn.*{type(error).__name__}"):
        tuning.search(Stubborn(error, data=True), **given)


@pytest.mark.medium
def test_a_worker_has_no_keyboard(tmp_path):
    """What looks like Ctrl-C there was raised by the space."""
    given = {"engine": "random", "trials": 1, "epochs": 2, "seed": 0, "logs": tmp_path, "in_process": False}
    with pytest.raises(SearchFailedError, match="KeyboardInterrupt: mine"):
        tuning.search(Stubborn(KeyboardInterrupt("mine"), epochs=1), study="trained", **given)
    with pytest.raises(tuning.TuningError, match="KeyboardInterrupt: mine"):
        tuning.search(Stubborn(KeyboardInterrupt("mine")), study="looked-at", **given)
