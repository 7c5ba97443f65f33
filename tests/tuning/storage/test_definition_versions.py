"""The arguments of fit in a definition: their types, what version 1 has written of them, and what differs."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tuning.records.arguments import remembered
from tuning.records.definition import VERSION, Definition
from tuning.records.objective import Objective
from tuning.storage import upgrade

ARGUMENTS = {"patience": 3, "anneal": True, "class_weight": {0: 1.0}, "scale": np.ones(2), "mode": "None"}


class EarlyStopping:
    def __init__(self, patience):
        self.patience = patience


def definition(**arguments):
    fit = {name: remembered(value) for name, value in arguments.items()}
    return Definition("s", "space", None, (), Objective("val_loss", "min"), "random", {}, 0, 9, fit=fit)


def test_arguments_of_fit_keep_their_types():
    made = definition(**ARGUMENTS)
    read = Definition.from_json(json.loads(json.dumps(made.to_json())))
    assert read == made and read.to_json()["version"] == VERSION
    assert read.patience == 3 and read.anneal is True and read.fit["mode"] == "None"
    assert definition(patience=None).patience is None and definition().anneal is False


VERSION_1 = {
    **{"patience": "3", "anneal": "True", "class_weight": "dict", "scale": "ndarray", "mode": "'None'"},
    **{"callbacks": "[EarlyStopping]"},
}


def from_version_1(record):
    return Definition.from_json(upgrade.definition(record, "s"))


def test_what_version_1_has_written_is_read_compared_and_written_again():
    record = {**definition().to_json(), "version": 1, "fit": VERSION_1}
    old = from_version_1(record)
    assert (old.patience, old.anneal, old.fit["mode"]) == (3, True, "None")
    again = definition(**ARGUMENTS, callbacks=[EarlyStopping(1)])
    assert again.differences(old) == [] == old.differences(again), "what it did not remember cannot differ"
    assert Definition.from_json(old.to_json()) == old
    never = from_version_1({**record, "fit": {"patience": "None"}})
    assert never.patience is None and not never.anneal


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"patience": 4}, "argument of fit 'patience' is 4, in the study 3"),
        (
            {"callbacks": [EarlyStopping(1)] * 2},
            "'callbacks' is [EarlyStopping(patience=1), EarlyStopping(patience=1)]",
        ),
        ({"class_weight": None}, "argument of fit 'class_weight' is None, in the study dict"),
    ],
)
def test_what_differs_from_version_1_is_named(changed, told):
    old = from_version_1({**definition().to_json(), "version": 1, "fit": VERSION_1})
    again = definition(**{**ARGUMENTS, "callbacks": [EarlyStopping(1)], **changed})
    (difference,) = again.differences(old)
    assert told in difference


def test_every_difference_is_named():
    made = definition(**ARGUMENTS)
    other = replace(made, seed=1, fit={**made.fit, "scale": remembered(np.zeros(2)), "anneal": None})
    assert len(other.differences(made)) == 3
