"""How a trial's trainings go, and what they come to together."""

import math
import random
from dataclasses import astuple, replace

import numpy as np
import pytest

from tuning.records.objective import Objective
from tuning.records.trainings import (
    alone,
    at_rest,
    best_of_run,
    cut,
    extended,
    joined,
    kept,
    not_ended,
    until,
    with_run,
    with_training,
    with_training_ended,
)
from tuning.records.trial import Curve, Run, State, Training, Trial

LOSS = Objective("loss", "min")


def training(*losses, score=None, untils=()):
    return Training(Curve(tuple({"loss": loss} for loss in losses)), score, untils=untils)


def divided(*trainings, runs=1, scoring="common"):
    made = tuple(Run(0, {}, 3 * n, 3 * n + 3) for n in range(runs))
    return joined(Trial(0, {}, trainings=trainings, joint=Training(), runs=made, scoring=scoring), LOSS)


def reported(*losses, **last):
    """Return a training that has reported losses, the last of them together with other metrics."""
    made = training()
    for epoch, loss in enumerate(losses):
        made = extended(made, epoch, {"loss": loss, **(last if epoch == len(losses) - 1 else {})}, LOSS)
    return made


def test_a_trial_that_is_trained_once_is_its_training():
    trial = Trial(0, {}, runs=(Run(0, {}, 0, 3),))
    assert trial.trainings == (Training(),) and trial.curve == Curve() and trial.score is None
    for epoch, loss in enumerate([3.0, math.nan, 1.0, 1.0]):
        trial = with_training(trial, 0, extended(trial.trainings[0], epoch, {"loss": loss}, LOSS), LOSS)
    assert (trial.score, trial.best_epoch, trial.epochs) == (1.0, 2, 4) and not_ended(trial) == [0]
    assert trial.part_scores == (1.0,) and trial.score_std is None and not trial.is_divided
    assert "part_scores" not in trial.to_json() and alone(trial, 0) == trial == until(trial, 2)
    assert not_ended(with_training_ended(trial, 0, LOSS)) == []


def test_what_a_trial_has_used_is_there_once():
    values = {"a": 1, "b": 2}
    assert kept(values, dict(values)) is values
    assert list(kept(values, {"b": 2, "a": 1})) == ["b", "a"] and kept(values, {"a": 1}) == {"a": 1}


def test_at_rest_a_trial_is_the_same():
    trial = divided(training(1, 2, score=1.0), training(3, 5, score=3.0))
    resting = at_rest(trial)
    assert resting == trial and resting.curve.values("loss") == [2.0, 3.5]
    again = with_training(resting, 0, extended(resting.trainings[0], 2, {"loss": 0.5}, LOSS), LOSS)
    assert again == with_training(trial, 0, extended(trial.trainings[0], 2, {"loss": 0.5}, LOSS), LOSS)


def test_what_is_reported_again_replaces_what_was_reported_before():
    before = training()
    for epoch, loss in enumerate([3, 1, 2]):
        before = extended(before, epoch, {"loss": loss}, LOSS)
    again = extended(before, 1, {"loss": 2.5}, LOSS)
    assert again.curve.values("loss") == [3, 2.5] and (again.score, again.best_epoch) == (2.5, 1)
    assert cut(before, 1, LOSS).score == 3 and cut(before, 3, LOSS) is before and cut(before, 0, LOSS).score is None


def test_an_epoch_counts_once_every_training_has_reached_it_or_has_ended():
    trainings = [training(3, 1, 2, untils=(3,)), training(5, untils=(1,)), training(4, 2)]
    assert divided(*trainings).curve.values("loss") == [4.0, 1.5]
    assert divided(*trainings[:2], training(4, 2, 3, untils=(3,))).curve.values("loss") == [4.0, 1.5, 2.5]
    assert divided(*trainings, runs=2).curve.values("loss") == [4.0], "in the next run all go on"
    assert divided(training(), training(1)).epochs == 0


def test_a_metric_that_some_trainings_do_not_report_is_the_mean_of_the_others():
    trial = divided(Training(Curve(({"loss": 1.0, "rare": 7.0},))), Training(Curve(({"loss": 2.0},))))
    assert trial.curve.epochs == ({"loss": 1.5, "rare": 7.0},)


def test_the_score_is_the_best_epoch_of_the_mean_curve_and_there_is_none_before_all_have_begun():
    trial = divided(reported(3, 1, 2), reported(5, 6, 0), training())
    assert trial.score is None and trial.score_std is None
    trial = divided(*trial.trainings[:2], reported(3, 3, 5))
    assert (trial.score, trial.best_epoch) == (pytest.approx((2 + 0 + 5) / 3), 2)
    assert trial.part_scores == trial.part_bests == (None, None, None) and not_ended(trial) == [0, 1, 2]
    ended = with_training_ended(trial, 1, LOSS)
    assert ended.part_scores == (None, 0, None) and not_ended(ended) == [0, 2] and ended.score_std is None
    ended = with_training_ended(with_training_ended(ended, 0, LOSS), 2, LOSS)
    assert ended.part_scores == (2, 0, 5) and ended.score_std == pytest.approx(np.std([2, 0, 5]))
    assert ended.part_bests == (1, 0, 3) and ended.to_json()["part_bests"] == [1, 0, 3]


@pytest.mark.parametrize(
    ("scoring", "score", "best", "parts"),
    [("common", 3.5, 1, (1, 6)), ("last", 4.5, 3, (9, 0)), ("own", 0.5, 1, (1, 0))],
)
def test_rules_of_scoring(scoring, score, best, parts):
    trial = divided(reported(8, 1, 7, 9), reported(5, 6, 3, 0), scoring=scoring)
    for index in (0, 1):
        trial = with_training_ended(trial, index, LOSS)
    assert (trial.score, trial.best_epoch, trial.part_scores) == (score, best, parts)


def test_an_epoch_that_some_have_not_reached_is_not_the_one_that_counts():
    trial = divided(reported(9, 7), reported(3, 2, 0.1))
    for index in (0, 1):
        trial = with_training_ended(trial, index, LOSS)
    assert trial.curve.values("loss") == [6, 4.5, 0.1], "the mean of those that went on"
    assert (trial.score, trial.best_epoch) == (4.5, 1)


def test_what_fit_returned_counts_whatever_the_rule():
    trial = divided(reported(3, 2, fit_returned=1.5), reported(1, 4, fit_returned=2.5))
    assert trial.score == 2 and divided(*trial.trainings, scoring="last").score == 2


def test_where_no_epoch_has_a_value_of_all_each_gives_its_own_best():
    odd, even = Training(Curve(({"loss": 1.0}, {}))), Training(Curve(({}, {"loss": 3.0})))
    trial = divided(*(replace(t, score=s, best_epoch=e) for t, s, e in [(odd, 1.0, 0), (even, 3.0, 1)]))
    assert trial.score is None
    trial = with_training_ended(with_training_ended(trial, 0, LOSS), 1, LOSS)
    assert trial.score == 2 and trial.part_scores == (1, 3)


def test_a_training_alone_has_what_it_gives_to_the_score_of_a_trial_that_has_ended():
    trial = divided(reported(3, 1, 2), reported(5, 6, 0))
    assert alone(trial, 0).score == 1
    ended = replace(trial, state=State.COMPLETED)
    assert (alone(ended, 0).score, alone(ended, 0).best_epoch) == (2, 2)


def test_the_score_of_a_run_counts_what_was_trained_in_it():
    trial = divided(training(1, 5, 4, 3, untils=(2, 4)), training(2, 9, 7, untils=(1, 3)), runs=2)
    assert best_of_run(trial, LOSS) == (1, (3 + 7) / 2)
    assert best_of_run(replace(trial, runs=trial.runs[:1]), LOSS) == (0, (1 + 2) / 2)
    crossing = divided(training(0, 5, 1, untils=(1, 3)), training(0, 1, 6, untils=(1, 3)), runs=2)
    assert best_of_run(crossing, LOSS) == (0, 3.0)
    assert best_of_run(replace(crossing, scoring="own"), LOSS) == (1, 1.0)


def test_the_score_of_a_run_is_looked_up_where_there_was_no_other():
    runs = Run(0, {}, 0, 2), Run(0, {}, 2, 4)
    trial = Trial(0, {}, trainings=(replace(reported(4, 3, 1, 2), untils=(2, 4)),), runs=runs)
    assert best_of_run(trial, LOSS) == (0, 1)
    assert best_of_run(replace(trial, runs=runs[:1]), LOSS) == (1, 3), "as it was, with what it has trained since"
    for only in (reported(4, 3, 1, 2), reported(4, 3, 1, 2, fit_returned=5.0), reported(math.nan, 3)):
        trial = Trial(0, {}, trainings=(replace(only, untils=(len(only.curve),)),), runs=runs[:1])
        assert best_of_run(trial, LOSS) == only.curve.best(LOSS)


@pytest.mark.medium
@pytest.mark.parametrize("scoring", ["common", "last", "own"])
@pytest.mark.parametrize("seed", range(20))
def test_what_is_kept_from_epoch_to_epoch_is_what_is_counted_anew(seed, scoring):
    """Trainings grow, end, lose their worker and go on in another run, in any order."""
    random.seed(seed)
    trial = divided(training(), training(), training(), scoring=scoring)
    for _ in range(80):
        left = not_ended(trial)
        if not left:
            trial = with_run(trial, Run(0, {}, 3, 9), LOSS)
            continue
        index = random.choice(left)
        now, event = trial.trainings[index], random.random()
        if event < 0.1:
            trial = with_training_ended(trial, index, LOSS)
        elif event < 0.15:
            trial = with_training(trial, index, cut(now, random.randint(0, len(now.curve)), LOSS), LOSS)
        else:
            metrics = {"loss": random.choice([1.0, 2.0, random.random(), math.nan]), "rare": 1.0}
            trial = with_training(trial, index, extended(now, len(now.curve), metrics, LOSS), LOSS)
        anew = joined(replace(trial, joint=Training()), LOSS)
        assert repr(astuple(anew)) == repr(astuple(trial))
        for each in trial.trainings:
            best = LOSS.best(each.curve.values("loss")) or (None, None)
            assert best == (each.best_epoch, each.score)


def test_the_earlier_name_of_several_trainings_is_still_understood():
    assert Trial(0, {}).parts == ()
    divided = Trial(0, {}, trainings=(Training(), Training()), joint=Training())
    assert divided.parts is divided.trainings
