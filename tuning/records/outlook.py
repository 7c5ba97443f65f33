"""What more trials would likely bring, judged by what the last ones have brought.

Owns the sentence at a search's end and the reason to end it early. The best score so far grows ever more slowly, with
every engine; so what the last third of the trials gained is more than as many further ones will likely gain.

References:
    A. Makarova et al., "Automatic Termination for Hyperparameter Optimization", AutoML 2022: end when what is left to
    gain is smaller than what matters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tuning.records.objective import Objective
from tuning.records.trial import Trial

LEAST = 10
"""Trials whose gain means something."""


@dataclass(frozen=True)
class Gain:
    """By how much the last `n_trials` trials with a score have improved the best one, as a number >= 0."""

    n_trials: int
    value: float


def last_gain(trials: Iterable[Trial], objective: Objective) -> Gain | None:
    """Return what the last third of the finished trials gained, at least `LEAST`; None with too few before them."""
    finished = [t for t in sorted(trials, key=lambda t: t.number) if t.state.is_finished and t.is_feasible]
    return _last_gain([t.score for t in finished if t.score is not None], objective)


def _last_gain(scores: Sequence[float], objective: Objective) -> Gain | None:
    n_last = max(LEAST, len(scores) // 3)
    if len(scores) < 2 * n_last:
        return None
    pick = max if objective.direction == "max" else min
    return Gain(n_last, abs(pick(scores) - pick(scores[:-n_last])))


def reason_to_stop(scores: Sequence[float], objective: Objective, tolerance: float) -> str:
    """Return why a search should end, when its last trials gained less than `tolerance`; empty otherwise.

    Args:
        scores: of the finished trials, in the order of their numbers.
        objective: of the study.
        tolerance: see above.
    """
    gain = _last_gain(scores, objective)
    if gain is None or gain.value >= tolerance:
        return ""
    return f"the last {gain.n_trials} trials improved {objective.name} by {gain.value:.3g}, less than {tolerance:g}"


def outlook(trials: Iterable[Trial], objective: Objective) -> str:
    """Return a sentence on what further trials would likely bring; empty when too few are finished."""
    gain = last_gain(trials, objective)
    if gain is None:
        return ""
    if gain.value == 0:
        return f"the last {gain.n_trials} trials improved nothing: as many more will likely bring little"
    return f"the last {gain.n_trials} trials improved {objective.name} by {gain.value:.3g}: as many more likely by less"
