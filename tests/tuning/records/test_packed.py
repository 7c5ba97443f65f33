"""Trials of a search in little memory: what is looked at is what was put in."""

import sys
from dataclasses import replace

import pytest

from tuning.records.packed import Trials
from tuning.records.trial import Curve, Run, State, Training, Trial

VALUES = {"units": 48, "rate": 0.01, "name": "adam", "flag": True}
CURVE = Curve(({"loss": 0.5, "val_loss": float("inf")}, {"loss": 0.25, "val_loss": 0.75}))
UNEVEN = Curve(({"loss": 0.5}, {"loss": 0.25, "val_loss": 0.75}))
RUN = Run(3, VALUES, 0, 2, {"id": "0003", "values": {"units": 48}}, 4, 5, 2)
TRAINING = Training(CURVE, 0.75, 1, 2.5, 2, 0, (2,), "host:1")
TRIAL = Trial(3, VALUES, State.COMPLETED, (TRAINING,), runs=(RUN,), started_at=1.5, ended_at=2.5)
TRIALS = [
    TRIAL,
    Trial(0, {}, State.FAILED, error="no", traceback="No", resources={"n_params": 3.0}),
    Trial(2, VALUES, State.PRUNED, (Training(UNEVEN),), found=({"name": "x"},), limited={"loss": 1.0}),
    Trial(
        4,
        VALUES,
        State.COMPLETED,
        (TRAINING, Training(UNEVEN)),
        TRAINING,
        counted=((1, 0.75), None),
        scores=(1.0, None),
    ),
    replace(TRIAL, number=5, runs=(RUN, replace(RUN, values={**VALUES, "rate": 0.1}, source=4)), is_feasible=False),
]


@pytest.mark.parametrize("trial", TRIALS)
def test_a_finished_trial_is_what_it_was(trial):
    trials = Trials()
    trials[trial.number] = trial
    trials[7] = replace(TRIAL, number=7)  # the last one is remembered as it is
    assert trials[trial.number] == trial and trials[trial.number] is not trial
    assert trials[trial.number].curve.epochs == trial.curve.epochs


def test_values_of_runs_stay_those_of_the_trial_and_names_the_same_objects():
    trials = Trials()
    trials[3], trials[7] = TRIAL, replace(TRIAL, number=7)
    again = trials[3]
    assert again.run.values is again.values and list(again.values) == list(VALUES)
    assert again.curve.epochs.names is CURVE.packed().epochs.names


def test_what_is_not_finished_is_the_same_object_until_it_is():
    trials, running = Trials(), replace(TRIAL, state=State.RUNNING)
    trials[3] = running
    assert trials[3] is running and trials.unfinished == [running]
    trials[3] = TRIAL
    assert trials[3] is TRIAL and trials.unfinished == []
    trials[3] = running
    assert trials[3] is running and trials.unfinished == [running]


def test_they_are_listed_by_number_as_they_were_then():
    trials = Trials()
    for trial in TRIALS:
        trials[trial.number] = trial
    listed = trials.listed()
    trials[9] = replace(TRIAL, number=9)
    assert [t.number for t in listed] == [0, 2, 3, 4, 5] and list(listed[1:3]) == [TRIALS[2], TRIAL]
    assert len(trials) == 6 and set(trials) == {0, 2, 3, 4, 5, 9} and 1 not in trials and trials.get(1) is None


def test_a_finished_trial_takes_little_more_than_its_numbers():
    trials = Trials()
    trials[3], trials[7] = TRIAL, replace(TRIAL, number=7)
    assert sys.getsizeof(trials._kept[3]) < 350
