"""Trials that are trained several times: how a trial and its parts, folds or repeats, hang together.

Owns what the curve and the score of such a trial are. An epoch belongs to its curve as soon as every part has reached
it or has ended its run before it; a metric there is the mean over the parts that reported it. So a curve only grows
while a run is under way. The score is the mean of the parts' scores, each at the part's own best epoch, and there is
none before every part has one; the best epoch is the curve's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tuning.records.objective import Objective
from tuning.records.trial import Curve, Part, Trial


def as_part(trial: Trial, part: int | None) -> Trial:
    """Return the trial as one of its trainings sees it, as if there were no other; None is the trial itself."""
    if part is None:
        return trial
    p = trial.parts[part]
    return replace(
        trial,
        curve=p.curve,
        score=p.score,
        best_epoch=p.best_epoch,
        seconds=p.seconds,
        checkpoint=p.checkpoint,
        lost=p.lost,
    )


def with_part(trial: Trial, part: int | None, objective: Objective) -> Trial:
    """Return the whole trial again, after something became of what `as_part` returned."""
    if part is None:
        return trial
    changed = replace(
        trial.parts[part],
        curve=trial.curve,
        score=trial.score,
        best_epoch=trial.best_epoch,
        seconds=trial.seconds,
        checkpoint=trial.checkpoint,
        lost=trial.lost,
    )
    return joined(replace(trial, parts=(*trial.parts[:part], changed, *trial.parts[part + 1 :])), objective)


def joined(trial: Trial, objective: Objective) -> Trial:
    """Return the trial with the curve, score and sums that follow from its parts."""
    parts = trial.parts
    curve = mean_curve(parts, len(trial.runs))
    best = objective.best(curve.values(objective.name))
    scores = [part.score for part in parts if part.score is not None]
    return replace(
        trial,
        curve=curve,
        score=sum(scores) / len(scores) if len(scores) == len(parts) else None,
        best_epoch=None if best is None else best[0],
        seconds=sum(part.seconds for part in parts),
        checkpoint=min(part.checkpoint for part in parts),
        lost=max(part.lost for part in parts),
    )


def mean_curve(parts: Sequence[Part], n_runs: int) -> Curve:
    """Return the mean of the parts' curves, in a trial with `n_runs` runs."""
    lengths = [len(part.curve) for part in parts]
    under_way = [len(part.curve) for part in parts if len(part.untils) < n_runs]
    epochs = []
    for epoch in range(min(under_way, default=max(lengths))):
        reported: dict[str, list[float]] = {}
        for part in parts:
            for name, value in part.curve.epochs[epoch].items() if epoch < len(part.curve) else ():
                reported.setdefault(name, []).append(value)
        epochs.append({name: sum(values) / len(values) for name, values in reported.items()})
    return Curve(tuple(epochs))


def not_ended(trial: Trial) -> list[int | None]:
    """Return the parts whose training in the last run has not ended; [None] for a trial without parts."""
    if not trial.parts:
        return [None]
    return [index for index, part in enumerate(trial.parts) if len(part.untils) < len(trial.runs)]


def with_part_ended(trial: Trial, part: int, objective: Objective) -> Trial:
    """Return the trial after one of its parts has ended the last run."""
    ended = trial.parts[part]
    ended = replace(ended, untils=(*ended.untils, len(ended.curve)), lost=0)
    return joined(replace(trial, parts=(*trial.parts[:part], ended, *trial.parts[part + 1 :])), objective)


def best_of_run(trial: Trial, objective: Objective) -> tuple[int, float] | None:
    """Return (epoch, score) of the last run of a trial, counting only what it trained in that run.

    With parts the score is the mean of theirs, and the epoch the latest of theirs; None when a part has no score.
    Epochs count from the run's first.
    """
    if not trial.parts:
        first = (trial.runs[-2].until or 0) if len(trial.runs) > 1 else 0
        return objective.best(trial.curve.values(objective.name)[first : trial.run.until])
    found = []
    for part in trial.parts:
        bounds, n = (0, *part.untils), len(trial.runs)
        values = part.curve.values(objective.name)[bounds[n - 1] : bounds[n] if n < len(bounds) else None]
        found.append(objective.best(values))
    scored = [best for best in found if best is not None]
    if len(scored) < len(found):
        return None
    return max(epoch for epoch, _ in scored), sum(score for _, score in scored) / len(scored)
