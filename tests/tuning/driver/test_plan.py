"""The plan of a search: what the call leaves open, what a study decides, and what is refused."""

from dataclasses import replace

import pytest

from tests.tuning.driver.test_request import request
from tuning import Objective, SearchSpace
from tuning.driver.plan import EPOCHS, continued, plan, training_options
from tuning.errors import ObjectiveError, OptionError, SpaceError, StudyError
from tuning.hyperparameters import Hyperparameter
from tuning.preflight import Findings

SPACE = SearchSpace("mine")
FOUND = Findings(
    (Hyperparameter.from_json({"name": "a", "kind": "float", "default": 0.5, "low": 0.0, "high": 1.0}),),
    ("loss", "val_loss"),
    True,
    Objective("val_loss", "min"),
)


def planned(stored=None, findings=FOUND, division=None, space=SPACE, **given):
    asked = continued(request(space, **given), stored, 77)
    return plan(asked, stored, findings, {"x": "digest"}, division)


def test_what_nobody_says_has_its_default():
    asked = continued(request(SPACE, engine="optuna"), None, 77)
    assert (asked.seed, asked.epochs, asked.trials, asked.tries) == (77, EPOCHS, None, ()), "trials follow the space"
    assert (asked.anneal, asked.patience, asked.cv, asked.repeats) == (False, None, None, None)
    assert continued(request(SPACE, engine="grid"), None, 77).cv == 5, "the engine's own folds"
    assert continued(request(SPACE, repeats=1, patience=0, seed=0), None, 77).repeats is None
    assert continued(request(SPACE, seed=0), None, 77).seed == 0


def test_the_space_decides_where_the_call_does_not():
    space = SearchSpace("mine")
    space.epochs, space.patience = 33, 4
    asked = continued(request(space), None, 77)
    assert (asked.epochs, asked.patience) == (33, 4)
    assert continued(request(space, anneal=True), None, 77).patience is None
    assert continued(request(space, patience=0, epochs=2), None, 77).patience is None


def test_a_study_decides_where_the_call_does_not():
    stored = planned(
        engine="hyperband", options={"factor": 4}, seed=5, epochs=9, patience=3, anneal=True, repeats=2,
        tries=[{"a": 0.25}], division={"folds": 3, "is_number": True}, cv=3, batch_size=16,
    )  # fmt: skip
    assert planned(stored, engine="hyperband", division=stored.cv, batch_size=16) == stored
    asked = continued(request(SPACE, engine="hyperband"), stored, 77)
    assert (asked.seed, asked.epochs, asked.patience, asked.anneal, asked.repeats, asked.cv) == (5, 9, 3, True, 2, 3)
    assert asked.options["factor"] == 4 and asked.tries == ({"a": 0.25},)
    splitter = replace(stored, cv={"folds": 3, "is_number": False})
    assert continued(request(SPACE), splitter, 77).cv is None, "a splitter must be given again"


@pytest.mark.parametrize(
    ("given", "difference"),
    [
        ({"seed": 6}, "seed is 6, in the study 5"),
        ({"epochs": 8}, "epochs is 8, in the study 9"),
        ({"options": {"factor": 2}}, "option 'factor' is 2, in the study 3"),
        ({"patience": 1}, "argument of fit 'patience' is 1, in the study None"),
        ({"anneal": True}, "argument of fit 'anneal' is True, in the study absent"),
        ({"class_weight": {0: 1.0, 1: 50.0}}, r"'class_weight\[1\]' is 50.0, in the study 1.0"),
        ({"tries": [{"a": 0.25}]}, "tries are"),
        ({"engine": "random"}, "engine is random, in the study hyperband"),
    ],
)
def test_another_search_is_refused_and_the_difference_is_named(given, difference):
    common = {"study": "s", "engine": "hyperband", "class_weight": {0: 1.0, 1: 1.0}}
    stored = planned(seed=5, epochs=9, **common)
    assert planned(stored, **common) == stored
    with pytest.raises(StudyError, match=difference):
        planned(stored, **{**common, **given})


def test_what_does_not_fit_what_was_found_is_refused():
    plain = replace(FOUND, uses_keras=False)
    with pytest.raises(OptionError, match="`log` must be left out"):
        planned(findings=plain, log=["graph"])
    on_jax = replace(FOUND, backend="jax")
    with pytest.raises(
        OptionError, match="`log` must be histograms or a profile where Keras runs on jax, but got 'graph'"
    ):
        planned(findings=on_jax, log=["graph", "histograms"])
    with pytest.raises(ObjectiveError, match="be a metric of training where models are not Keras's"):
        planned(findings=plain, engine="optuna", objective=["val_loss", "n_params"])
    with pytest.raises(ObjectiveError, match="Did you mean 'val_loss'"):
        planned(engine="optuna", objective=["val_loss", "val_los:min"])
    with pytest.raises(OptionError, match="Use engine optuna, or one objective"):
        planned(engine="hyperband", objective=["val_loss", "n_params"])
    with pytest.raises(SpaceError, match="`a` must be"):
        planned(tries=[{"a": 7.0}])


def test_how_runs_are_trained_follows_from_the_plan():
    asked = continued(
        request(SPACE, engine="optuna", objective=["val_loss", "n_params"], anneal=True, epochs=7, compiled=False, b=1),
        None,
        77,
    )
    options = training_options(asked, plan(asked, None, FOUND, {}, None), FOUND)
    assert (options.anneal, options.patience, options.compiled, options.uses_keras) == (7, None, False, True)
    assert options.resources == ("n_params",) and options.fit_options == {"b": 1}
