"""Optuna's pruners by name, and how one judges a trial after each epoch.

Owns the values that a pruner sees and when it is asked. Epochs count from 0, as in the store: what is decided here is
what Optuna would decide on the stored study. A pruner is asked for the first time when a trial has trained longer
than its warm-up, because the first epochs say little about the last ones, and no more after the last epoch: there is
nothing left to stop.
"""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from optuna import Study, pruners
from optuna.pruners import BasePruner, HyperbandPruner, PatientPruner, SuccessiveHalvingPruner

from tuning.engines.optuna.private import storage_of, wrapped_pruner
from tuning.records.objective import Objective
from tuning.records.trial import Trial

_JUDGE_OF_ONE_TRIAL = (SuccessiveHalvingPruner, HyperbandPruner)
"""Pruners that look at nothing of the other trials but what they have written down there."""

_FORGETFUL = (
    pruners.MedianPruner,
    pruners.PercentilePruner,
    pruners.ThresholdPruner,
    pruners.WilcoxonPruner,
    pruners.NopPruner,
)
"""Pruners that write nothing down: what they decide depends on the values alone."""


def default_warmup(pruner: str, epochs: int) -> int:
    """Return the epochs that a pruner does not judge: a tenth of all, at least two, or one where rungs follow."""
    return max(1 if pruner in ("successive_halving", "hyperband") else 2, math.ceil(epochs / 10))


def make_pruner(name: str, options: Mapping[str, Any], epochs: int) -> BasePruner | None:
    """Make the pruner that a study's options name; None for "none".

    Args:
        name: one of `tuning.engines.optuna.kind.PRUNERS`, but for auto.
        options: of the engine, complete.
        epochs: budget of a trial.
    """
    least = min(options["warmup_epochs"], epochs)
    factor, trials = options["reduction_factor"], options["warmup_trials"]
    made: dict[str, Callable[[], BasePruner | None]] = {
        "median": lambda: pruners.MedianPruner(n_startup_trials=trials),
        "percentile": lambda: pruners.PercentilePruner(options["percentile"], n_startup_trials=trials),
        "successive_halving": lambda: SuccessiveHalvingPruner(max(least, 1), factor),
        "hyperband": lambda: HyperbandPruner(max(least, 1), epochs, factor),
        "wilcoxon": lambda: pruners.WilcoxonPruner(p_threshold=options["p_threshold"]),
        "threshold": lambda: pruners.ThresholdPruner(options["lower"], options["upper"]),
        "patient": lambda: PatientPruner(pruners.MedianPruner(n_startup_trials=trials), options["patience"]),
        "none": lambda: None,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # remarks that a pruner is experimental
        return made[name]()


class Judge:
    """Shows a pruner one trial after the other.

    Args:
        pruner: copied, so that a person's own is left as it is.
        objective: whose values it sees.
        warmup: epochs that it does not judge.
    """

    def __init__(self, pruner: BasePruner, objective: Objective, warmup: int) -> None:
        self.pruner = copy.deepcopy(pruner)
        self._objective, self._warmup = objective, warmup
        self._by_trainings = isinstance(pruner, pruners.WilcoxonPruner)
        self._is_forgetful = _is_forgetful(pruner)
        self._answers: dict[int, tuple[int, bool]] = {}  # the last about each trial, and at what step

    def should_stop(self, study: Study, trial_id: int, trial: Trial) -> bool:
        """Show what is new of `trial`; tell whether to stop it. Asked about the same again, the answer is the same."""
        self._show(study, trial_id, trial, is_asked=True)
        step, stops = self._answers.get(trial_id, (-1, False))
        return stops and (self._by_trainings or step == trial.epochs - 1)

    def learn(self, study: Study, trial_id: int, trial: Trial) -> None:
        """Show all of `trial`, whose run has ended or goes on later."""
        self._show(study, trial_id, trial, is_asked=not self._is_forgetful)

    @property
    def is_given(self) -> bool:
        """Whether it is a person's own."""
        return not type(self.pruner).__module__.startswith("optuna.")

    @property
    def compares_epochs(self) -> bool:
        """Whether the epochs of a trial are compared with those of all others."""
        return type(self.pruner) not in _JUDGE_OF_ONE_TRIAL

    def forget(self, trial_id: int) -> None:
        """Let go of what was answered about a trial that is finished."""
        self._answers.pop(trial_id, None)

    def _show(self, study: Study, trial_id: int, trial: Trial, is_asked: bool) -> None:
        storage = storage_of(study)
        shown = storage.get_trial(trial_id).intermediate_values
        latest = max(shown, default=-1)
        for step, value in self._values(trial):
            # What lies before the latest is reported again, after a process was lost: the trial went on from there.
            if not math.isfinite(value) or (step in shown and step < latest):
                continue
            if step not in shown:
                storage.set_trial_intermediate_value(trial_id, step, value)
            elif self._answers.get(trial_id, (-1, False))[0] == step:  # a pruner with rungs has moved on since
                continue
            if is_asked and (self._by_trainings or self._warmup <= step < trial.run.stop - 1):
                self._answers[trial_id] = step, self.pruner.prune(study, storage.get_trial(trial_id))

    def _values(self, trial: Trial) -> list[tuple[int, float]]:
        """Return (step, value): the objective of each epoch, or the best of each training of a cross-validation."""
        if self._by_trainings:
            return [(step, value) for step, value in enumerate(trial.part_bests) if value is not None]
        return list(enumerate(trial.curve.values(self._objective.name)))


def _is_forgetful(pruner: BasePruner | None) -> bool:
    if isinstance(pruner, PatientPruner):
        return _is_forgetful(wrapped_pruner(pruner))
    return pruner is None or type(pruner) in _FORGETFUL
