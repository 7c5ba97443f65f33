"""Which trials are best: by one objective, or the Pareto set of several, which no other trial beats in all of them.

Owns the comparison of trials.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from tuning.records.objective import Objective
from tuning.records.trial import State, Trial


def ranked(trials: Sequence[Trial], objective: Objective) -> list[Trial]:
    """Return the trials that have a score, best first; failed ones never count."""
    scored = [
        (objective.sort_key(t.score), t.number, t)
        for t in trials
        if t.score is not None and t.state is not State.FAILED
    ]
    return [trial for _, _, trial in sorted(scored, key=lambda entry: entry[:2])]


def scores_of(trial: Trial, objectives: Sequence[Objective]) -> tuple[float | None, ...]:
    """Return a score for each objective: what its model costs, or a metric at the best epoch.

    Of a trial with parts a metric is the mean over them, each at its own best epoch, as its score is.
    """
    trainings = trial.parts or (trial,)
    found: list[float | None] = []
    for objective in objectives:
        if objective.is_resource:
            found.append(trial.resources.get(objective.name))
            continue
        values = [
            math.nan if t.best_epoch is None else t.curve.epochs[t.best_epoch].get(objective.name, math.nan)
            for t in trainings
        ]
        mean = sum(values) / len(values)
        found.append(mean if math.isfinite(mean) else None)
    return tuple(found)


def pareto(trials: Sequence[Trial], objectives: Sequence[Objective]) -> list[Trial]:
    """Return the trials that are not dominated, the best in the first objective first.

    A trial dominates another one when it is better in one objective and worse in none. Trials that failed or lack
    a score do not count.

    Args:
        trials: their `scores` are in the order of `objectives`.
        objectives: at least two.
    """
    keys = {}
    for trial in trials:
        scores = [score for score in trial.scores if score is not None]
        if trial.state is State.COMPLETED and len(scores) == len(objectives):
            keys[trial.number] = tuple(o.sort_key(score) for o, score in zip(objectives, scores, strict=True))
    chosen = [t for t in trials if t.number in keys and not any(_dominates(k, keys[t.number]) for k in keys.values())]
    return sorted(chosen, key=lambda trial: (keys[trial.number], trial.number))


def _dominates(mine: tuple[float, ...], theirs: tuple[float, ...]) -> bool:
    return mine != theirs and all(a <= b for a, b in zip(mine, theirs, strict=True))
