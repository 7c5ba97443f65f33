"""What is asked for is checked at once: all mistakes of a call in one error, before anything is read or written."""

import inspect
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import numpy as np
import pytest

import tuning
from tests.conftest import SPACES
from tuning.driver.request import Request
from tuning.errors import ObjectiveError, OptionError, SpaceError

CURVE = str(SPACES / "curve.py")
X, Y = np.zeros((4, 2)), np.zeros(4)


def request(space=CURVE, x=None, y=None, **given):
    """Return the request that `search` makes of these arguments."""
    bound = inspect.signature(tuning.search).bind(space, x, y, **given)
    bound.apply_defaults()
    return Request.of(bound.arguments)


def test_every_argument_of_search_is_taken_over():
    names = set(inspect.signature(tuning.search).parameters) - {"verbose"}  # which is for the display
    renamed = {
        "x": "data",
        "y": "data",
        "validation_data": "data",
        "objective": "goals",
        "study": "path",
        "logs": "path",
    }
    made = {"source", "told", "lessons", "folder"}  # of what is given, in a further step
    assert {renamed.get(name, name) for name in names} == {field.name for field in fields(Request)} - made
    taken = request(trials=7, keep=2, fix={"a": 0.5}, time_limit=3, storage="sqlite:///x", batch_size=8)
    assert (taken.trials, taken.keep, taken.fix, taken.time_limit, taken.storage) == (
        7,
        2,
        {"a": 0.5},
        3,
        f"sqlite:///{Path('x').absolute()}",
    )
    assert taken.fit_options == {"batch_size": 8} and taken.source == CURVE and taken.data is None


def test_what_follows_from_other_arguments():
    taken = request(engine="optuna", logs="there", objective=["n_params", "val_loss"])
    assert taken.path == Path("there/curve-optuna").absolute() and taken.goal == "val_loss"
    assert taken.in_process and not request(workers=2).in_process and not request(in_process=False).in_process
    given = request(tuning.SearchSpace("mine"), X, Y, validation_data=(X, Y), study="another")
    assert given.data.validation == (X, Y) and given.source is None and given.path == Path("logs/another").absolute()


def test_it_is_frozen():
    with pytest.raises(FrozenInstanceError):
        request().trials = 3


def test_all_mistakes_are_told_at_once():
    with pytest.raises(OptionError) as caught:
        request(
            trials=0, seed=True, keep=-1, time_limit=0, study="a/b", engine="hyperbond", log=["graphs"], workers=2,
            in_process=True, tries={"a": 1}, callbacks=3, objective=["n_params"], validation_data=(X, Y), cv=3,
        )  # fmt: skip
    told = str(caught.value)
    assert told.startswith("13 things do not fit: (1) ")
    for name in ("trials", "seed", "keep", "time_limit", "study", "engine", "in_process", "tries", "callbacks"):
        assert f"`{name}` must" in told, name
    assert "Did you mean 'hyperband'?" in told and told.count("validation_data") == 2


def test_options_are_checked_with_the_rest():
    with pytest.raises(OptionError, match=r"3 things do not fit: .*`trials`.*`option of hyperband`.*`factor`"):
        request(engine="hyperband", trials=0, options={"no": 1, "factor": 1})


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"space": "no_such_space"}, SpaceError),
        ({"objective": "n_params"}, ObjectiveError),
        ({"epochs": 0}, OptionError),
        ({"log": ["graphs"]}, OptionError),
    ],
)
def test_a_single_mistake_keeps_its_kind(given, kind):
    with pytest.raises(kind) as caught:
        request(**given)
    assert "things do not fit" not in str(caught.value) and type(caught.value) is kind


def test_a_space_that_is_none_does_not_hide_other_mistakes():
    with pytest.raises(OptionError, match="2 things do not fit.*no_such_space.*`trials`|2 things.*`trials`.*`space`"):
        request("no_such_space", trials=0)
