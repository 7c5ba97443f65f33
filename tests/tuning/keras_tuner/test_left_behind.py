"""What a trial leaves behind in a worker process on objects of the program's own."""

import copy
import warnings
from types import SimpleNamespace

import pytest

from tests.tuning.keras_tuner.conftest import run_python
from tuning.keras_tuner import left_behind, private


class Space:
    """A hypermodel with containers of its own."""

    def __init__(self):
        self.histories, self.by_trial, self.seen = ["before"], {"a": [1]}, {0}
        self.n, self.best, self.scores = 0, None, [3.0]
        self._private = 1


@pytest.fixture
def left(tmp_path, monkeypatch):
    """Return a function that has a copy of a hypermodel changed in a trial, and the program learn of it."""
    monkeypatch.setattr(private, "trial_folder", lambda oracle, trial_id: tmp_path)
    trial = SimpleNamespace(trial_id="0")

    def call(here, *changes):
        there = copy.deepcopy(here)
        for change in changes:
            sent, received = [SimpleNamespace(oracle=None, hypermodel=one) for one in (there, here)]
            with left_behind.written(sent, trial):
                change(there)
            left_behind.taken(received, trial)
        return here

    call.folder = tmp_path
    return call


def change(space):
    space.histories.append("after")
    space.by_trial["a"].append(2)
    space.by_trial["b"] = {"loss": 0.5}
    space.seen.add(1)
    space.best = "first"
    space.new = [space.n]
    space.scores = [*space.scores, 4.0]
    space._private, space.n = 2, space.n + 1


def test_what_is_added_comes_back_and_numbers_stay(left):
    space = left(Space(), change)
    assert space.histories == ["before", "after"] and space.by_trial == {"a": [1, 2], "b": {"loss": 0.5}}
    assert space.seen == {0, 1} and space.best == "first" and space.new == [0] and space.scores == [3.0, 4.0]
    assert space.n == 0 and space._private == 1
    assert not list(left.folder.iterdir())


def test_additions_of_several_workers_are_put_together(left):
    space = Space()
    left(space, change)
    left(space, lambda there: there.by_trial["a"].append(3), lambda there: there.histories.append("later"))
    assert space.by_trial["a"] == [1, 2, 3] and space.histories == ["before", "after", "later"]


def test_a_list_that_begins_anew_in_each_trial_is_that_of_the_last(left):
    space = left(Space(), lambda there: setattr(there, "scores", [1.0]), lambda there: setattr(there, "scores", [2.0]))
    assert space.scores == [2.0]


def test_what_cannot_be_sent_is_told(left):
    with pytest.warns(UserWarning, match="left in `histories` stays in its worker process: .*pickle"):
        space = left(Space(), lambda there: there.histories.append(lambda: 1), change)
    assert space.histories == ["before", "after"]


def test_where_nothing_is_left_nothing_is_written(left):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        left(Space(), lambda there: None)
    assert not list(left.folder.iterdir())


PROGRAM = """
import keras, numpy as np
import keras_tuner as kt

units, records = [], {}

class Record:
    def __init__(self, value):
        self.value = value

class Space(kt.HyperModel):
    def __init__(self):
        super().__init__()
        self.histories = []

    def build(self, hp):
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(hp.Int("units", 1, 99)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        return model

    def fit(self, hp, model, *args, **kwargs):
        history = model.fit(*args, **kwargs)
        self.histories.append(history.history)
        units.append(hp.get("units"))
        records[hp.get("units")] = Record(len(history.epoch))
        return history

x = np.ones((32, 2), "float32")
space = Space()
tuner = kt.RandomSearch(space, "loss", max_trials=4, seed=1, directory="out", project_name="p")
tuner.search(x, x[:, :1], epochs=2, verbose=0)
assert sorted(units) == sorted(t.hyperparameters.get("units") for t in tuner.oracle.trials.values()), units
assert [len(h["loss"]) for h in space.histories] == [2] * 4, space.histories
assert len(records) == 4 and all(isinstance(r, Record) and r.value == 2 for r in records.values()), records
"""


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_program_finds_what_its_trials_have_left(tmp_path, workers):
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    run_python("-m", "tuning.keras_tuner", "program.py", folder=tmp_path, TUNE_WORKERS=workers)
