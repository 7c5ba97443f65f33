"""How a trial's trainings go, and what they come to together."""

import math
import random
from dataclasses import replace

import numpy as np
import pytest

from tuning.records.objective import Objective
from tuning.records.trainings import (
    alone,
    best_of_run,
    cut,
    extended,
    joined,
    not_ended,
    until,
    with_run,
    with_training,
    with_training_ended,
)
from tuning.records.trial import Curve, Run, Training, Trial

LOSS = Objective("loss", "min")


def training(*losses, score=None, untils=()):
    return Training(Curve(tuple({"loss": loss} for loss in losses)), score, untils=untils)


def divided(*trainings, runs=1):
    made = tuple(Run(0, {}, 3 * n, 3 * n + 3) for n in range(runs))
    return joined(Trial(0, {}, trainings=trainings, joint=Training(), runs=made), LOSS)


def test_a_trial_that_is_trained_once_is_its_training():
    trial = Trial(0, {}, runs=(Run(0, {}, 0, 3),))
    assert trial.trainings == (Training(),) and trial.curve == Curve() and trial.score is None
    for epoch, loss in enumerate([3.0, math.nan, 1.0, 1.0]):
        trial = with_training(trial, 0, extended(trial.trainings[0], epoch, {"loss": loss}, LOSS), LOSS)
    assert (trial.score, trial.best_epoch, trial.epochs) == (1.0, 2, 4) and not_ended(trial) == [0]
    assert trial.part_scores == (1.0,) and trial.score_std is None and not trial.is_divided
    assert "part_scores" not in trial.to_json() and alone(trial, 0) == trial == until(trial, 2)
    assert not_ended(with_training_ended(trial, 0, LOSS)) == []


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


def test_the_score_is_the_mean_of_the_best_and_there_is_none_before_all_have_one():
    trial = divided(training(3, 1, 2, score=1), training(5, 6, 0, score=0), training())
    assert trial.score is None and trial.score_std is None
    trial = divided(*trial.trainings[:2], training(3, 3, 5, score=3))
    assert trial.score == pytest.approx(4 / 3)
    assert trial.best_epoch == 2 and trial.part_scores == (None, None, None) and not_ended(trial) == [0, 1, 2]
    ended = with_training_ended(trial, 1, LOSS)
    assert ended.part_scores == (None, 0, None) and not_ended(ended) == [0, 2] and ended.score_std is None
    ended = with_training_ended(with_training_ended(ended, 0, LOSS), 2, LOSS)
    assert ended.part_scores == (1, 0, 3) and ended.score_std == pytest.approx(np.std([1, 0, 3]))


def test_the_score_of_a_run_counts_what_each_training_trained_in_it():
    trial = divided(training(1, 5, 4, 3, untils=(2, 4)), training(2, 9, 7, untils=(1, 3)), runs=2)
    assert best_of_run(trial, LOSS) == (1, (3 + 7) / 2)
    assert best_of_run(replace(trial, runs=trial.runs[:1]), LOSS) == (0, (1 + 2) / 2)


@pytest.mark.parametrize("seed", range(20))
def test_what_is_kept_from_epoch_to_epoch_is_what_is_counted_anew(seed):
    """Trainings grow, end, lose their worker and go on in another run, in any order."""
    random.seed(seed)
    trial = divided(training(), training(), training())
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
        assert repr(anew) == repr(trial)
        for each in trial.trainings:
            best = LOSS.best(each.curve.values("loss")) or (None, None)
            assert best == (each.best_epoch, each.score)
