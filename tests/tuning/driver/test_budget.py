"""Searches that end because enough was trained, or because nothing is gained any more."""

from dataclasses import replace

import pytest

import tuning
from tuning.driver.budget import Budget, Limits, Tally
from tuning.errors import OptionError
from tuning.records.definition import Definition
from tuning.records.objective import Objective
from tuning.records.outlook import last_gain, outlook, reason_to_stop
from tuning.records.trial import Curve, State, Training, Trial

SCORE = Objective("score", "max")


class Slope(tuning.SearchSpace):
    """Reports its hyperparameter in every epoch."""

    name, objective = "slope", "score:max"

    def build(self, hp):
        return hp.Float("x", 0, 1, default=0.5)

    def fit(self, hp, model, x, *, epochs, initial_epoch=0, callbacks=(), **_):
        for epoch in range(initial_epoch, epochs):
            if any(callback.on_epoch_end(epoch, {"score": model}) for callback in callbacks):
                break

    def load_data(self):
        return tuning.Data([0])


def trials(*scores, seconds=1.0):
    curve = Curve(({"score": 0.0}, {"score": 0.0}))
    return [
        Trial(n, {}, State.COMPLETED, (Training(curve, score=score, seconds=seconds),))
        for n, score in enumerate(scores)
    ]


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("200e", Budget(epochs=200)),
        ("90s", Budget(seconds=90)),
        ("1.5h", Budget(seconds=5400)),
        ("3m", Budget(None, 180)),
    ],
)
def test_budgets_are_read(text, budget):
    assert Budget.read(text) == budget


@pytest.mark.parametrize("text", ["200", "0e", "1.5e", "-3m", "m", 30])
def test_what_is_no_budget(text):
    with pytest.raises(OptionError, match="`budget` must be a number of epochs or a time"):
        Budget.read(text)


def test_a_budget_is_spent_by_all_trials_and_time_by_those_that_are_trained_at_once():
    assert Budget(epochs=6).is_spent(6, 9.0, 1) and not Budget(epochs=7).is_spent(6, 9.0, 1)
    assert Budget(seconds=3).is_spent(9, 3.0, 1) and not Budget(seconds=2).is_spent(9, 3.0, 2)


def tally(*known, **limits):
    counted = Tally(Limits(**limits), Definition("s", "space", None, (), SCORE, "random", {}, 0, 2))
    for trial in known:
        counted.ended(trial)
    return counted


def test_what_trials_have_cost_is_known_without_looking_at_them_again():
    three, running = trials(1, 1, 1), replace(trials(1)[0], number=3, state=State.RUNNING)
    assert tally(*three, budget=Budget(epochs=6)).reached([], 1) == "the budget of 6 epochs is spent"
    assert tally(*three, running, budget=Budget(epochs=7)).reached([], 1) == ""
    assert tally(*three, budget=Budget(epochs=8)).reached([running], 1) == "the budget of 8 epochs is spent"
    assert "3 seconds of training" in tally(*three, budget=Budget(seconds=3)).reached([], 1)
    counted = tally(*three, budget=Budget(epochs=6))
    counted.goes_on(three[0])
    assert counted.reached([], 1) == "" and counted.reached([three[0]], 1) != ""


@pytest.mark.medium
def test_a_search_ends_with_its_budget_and_goes_on_with_a_larger_one(tmp_path):
    given = {"engine": "random", "epochs": 4, "seed": 0, "logs": tmp_path}
    assert len(tuning.search(Slope(), budget="9e", **given).trials) == 3
    assert len(tuning.search(Slope(), budget="16e", **given).trials) == 4
    assert len(tuning.search(Slope(), budget="40e", trials=6, **given).trials) == 6


def test_the_last_trials_tell_what_more_would_bring():
    grown = trials(*(0.01 * n for n in range(30)))
    assert last_gain(grown, SCORE).n_trials == 10 and last_gain(grown, SCORE).value == pytest.approx(0.1)
    assert "improved score by 0.1: as many more likely by less" in outlook(grown, SCORE)
    assert "improved nothing" in outlook(trials(*(30 * [0.5])), SCORE)
    assert outlook(grown[:19], SCORE) == ""


def test_tolerance_ends_a_search_whose_last_trials_gained_less():
    flat = trials(*(20 * [0.5]))
    reason = "the last 10 trials improved score by 0, less than 0.01"
    assert reason_to_stop(20 * [0.5], SCORE, 0.01) == reason
    assert reason_to_stop([0.01 * n for n in range(30)], SCORE, 0.01) == ""
    assert tally(*reversed(flat), tolerance=0.01).reached([], 1) == reason
    assert tally(*trials(*(0.01 * n for n in reversed(range(30)))), tolerance=0.01).reached([], 1) == reason
    assert tally(*flat).reached([], 1) == "" and tally(*flat[:-1], tolerance=0.01).reached([], 1) == ""


@pytest.mark.medium
def test_tolerance_in_a_search(tmp_path):
    study = tuning.search(
        Slope(), engine="random", epochs=1, seed=0, logs=tmp_path, trials=60, tolerance=0.5, study="tolerant"
    )
    assert len(study.trials) == 20


@pytest.mark.medium
def test_without_a_number_the_space_decides(tmp_path):
    study = tuning.search(Slope(), epochs=1, seed=0, logs=tmp_path)
    assert (study.name, study.definition.engine, len(study.trials)) == ("slope-optuna", "optuna", 20)
