"""How the trainings of a trial go, and what they come to together.

Owns what becomes of a training with each epoch, and what the curve and the score of a trial with several are. An epoch
belongs to that curve as soon as every training has reached it or has ended its run before it; a metric there is the
mean over the trainings that reported it. So the curve only grows while a run is under way. The score is the mean of
the trainings' scores, each at its own best epoch, and there is none before every training has one; the best epoch is
the curve's. Whatever changes here costs the same in the first epoch and in the thousandth.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from tuning.records.definition import Definition
from tuning.records.objective import Objective
from tuning.records.trial import RETURNED, Curve, Run, Training, Trial, Values


def extended(training: Training, epoch: int, metrics: Mapping[str, float], objective: Objective) -> Training:
    """Return a training after an epoch; what it had reported from that epoch on is reported again."""
    training = cut(training, epoch, objective)
    longer = replace(training, curve=training.curve.extended(metrics))
    returned = metrics.get(RETURNED, math.nan)
    value = returned if math.isfinite(returned) else metrics.get(objective.name, math.nan)
    is_better = math.isfinite(value) and (value is returned or objective.is_better(value, training.score))
    return replace(longer, score=value, best_epoch=epoch) if is_better else longer


def cut(training: Training, epochs: int, objective: Objective) -> Training:
    """Return a training as it was after so many epochs."""
    if len(training.curve) <= epochs:
        return training
    curve = training.curve.until(epochs)
    epoch, score = curve.best(objective) or (None, None)
    return replace(training, curve=curve, score=score, best_epoch=epoch)


def new_trial(definition: Definition, number: int, values: Values) -> Trial:
    """Return a trial of a study before any of its trainings has begun."""
    trainings = len(definition.training_names) * (Training(),)
    return Trial(number, values, trainings=trainings, joint=Training() if definition.is_divided else None)


def with_run(trial: Trial, run: Run, objective: Objective) -> Trial:
    """Return the trial with another run, in which all its trainings go on."""
    return joined(replace(trial, values=run.values, runs=(*trial.runs, run)), objective)


def with_training(trial: Trial, index: int, training: Training, objective: Objective) -> Trial:
    """Return the trial after something became of one of its trainings."""
    return joined(replace(trial, trainings=_replaced(trial.trainings, index, training)), objective)


def with_training_ended(trial: Trial, index: int, objective: Objective) -> Trial:
    """Return the trial after one of its trainings has ended the last run."""
    training = trial.trainings[index]
    ended = replace(training, untils=(*training.untils, len(training.curve)), lost=0)
    return with_training(trial, index, ended, objective)


def not_ended(trial: Trial) -> list[int]:
    """Return the trainings that have not ended the last run."""
    return [index for index, training in enumerate(trial.trainings) if len(training.untils) < len(trial.runs)]


def alone(trial: Trial, index: int) -> Trial:
    """Return the trial as one of its trainings sees it, as if there were no other."""
    return replace(trial, trainings=(trial.trainings[index],), joint=None)


def until(trial: Trial, epochs: int) -> Trial:
    """Return the trial as its own curve had it after so many epochs, for whoever is told epoch by epoch."""
    if trial.joint is None or epochs == trial.epochs:
        return trial
    return replace(trial, joint=replace(trial.joint, curve=trial.curve.until(epochs)))


def joined(trial: Trial, objective: Objective) -> Trial:
    """Return the trial with what follows from its trainings."""
    if trial.joint is None:
        return trial
    trainings, before = trial.trainings, trial.joint
    scores = [training.score for training in trainings if training.score is not None]
    curve = _mean_curve(trainings, len(trial.runs), before.curve)
    joint = Training(
        curve,
        sum(scores) / len(scores) if len(scores) == len(trainings) else None,
        _best_epoch(curve, before, objective),
        sum(training.seconds for training in trainings),
    )
    return replace(trial, joint=joint)


def _mean_curve(trainings: Sequence[Training], n_runs: int, before: Curve) -> Curve:
    """Return the mean of the curves, in a trial with `n_runs` runs.

    Args:
        before: the mean before something became of the trainings; an epoch of it but the last stays what it is.
    """
    lengths = [len(training.curve) for training in trainings]
    under_way = [len(training.curve) for training in trainings if len(training.untils) < n_runs]
    length = min(under_way, default=max(lengths))
    start = max(min(len(before), length) - 1, 0)  # the last one may have been amended
    return Curve((*before.epochs[:start], *(_mean_epoch(trainings, epoch) for epoch in range(start, length))))


def _mean_epoch(trainings: Sequence[Training], epoch: int) -> dict[str, float]:
    reported: dict[str, list[float]] = {}
    for training in trainings:
        for name, value in training.curve.epochs[epoch].items() if epoch < len(training.curve) else ():
            reported.setdefault(name, []).append(value)
    return {name: sum(values) / len(values) for name, values in reported.items()}


def _best_epoch(curve: Curve, before: Training, objective: Objective) -> int | None:
    """Return the best epoch of a curve that has grown, or has lost its last epochs, since `before`."""
    known = before.best_epoch if before.best_epoch is not None and before.best_epoch < len(curve) else None
    start = 0 if known is None else max(min(len(before.curve), len(curve)) - 1, 0)
    best = None if known is None else _value(curve, known, objective)
    for epoch in range(start, len(curve)):
        value = _value(curve, epoch, objective)
        if RETURNED in curve.epochs[epoch] or (math.isfinite(value) and objective.is_better(value, best)):
            known, best = epoch, value
    return known


def _value(curve: Curve, epoch: int, objective: Objective) -> float:
    metrics = curve.epochs[epoch]
    return metrics.get(RETURNED, metrics.get(objective.name, math.nan))


def _replaced(trainings: tuple[Training, ...], index: int, training: Training) -> tuple[Training, ...]:
    return (*trainings[:index], training, *trainings[index + 1 :])


def best_of_run(trial: Trial, objective: Objective) -> tuple[int, float] | None:
    """Return (epoch, score) of the last run of a trial, counting only what it trained in that run.

    The score is the mean over its trainings, and the epoch the latest of theirs; None when one has no score. Epochs
    count from the run's first.
    """
    found = []
    for training in trial.trainings:
        bounds, n = (0, *training.untils), len(trial.runs)
        found.append(training.curve.best(objective, bounds[n - 1], bounds[n] if n < len(bounds) else None))
    scored = [best for best in found if best is not None]
    if len(scored) < len(found):
        return None
    return max(epoch for epoch, _ in scored), sum(score for _, score in scored) / len(scored)
