"""What explains the differences between trials."""

import random

import pytest

from tuning.hyperparameters import Choice, Condition, Float
from tuning.records.objective import Objective
from tuning.records.trial import Curve, Run, State, Training, Trial
from tuning.study.importance import LEAST_TRIALS, importance, searched

SPACE = (
    Float("rate", 0.1, low=0, high=1),
    Choice("kind", "a", choices=("a", "b", "c")),
    Float("noise", 0.5, low=0, high=1),
    Float("momentum", 0.5, low=0, high=1, conditions=(Condition("kind", ("a",)),)),
)
LOSS = Objective("val_loss", "min")


def trials_of(n, score, stop=10):
    draws, found = random.Random(0), []
    for number in range(n):
        kind = draws.choice("abc")
        values = {"rate": draws.random(), "kind": kind, "noise": draws.random()}
        values |= {"momentum": draws.random()} if kind == "a" else {}
        value = score(values, number)
        training = Training(Curve(({"val_loss": value},)), value, 0, 1.0)
        until = stop(number) if callable(stop) else stop
        found.append(Trial(number, values, State.COMPLETED, (training,), runs=(Run(number, values, 0, until),)))
    return found


def test_what_decides_comes_first_and_noise_explains_nothing():
    found = importance(SPACE, trials_of(300, lambda v, _: abs(v["rate"] - 0.3) + 0.1 * "abc".index(v["kind"])), LOSS)
    assert list(found)[:2] == ["rate", "kind"] and found["rate"] > 0.7 and 0.02 < found["kind"] < 0.3
    assert found["noise"] < 0.02 and sum(found.values()) <= 1


def test_two_that_say_the_same_share_what_they_explain():
    trials = trials_of(200, lambda v, _: v["rate"])
    trials = [
        Trial(t.number, {**t.values, "noise": t.values["rate"]}, t.state, t.trainings, runs=t.runs) for t in trials
    ]
    found = importance(SPACE, trials, LOSS)
    assert (
        sum(found.values()) <= 1
        and max(found["rate"], found["noise"]) > 0.9
        and min(found["rate"], found["noise"]) < 0.1
    )


def test_trials_of_different_budgets_are_not_compared():
    """Without that, a number that happens to go with the budget would explain everything."""
    trials = trials_of(200, lambda v, n: (10.0 if n % 2 else 0.0) + v["rate"], stop=lambda n: 3 if n % 2 else 9)
    assert importance(SPACE, trials, LOSS)["rate"] > 0.8


def test_a_huge_loss_decides_nothing_alone():
    found = importance(SPACE, trials_of(200, lambda v, n: 1e9 if n == 50 else v["rate"]), LOSS)
    assert found["rate"] > 0.9


@pytest.mark.parametrize(
    "trials", [trials_of(LEAST_TRIALS - 1, lambda v, _: v["rate"]), trials_of(30, lambda v, _: 1.0), []]
)
def test_of_too_little_nothing_is_said(trials):
    assert importance(SPACE, trials, LOSS) == {}


def test_what_a_single_trial_met_is_searched_too():
    late = Float("late", 0.5, low=0, high=1)
    (one,) = trials_of(1, lambda v, _: 1.0)
    trial = Trial(0, {**one.values, "late": 0.2}, one.state, one.trainings, found=(late.to_json(),))
    assert list(searched(SPACE, [trial])) == ["rate", "kind", "noise", "momentum", "late"]
