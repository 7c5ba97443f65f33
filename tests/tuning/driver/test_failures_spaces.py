"""Spaces that do what nobody expects: they change the working folder, and raise what is no ordinary exception."""

import os

import pytest

import tuning
from tuning import Data, SearchSpace
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


class Odd(BaseException):
    pass


class Mute(Exception):
    def __str__(self):
        raise ValueError("no words")


class Raising(SearchSpace):
    name, objective = "raising", "score:max"

    def build(self, hp):
        return hp.Choice("kind", ["odd", "mute", "none"])

    def fit(self, hp, model, x, *, epochs, **_):
        if epochs > 1 and model != "none":
            raise Odd("words") if model == "odd" else Mute
        return 1.0

    def load_data(self):
        return Data([1.0, 2.0])


@pytest.mark.medium
@pytest.mark.parametrize("workers", [1, 2])
def test_whatever_is_raised_is_the_reason_of_the_failure(workers, tmp_path):
    tries = [{"kind": kind} for kind in ("odd", "mute", "none")]
    given = {"engine": "random", "trials": 3, "epochs": 2, "seed": 0, "study": "s", "logs": tmp_path, "tries": tries}
    odd, mute, none = tuning.search(Raising(), workers=workers, **given).trials
    assert odd.error == "Odd: words" and "raise Odd" in odd.traceback
    assert mute.error == "Mute: its text cannot be had (ValueError)" and "in fit" in mute.traceback
    assert none.state is State.COMPLETED
