"""The Pareto set: the trials that no other trial beats in every respect.

Owns the comparison of trials in several objectives.
"""

from __future__ import annotations

from collections.abc import Sequence

from tuning.objective import Objective
from tuning.trial import State, Trial


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
