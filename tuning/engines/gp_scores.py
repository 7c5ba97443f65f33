"""What a Gaussian process is told of trials: their scores on a scale of its own.

Owns what decides how much a process learns from few trials. A trial that was stopped counts with what it had reached:
guessing what it would have come to was tried, and made searches worse, because few of those that went on were as bad.
Scores far below the middle, of trainings that diverged, are cut off: how bad they are means nothing and would flatten
all the rest. What is left has a mean of 0 and a deviation of 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from optuna.trial import FrozenTrial, TrialState

from tuning.engines.optuna_private import beyond_of

DEPTH = 1.5
"""How far below the middle scores are cut off, in distances of the best one from the middle."""


def scores_of(trials: Sequence[FrozenTrial], is_max: bool) -> tuple[list[int], np.ndarray]:
    """Return the numbers of the trials that have a score, and the scores, of which larger is better.

    Args:
        trials: of Optuna's study.
        is_max: whether larger is better there.
    """
    scored = [t for t in trials if t.values and t.state in (TrialState.COMPLETE, TrialState.PRUNED)]
    return [t.number for t in scored], standardised([t.values[0] if is_max else -t.values[0] for t in scored])


def standardised(scores: Sequence[float]) -> np.ndarray:
    """Return scores, of which larger is better, on the scale of a process."""
    values = np.array(scores)
    if not len(values):
        return values
    middle, best = float(np.median(values)), float(values.max())
    values = np.maximum(values, middle - DEPTH * (best - middle))
    return np.asarray((values - values.mean()) / (float(values.std()) or 1.0))


def excesses_of(trials: Sequence[FrozenTrial]) -> list[tuple[list[int], np.ndarray]]:
    """Return for each constraint the numbers of the trials that are known to keep or to break it, and how far beyond.

    The second is float [trials], 0 or less where the constraint is kept.
    """
    known = [(t.number, beyond) for t in trials if (beyond := beyond_of(t))]
    found = []
    for one in range(len(known[0][1]) if known else 0):
        pairs = [(number, value) for number, beyond in known if (value := beyond[one]) is not None]
        found.append(([number for number, _ in pairs], np.array([value for _, value in pairs])))
    return found
