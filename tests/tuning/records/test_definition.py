"""Definitions: written and read as JSON, compared with the stored one, and the parts of their trials."""

import dataclasses
import json

import pytest

from tuning.hyperparameters import Hyperparameter
from tuning.records.definition import Definition
from tuning.records.objective import Objective

UNITS = Hyperparameter.from_json({"name": "units", "kind": "int", "default": 8, "low": 8, "high": 64, "step": 8})
KIND = Hyperparameter.from_json({"name": "kind", "kind": "choice", "default": "a", "choices": ["a", "b"]})
PLAIN = Definition("s", "digits", "digits", (UNITS, KIND), Objective("val_loss", "min"), "random", {}, 0, 5)
FULL = dataclasses.replace(
    PLAIN,
    options={"factor": 3, "pruner": None},
    data={"x": "1797 x 64"},
    cv={"folds": 3, "splitter": "KFold"},
    repeats=2,
    several=(Objective("n_params", "min"), PLAIN.objective),
    tries=({"units": 16, "kind": "b"},),
    backend="jax",
)


@pytest.mark.parametrize("definition", [PLAIN, FULL], ids=["plain", "full"])
def test_what_is_written_is_read_again(definition):
    text = json.dumps(definition.to_json(), allow_nan=False)
    assert Definition.from_json(json.loads(text)) == definition
    assert definition.differences(Definition.from_json(json.loads(text))) == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"seed": 1}, "seed is 1, in the study 0"),
        ({"engine": "bayesian"}, "engine is bayesian, in the study random"),
        ({"epochs": 6}, "epochs is 6, in the study 5"),
        ({"objective": Objective("val_loss", "max")}, "objective is val_loss:max, in the study val_loss:min"),
        ({"backend": "jax"}, "Keras runs on jax (KERAS_BACKEND), in the study on tensorflow"),
        ({"repeats": 2}, "repeats is 2, in the study None"),
        ({"options": {"factor": 3}}, "option 'factor' is 3, in the study absent"),
        ({"data": {"x": "9 x 1"}}, "data 'x' is 9 x 1, in the study absent"),
        ({"cv": {"folds": 3}}, "cv 'folds' is 3, in the study absent"),
        ({"tries": ({"units": 8},)}, "tries are {'units': 8}, in the study none"),
        ({"several": FULL.several}, "objectives are n_params:min, val_loss:min, in the study val_loss:min"),
    ],
)
def test_each_difference_is_named(changes, says):
    assert dataclasses.replace(PLAIN, **changes).differences(PLAIN) == [says]


def test_a_hyperparameter_that_differs_is_named():
    (said,) = dataclasses.replace(PLAIN, hyperparameters=(UNITS,)).differences(PLAIN)
    assert said.startswith("hyperparameter 'kind' is absent, in the study one of ")
    wider = dataclasses.replace(PLAIN, hyperparameters=(dataclasses.replace(UNITS, high=128), KIND))
    (said,) = wider.differences(PLAIN)
    assert said.startswith("hyperparameter 'units' is ") and "128" in said and "64" in said


def test_names_and_places_of_what_a_study_is_called_do_not_matter():
    assert dataclasses.replace(PLAIN, study="t", space_source="other.py").differences(PLAIN) == []


@pytest.mark.parametrize(
    ("folds", "repeats", "names"),
    [
        (None, None, ("",)),
        (2, None, ("fold_0", "fold_1")),
        (None, 2, ("repeat_0", "repeat_1")),
        (2, 2, ("repeat_0_fold_0", "repeat_0_fold_1", "repeat_1_fold_0", "repeat_1_fold_1")),
    ],
)
def test_the_trainings_of_a_trial(folds, repeats, names):
    definition = dataclasses.replace(PLAIN, cv=None if folds is None else {"folds": folds}, repeats=repeats)
    assert definition.training_names == names and definition.n_folds == folds
    for training, name in enumerate(names):
        fold, repeat = definition.fold_and_repeat(training)
        assert (f"fold_{fold}" in name) == (fold is not None)
        assert f"repeat_{repeat}" in name or (repeat == 0 and repeats is None)
    assert definition.is_divided == (names != ("",))


def test_the_further_objectives_have_their_places():
    assert FULL.objectives == FULL.several and FULL.further == [(0, Objective("n_params", "min"))]
    assert PLAIN.objectives == (PLAIN.objective,) and PLAIN.further == []
