"""Which trials are best: by one objective, or the Pareto set of several, which no other trial beats in all of them.

Owns the comparison of trials. `Ranking` and `Front` are kept up to date trial by trial, for whoever is told of one
after the other and cannot look at thousands each time.
"""

from __future__ import annotations

import bisect
import math
from array import array
from collections.abc import Sequence

from tuning.records.objective import RESOURCES, Objective
from tuning.records.trial import RETURNED, State, Training, Trial


def ranked(trials: Sequence[Trial], objective: Objective) -> list[Trial]:
    """Return the trials that have a score, best first; those that failed or break a constraint never count."""
    scored = [
        (objective.sort_key(t.score), t.number, t)
        for t in trials
        if t.score is not None and t.state is not State.FAILED and t.is_feasible
    ]
    return [trial for _, _, trial in sorted(scored, key=lambda entry: entry[:2])]


def scores_of(trial: Trial, objectives: Sequence[Objective]) -> tuple[float | None, ...]:
    """Return a score for each objective: what its model costs, or a metric at the best epoch.

    A metric is the mean over the trial's trainings, each at the epoch that counts for its score.
    """
    found: list[float | None] = []
    for objective in objectives:
        is_first = all(o.is_resource for o in objectives[: objectives.index(objective)])
        found.append(value_of(trial, objective.name, is_first and not objective.is_resource))
    return tuple(found)


def value_of(trial: Trial, name: str, is_first: bool = False) -> float | None:
    """Return what a trial's model costs, or a metric at its best epoch, by name; None where there is no value.

    Args:
        is_first: whether what `fit` returned stands for the metric.
    """
    if name in RESOURCES:
        return trial.resources.get(name)
    epochs = _epochs_that_count(trial)
    values = [_at(t, e, name, is_first) for t, e in zip(trial.trainings, epochs, strict=True)]
    mean = sum(values) / len(values)
    return mean if math.isfinite(mean) else None


def _epochs_that_count(trial: Trial) -> list[int | None]:
    """Return the epoch at which each training is looked at; None for one without."""
    if not trial.counted:
        return [training.best_epoch for training in trial.trainings]
    return [None if one is None else one[0] for one in trial.counted]


def _at(training: Training, best: int | None, name: str, is_first: bool) -> float:
    """Return a metric at an epoch; of the first objective what `fit` returned, if it did."""
    if best is None:
        return math.nan
    epoch = training.curve.epochs[best]
    return epoch.get(RETURNED if is_first and RETURNED in epoch else name, math.nan)


def pareto(trials: Sequence[Trial], objectives: Sequence[Objective]) -> list[Trial]:
    """Return the trials that are not dominated, the best in the first objective first.

    A trial dominates another one when it is better in one objective and worse in none. Trials that failed, lack
    a score or break a constraint do not count.

    Args:
        trials: their `scores` are in the order of `objectives`.
        objectives: at least two.
    """
    front, by_number = Front(objectives), {trial.number: trial for trial in trials}
    for trial in trials:
        front.update(trial)
    return [by_number[number] for number in front.numbers]


class Ranking:
    """Trials by one objective, best first; equal ones by number.

    Those that failed, have no score or break a constraint never count.
    """

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self._keys: dict[int, float] = {}
        self._order, self._numbers = array("d"), list[int]()  # the keys in ascending order, and whose they are

    def update(self, trial: Trial, counts: bool = True) -> None:
        """Put a trial where it belongs by now; nowhere unless it `counts`."""
        before = self._keys.pop(trial.number, None)
        if before is not None:
            place = self._place(before, trial.number)
            del self._order[place], self._numbers[place]
        if counts and trial.score is not None and trial.state is not State.FAILED and trial.is_feasible:
            key = self._keys[trial.number] = self._objective.sort_key(trial.score)
            place = self._place(key, trial.number)
            self._order.insert(place, key)
            self._numbers.insert(place, trial.number)

    def _place(self, key: float, number: int) -> int:
        first, last = bisect.bisect_left(self._order, key), bisect.bisect_right(self._order, key)
        return bisect.bisect_left(self._numbers, number, first, last)

    def first(self, n: int) -> list[int]:
        """Return the numbers of the `n` best trials, or of all where there are fewer."""
        return self._numbers[:n]

    def best(self) -> tuple[int, float] | None:
        """Return the number of the best trial and its score; None when there is none."""
        return (self._numbers[0], self._objective.sort_key(self._order[0])) if self._numbers else None


class Front:
    """The numbers of the trials that no other one dominates; see `pareto`."""

    def __init__(self, objectives: Sequence[Objective]) -> None:
        self._objectives = objectives
        self._keys: dict[int, tuple[float, ...]] = {}
        self._front: dict[int, tuple[float, ...]] = {}

    def __contains__(self, number: int) -> bool:
        return number in self._front

    @property
    def numbers(self) -> list[int]:
        """The best in the first objective first; empty without objectives."""
        return sorted(self._front, key=lambda number: (self._front[number], number))

    def update(self, trial: Trial) -> bool:
        """Take in what a trial is by now; tell whether the front has changed."""
        key = self._key(trial)
        if self._keys.get(trial.number) == key:
            return False
        before = set(self._front)
        self._keys.pop(trial.number, None)
        if self._front.pop(trial.number, None) is not None:  # what it alone has dominated comes back
            self._front = {}
            for number, other in self._keys.items():
                self._take_in(number, other)
        if key is not None:
            self._keys[trial.number] = key
            self._take_in(trial.number, key)
        return set(self._front) != before

    def _key(self, trial: Trial) -> tuple[float, ...] | None:
        scores = [score for score in trial.scores if score is not None]
        if not self._objectives or trial.state is not State.COMPLETED or len(scores) != len(self._objectives):
            return None
        if not trial.is_feasible:
            return None
        return tuple(o.sort_key(score) for o, score in zip(self._objectives, scores, strict=True))

    def _take_in(self, number: int, key: tuple[float, ...]) -> None:
        if not any(_dominates(other, key) for other in self._front.values()):
            self._front = {n: other for n, other in self._front.items() if not _dominates(key, other)}
            self._front[number] = key


def _dominates(mine: tuple[float, ...], theirs: tuple[float, ...]) -> bool:
    return mine != theirs and all(a <= b for a, b in zip(mine, theirs, strict=True))
