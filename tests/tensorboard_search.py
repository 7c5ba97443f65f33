"""A search that never trains: tells an observer what a real loop would, for TensorBoard's tests.

Owns the made-up study and its trials. They hold every case that the HPARAMS tab must show: all kinds of
hyperparameters, all states, a trial continued after a rest, curves with NaN.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tuning.driver.observer import Observer
from tuning.hyperparameters import Boolean, Choice, Condition, Fixed, Float, Hyperparameter, Int
from tuning.records.definition import Definition
from tuning.records.objective import Objective
from tuning.records.trainings import cut, extended
from tuning.records.trial import Run, State, Trial

START = 1_700_000_000.0
OBJECTIVE = Objective("val_accuracy", "max")

_SGD = (Condition("optimizer", ("sgd",)),)
HYPERPARAMETERS = (
    Int("n_layers", 2, low=1, high=4, step=1),
    Int("units", 64, low=16, high=256, step=1),
    Float("learning_rate", 1e-3, low=1e-4, high=1e-1, sampling="log"),
    Boolean("normalize", False),
    Choice("optimizer", "sgd", choices=("sgd", "adam")),
    Choice("batch_size", 32, choices=(16, 32, 64), ordered=True),
    Float("momentum", 0.0, low=0.0, high=0.8, step=0.1, conditions=_SGD),
    Int("width", 8, low=8, high=64, step=8, conditions=(Condition("n_layers", (1, 2)),)),
    Int("width", 64, low=64, high=512, step=64, conditions=(Condition("n_layers", (3, 4)),)),
    Choice("max_features", "sqrt", choices=("sqrt", 0.5, None)),
    Choice("crop", 1, choices=tuple(range(1, 13)), ordered=True),
    Fixed("scale", 1.5),
)


def definition(
    study: str = "made_up", hyperparameters: Sequence[Hyperparameter] = HYPERPARAMETERS, **fields: Any
) -> Definition:
    """Return the definition of the made-up study."""
    given = {"space": "made_up", "objective": OBJECTIVE, "engine": "hyperband", "seed": 7, "epochs": 4, **fields}
    return Definition(study=study, space_source=None, hyperparameters=tuple(hyperparameters), options={}, **given)


def values_of(number: int) -> dict[str, Any]:
    """Return the values of a trial of the made-up study: those that apply, different in each trial."""
    i = number
    values: dict[str, Any] = {
        "n_layers": 1 + i % 4,
        "units": 16 + (37 * i) % 241,
        "learning_rate": 1e-4 * 10 ** (3 * ((0.37 * i) % 1)),
        "normalize": i % 3 == 0,
        "optimizer": ("sgd", "adam")[i % 2],
        "batch_size": (16, 32, 64)[i % 3],
        "width": 8 * (1 + i % 8) if i % 4 < 2 else 64 * (1 + i % 8),
        "max_features": ("sqrt", 0.5, None)[i % 3],
        "crop": 1 + i % 12,
        "scale": 1.5,
    }
    if values["optimizer"] == "sgd":
        values["momentum"] = (i % 9) * 0.1  # 0.6000000000000001 and the like on purpose
    return values


def metrics_of(number: int, epoch: int) -> dict[str, float]:
    """Return what an epoch of a trial reports."""
    best = 0.5 + 0.4 * math.sin(1 + number) ** 2
    accuracy = best * (1 - math.exp(-1.0 - epoch)) - (0.02 if epoch == 3 else 0.0)
    return {
        "accuracy": accuracy + 0.03,
        "loss": 1.5 - accuracy,
        "val_accuracy": accuracy,
        "val_loss": 1.6 - accuracy,
        "learning_rate": 1e-3 / (1 + epoch),
    }


class MadeUpSearch:
    """Trials of a made-up study, and an observer that is told about them in the order of the real loop."""

    def __init__(self, observer: Observer, study: Definition | None = None, trials: Sequence[Trial] = ()) -> None:
        self.observer = observer
        self.definition = study or definition()
        self.trials = {trial.number: trial for trial in trials}
        observer.search_started(self.definition, list(trials))

    def begin(
        self, number: int, values: Mapping[str, Any] | None = None, stop: int = 4, keep: int | None = None
    ) -> None:
        """Begin a run; `keep` is the number of epochs of a continued trial that its checkpoint has."""
        trial = self.trials.get(number)
        if trial is None:
            trial = Trial(number, values_of(number) if values is None else values, started_at=START + 10 * number)
        training = trial.trainings[0] if keep is None else cut(trial.trainings[0], keep, OBJECTIVE)
        runs = (*trial.runs, Run(number, trial.values, len(training.curve), stop))
        self._tell("run_started", replace(trial, trainings=(training,), runs=runs))

    def epoch(self, number: int, **metrics: float) -> None:
        """End an epoch; with the metrics of the made-up study except for those given."""
        trial = self.trials[number]
        metrics = {**metrics_of(number, trial.epochs), **metrics}
        longer = replace(trial, trainings=(extended(trial.trainings[0], trial.epochs, metrics, OBJECTIVE),))
        self._tell("training_epoch_ended", longer, 0)
        self._tell("epoch_ended", longer)

    def rest(self, number: int) -> None:
        """End a run of a trial that may be continued."""
        trial = self.trials[number]
        timed = replace(trial.trainings[0], seconds=1.5 * trial.epochs)
        self._tell("run_ended", replace(trial, trainings=(timed,)))

    def close(self, number: int, state: State = State.COMPLETED, **fields: Any) -> None:
        """End a trial."""
        self.rest(number)
        self._tell("trial_ended", replace(self.trials[number], state=state, ended_at=START + 10 * number + 8, **fields))

    def complete(self, number: int, values: Mapping[str, Any] | None = None, epochs: int = 4) -> None:
        """Do all of a trial."""
        self.begin(number, values, epochs)
        for _ in range(epochs):
            self.epoch(number)
        self.close(number)

    def _tell(self, event: str, trial: Trial, *more: Any) -> None:
        self.trials[trial.number] = trial
        getattr(self.observer, event)(trial, *more)


def play_everything(search: MadeUpSearch) -> None:
    """Play a search with all that can happen to a trial.

    Trials 0 to 5 complete (4 epochs); 6 is pruned; 7 fails in its second epoch and 8 while it is built; 9 reports
    NaN and infinity; 10 rests and is continued; 11 rests; 12 is being trained; 13 loses its worker and is trained
    again.
    """
    for number in range(6):
        search.complete(number)
    search.begin(6)
    search.epoch(6)
    search.close(6, State.PRUNED)
    search.begin(7)
    search.epoch(7)
    search.epoch(7, val_accuracy=math.nan)
    search.close(7, State.FAILED, error="val_accuracy is nan in epoch 1: training diverged")
    search.begin(8)
    search.close(8, State.FAILED, error="ValueError: no such layer")
    search.begin(9)
    search.epoch(9, loss=math.nan, val_loss=math.inf)
    search.epoch(9)
    search.epoch(9, val_loss=1e300)  # finite, but not as a 32-bit float
    search.close(9)
    for number in (10, 11):
        search.begin(number, stop=2)
        search.epoch(number)
        search.epoch(number)
        search.rest(number)
    search.begin(10, stop=4)
    search.epoch(10)
    search.epoch(10)
    search.close(10)
    search.begin(12)
    search.epoch(12)
    search.begin(13)
    search.epoch(13)
    search.epoch(13)
    search.begin(13, keep=1)
    for _ in range(3):
        search.epoch(13)
    search.close(13)
