"""How the trainings of a trial go, and what they come to together.

Owns what becomes of a training with each epoch, and what the curve and the score of a trial with several are. An epoch
belongs to that curve as soon as every training has reached it or has ended its run before it; a metric there is the
mean over the trainings that reported it. So the curve only grows while a run is under way. The score follows a rule,
`Trial.scoring`; there is none before every training has a value:

- "common": the best epoch of the mean curve, of those that every training has reached. A final training has one number
  of epochs, too, so nothing is picked that it could not have, neither from fold to fold nor from seed to seed.
- "last": each training's last epoch, as GridSearchCV scores.
- "own": each training's own best epoch, the rule of studies that earlier versions began.

What `fit` returned as its score counts as it is, whatever the rule. Whatever changes here costs the same in the first
epoch and in the thousandth.
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


def after(training: Training, seconds: float, checkpoint: int | None = None, restarted: str | None = None) -> Training:
    """Return a training after so many more seconds of it, with what is new of its checkpoint and its beginning."""
    return replace(
        training,
        seconds=training.seconds + seconds,
        checkpoint=training.checkpoint if checkpoint is None else checkpoint,
        restarted=training.restarted if restarted is None else restarted,
    )


def new_trial(definition: Definition, number: int, values: Values) -> Trial:
    """Return a trial of a study before any of its trainings has begun."""
    trainings = len(definition.training_names) * (Training(),)
    joint = Training() if definition.is_divided else None
    return Trial(number, values, trainings=trainings, joint=joint, scoring=definition.scoring)


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


def at_rest(trial: Trial) -> Trial:
    """Return the same trial in less memory: one that is not trained for now, as most of a study's are."""
    packed = [replace(training, curve=training.curve.packed()) for training in trial.trainings]
    joint = None if trial.joint is None else replace(trial.joint, curve=trial.joint.curve.packed())
    return replace(trial, trainings=tuple(packed), joint=joint)


def kept(before: Values, after: Values) -> Values:
    """Return `after`, as the object that is there already where that is the same: a study has thousands of them."""
    return before if list(before.items()) == list(after.items()) else after


def not_ended(trial: Trial) -> list[int]:
    """Return the trainings that have not ended the last run."""
    return [index for index, training in enumerate(trial.trainings) if len(training.untils) < len(trial.runs)]


def alone(trial: Trial, index: int) -> Trial:
    """Return the trial as one of its trainings sees it, as if there were no other.

    Once the trial has ended, the training's score is what it gives to the trial's.
    """
    if trial.joint is None:
        return trial
    training = trial.trainings[index]
    counted = trial.counted[index] if trial.state.is_finished and trial.counted else None
    if counted is not None:
        training = replace(training, best_epoch=counted[0], score=counted[1])
    return replace(trial, trainings=(training,), joint=None, counted=())


def until(trial: Trial, epochs: int) -> Trial:
    """Return the trial as its own curve had it after so many epochs, for whoever is told epoch by epoch."""
    if trial.joint is None or epochs == trial.epochs:
        return trial
    return replace(trial, joint=replace(trial.joint, curve=trial.curve.until(epochs)))


def joined(trial: Trial, objective: Objective) -> Trial:
    """Return the trial with what follows from its trainings."""
    if trial.joint is None:
        return trial
    trainings = trial.trainings
    curve = _mean_curve(trainings, len(trial.runs), trial.joint.curve)
    scoring = "own" if any(map(_is_returned, trainings)) else trial.scoring
    best = _best_epoch(curve, trial.joint, trainings if scoring == "common" else (), objective)
    counted = tuple(_counted(training, scoring, best, objective) for training in trainings)
    values = [value for _, value in filter(None, counted)]
    if best is None and all(training.untils for training in trainings):
        best, _ = curve.best(objective) or (None, None)
    joint = Training(
        curve,
        sum(values) / len(values) if len(values) == len(trainings) else None,
        len(curve) - 1 if scoring == "last" and len(curve) else best,
        sum(training.seconds for training in trainings),
    )
    return replace(trial, joint=joint, counted=counted)


def _is_returned(training: Training) -> bool:
    """Tell whether a training's score is what `fit` returned."""
    best = training.best_epoch
    return best is not None and RETURNED in training.curve.epochs[best]


def _counted(
    training: Training, scoring: str, best: int | None, objective: Objective
) -> tuple[int | None, float] | None:
    """Return (epoch, value) of what a training gives to the score; None while it has no value.

    Args:
        best: best epoch of the mean curve, where that is the rule; None where no epoch has a value of all trainings,
            and each gives its own best.
    """
    if training.score is None or (scoring == "common" and best is None and not training.untils):
        return None
    if scoring == "common" and best is not None:
        return best, training.curve.epochs[best][objective.name]
    if scoring == "last":
        for epoch in reversed(range(len(training.curve))):
            value = _value(training.curve, epoch, objective)
            if math.isfinite(value):
                return epoch, value
    return training.best_epoch, training.score


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


def _best_epoch(curve: Curve, before: Training, trainings: Sequence[Training], objective: Objective) -> int | None:
    """Return the best epoch of a curve that has grown, or has lost its last epochs, since `before`.

    Args:
        trainings: that must all have a value there; none where it does not matter.
    """
    length = min((len(training.curve) for training in trainings), default=len(curve))
    length = min(length, len(curve))
    known = before.best_epoch if before.best_epoch is not None and before.best_epoch < length else None
    start = 0 if known is None else max(min(len(before.curve), length) - 1, 0)
    best = None if known is None else _value(curve, known, objective)
    for epoch in range(start, length):
        value = _value(curve, epoch, objective)
        is_better = RETURNED in curve.epochs[epoch] or (math.isfinite(value) and objective.is_better(value, best))
        if is_better and all(objective.name in training.curve.epochs[epoch] for training in trainings):
            known, best = epoch, value
    return known


def _value(curve: Curve, epoch: int, objective: Objective) -> float:
    metrics = curve.epochs[epoch]
    return metrics.get(RETURNED, metrics.get(objective.name, math.nan))


def _replaced(trainings: tuple[Training, ...], index: int, training: Training) -> tuple[Training, ...]:
    return (*trainings[:index], training, *trainings[index + 1 :])


def best_of_run(trial: Trial, objective: Objective) -> tuple[int, float] | None:
    """Return (epoch, score) of the last run of a trial, counting only what it trained in that run.

    The epoch is the latest that a training gives to the score; None when one gives nothing. Epochs count from the
    run's first.
    """
    is_whole = len(trial.runs) == 1 and trial.joint is None and trial.trainings[0].untils == (trial.epochs,)
    if is_whole and trial.best_epoch is not None and trial.score is not None:
        return trial.best_epoch, trial.score  # of all that it has trained the best is known
    found = counted_in(trial, len(trial.runs) - 1, len(trial.runs), objective)
    scored = [one for one in found if one is not None]
    if len(scored) < len(found):
        return None
    return max(epoch or 0 for epoch, _ in scored), sum(value for _, value in scored) / len(scored)


def counted_in(
    trial: Trial, first: int, until: int, objective: Objective
) -> tuple[tuple[int | None, float] | None, ...]:
    """Return (epoch, value) of what each training gives to the score of the runs from `first` to `until`.

    What it trained in them counts as if it were all; epochs count from there.
    """
    curves = []
    for training in trial.trainings:
        bounds = (0, *training.untils)
        stop = bounds[until] if until < len(bounds) else None
        curves.append(Curve(training.curve.epochs[bounds[min(first, len(bounds) - 1)] : stop]))
    bests = [curve.best(objective) or (None, None) for curve in curves]
    if trial.joint is None:
        return tuple(None if score is None else (epoch, score) for epoch, score in bests)
    cuts = [
        Training(curve, score, epoch, untils=(len(curve),)) for curve, (epoch, score) in zip(curves, bests, strict=True)
    ]
    alone = replace(trial, trainings=tuple(cuts), joint=Training(), runs=trial.runs[:1])
    return joined(alone, objective).counted
