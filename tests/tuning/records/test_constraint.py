"""Constraints: how they are read, and which trials keep them."""

import math

import pytest

from tuning.errors import OptionError
from tuning.records.constraint import Constraint, excesses, is_refused, limited, mistakes, read
from tuning.records.objective import Objective
from tuning.records.ranking import Front, Ranking, ranked
from tuning.records.trial import Curve, State, Training, Trial

PARAMS, RECALL = Constraint.parse("n_params<=50000"), Constraint.parse(" val_recall >= 0.9 ")


def trial(number=0, recall=0.95, params=1000.0, score=0.5, state=State.COMPLETED):
    curve = Curve(({"val_recall": recall, "val_loss": score},))
    made = Trial(number, {}, state, (Training(curve, score, 0),), resources={"n_params": params})
    return limited(made, (PARAMS, RECALL))


def test_it_is_read_and_written():
    assert (PARAMS.name, PARAMS.sense, PARAMS.bound, str(PARAMS)) == ("n_params", "<=", 50000.0, "n_params<=50000")
    assert str(RECALL) == "val_recall>=0.9" and Constraint.parse(str(RECALL)) == RECALL
    assert read(["n_params<=5e4", PARAMS]) == (PARAMS,)


@pytest.mark.parametrize("text", ["n_params", "n<5", "n<=", "<=5", "a<=b", "a<=nan", "a<=inf", 5, "a<=1<=2"])
def test_what_is_no_constraint(text):
    with pytest.raises(OptionError, match="`constraint` must be a name, <= or >=, and a number"):
        Constraint.parse(text)


def test_it_must_be_on_something_that_is_known():
    assert mistakes([PARAMS, RECALL], ["val_recall"], True) == []
    wrong = mistakes([Constraint("val_precison", ">=", 1.0)], ["val_precision"], True)
    assert "Did you mean 'val_precision'?" in wrong[0]
    assert "models are not Keras's" in mistakes([PARAMS], [], False)[0]
    assert mistakes([RECALL], [], True) == [], "a space that reports nothing before trial 0"


def test_how_far_beyond_a_value_is():
    assert RECALL.excess(0.5) == pytest.approx(0.4) and RECALL.excess(0.95) < 0 and RECALL.excess(0.9) == 0
    assert PARAMS.excess(500_000) == pytest.approx(math.log(10)), "costs are compared by their ratio"
    assert excesses(trial(), (PARAMS, RECALL)) == pytest.approx([math.log(0.02), -0.05])
    assert excesses(trial(recall=math.nan), (PARAMS, RECALL)) == [pytest.approx(math.log(0.02)), None]


def test_what_breaks_a_constraint_or_has_no_value_is_not_feasible():
    assert trial().is_feasible and trial().limited == {"n_params": 1000.0, "val_recall": 0.95}
    assert not trial(params=60_000.0).is_feasible and not trial(recall=0.5).is_feasible
    assert not trial(recall=math.nan).is_feasible
    assert Trial(0, {}).is_feasible, "without constraints"


def test_the_best_is_one_that_keeps_them():
    trials = [trial(0, score=0.5), trial(1, score=0.1, params=60_000.0), trial(2, score=0.4)]
    objective = Objective("val_loss", "min")
    assert [t.number for t in ranked(trials, objective)] == [2, 0]
    ranking, front = Ranking(objective), Front((objective, Objective("n_params", "min")))
    for one in trials:
        ranking.update(one)
        front.update(one)
    assert ranking.first(3) == [2, 0] and 1 not in front


def test_what_was_not_trained():
    refused = limited(Trial(0, {}, State.PRUNED, resources={"n_params": 60_000.0}), (PARAMS,))
    assert is_refused(refused) and not is_refused(trial(params=60_000.0)) and not is_refused(trial())
