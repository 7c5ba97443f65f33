"""What a Gaussian process is told of trials: their scores on a scale of its own, and after which part of a training.

Owns what decides how much a process learns from few trials. What a trial had reached where others were stopped stands
beside what it came to in the end, so that the process learns how much the one says about the other. Told as a final
score, what a stopped trial had reached would make the process look for what is good after few epochs.

Scores far below the middle, of trainings that diverged, are cut off: how bad they are means nothing and would flatten
all the rest. What is left has a mean of 0 and a deviation of 1.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from optuna.trial import FrozenTrial, TrialState

from tuning.engines.optuna.private import beyond_of

DEPTH = 1.5
"""How far below the middle scores are cut off, in distances of the best one from the middle."""

MAX_STOPS = 3
"""Lengths of stopped trainings at which those that went on are looked at, too: the commonest ones."""


@dataclass(frozen=True)
class Told:
    """Scores, of which larger is better.

    Attributes:
        numbers: of the trials; one that went on where others were stopped is there several times.
        shares: of a whole training after which each had its score, float [n], 1 at the end.
        scores: float [n].
    """

    numbers: Sequence[int]
    shares: np.ndarray
    scores: np.ndarray


def scored(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Return the trials that have a score."""
    return [t for t in trials if t.values and t.state in (TrialState.COMPLETE, TrialState.PRUNED)]


def told_of(trials: Sequence[FrozenTrial], is_max: bool, by_epochs: bool = True) -> Told:
    """Return what a process is told of trials that have a score.

    Args:
        trials: of Optuna's study.
        is_max: whether larger is better there.
        by_epochs: whether trials are stopped for what they had reached after an epoch.
    """
    sign = 1.0 if is_max else -1.0
    ends = {t.number: max(t.intermediate_values, default=0) + 1 if by_epochs else 1 for t in trials}
    whole = max(ends.values(), default=1)
    stopped = {t.number: ends[t.number] for t in trials if t.state is TrialState.PRUNED and ends[t.number] < whole}
    stops = sorted(length for length, _ in Counter(stopped.values()).most_common(MAX_STOPS))
    points: list[tuple[int, int, float]] = []
    for trial in trials:
        reached = _bests(trial, sign, [stop for stop in stops if stop < ends[trial.number]])
        points += [(trial.number, stop, value) for stop, value in reached.items()]
        points.append((trial.number, stopped.get(trial.number, whole), sign * trial.values[0]))
    gains = _gains(points, [*stops, whole])
    values = [value + float(np.interp(length, [*stops, whole], gains)) for _, length, value in points]
    firsts = {number: value for (number, _, _), value in reversed(list(zip(points, values, strict=True)))}
    shares = np.array([length / whole for _, length, _ in points])
    return Told([number for number, _, _ in points], shares, standardised(values, list(firsts.values())))


def _bests(trial: FrozenTrial, sign: float, lengths: Sequence[int]) -> dict[int, float]:
    """Return the best of so many first epochs, for each of `lengths` where there is one."""
    found = {}
    for length in lengths:
        values = [sign * value for step, value in trial.intermediate_values.items() if step < length]
        if values := [value for value in values if math.isfinite(value)]:
            found[length] = max(values)
    return found


def _gains(points: Sequence[tuple[int, int, float]], lengths: Sequence[int]) -> list[float]:
    """Return what a training usually gains from each of `lengths`, in ascending order, to the last of them."""
    at = {(number, length): value for number, length, value in points}
    gains = [0.0]
    for shorter, longer in reversed(list(zip(lengths, lengths[1:], strict=False))):
        found = [
            at[number, longer] - at[number, shorter] for number, n in at if n == shorter and (number, longer) in at
        ]
        gains.insert(0, gains[0] + (float(np.median(found)) if found else 0.0))
    return gains


def standardised(scores: Sequence[float], every: Sequence[float] | None = None) -> np.ndarray:
    """Return scores, of which larger is better, on the scale of a process.

    Args:
        scores: of trials.
        every: one score of each trial, whose middle it is; None where these are the `scores`.
    """
    values = np.array(scores)
    if not len(values):
        return values
    middle, best = float(np.median(scores if every is None else every)), float(values.max())
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
