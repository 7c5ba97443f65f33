"""A space as a cube of numbers, for models that compute with many configurations at once.

Owns the way from values to rows and back: a row has one number of [0, 1] a hyperparameter, its place on its own scale.
Knows nothing of trials and scores.

A range that does not apply in a configuration lies in its middle there, and a category is none of its categories: two
configurations without it are no further apart for it, and that one of them has it shows in the parent that decides it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tuning.hyperparameters import Condition, Hyperparameter

MAX_PLACES = 4096
"""Most legal values of a hyperparameter that are listed; with more it counts as continuous."""

MIDDLE, NO_CATEGORY = 0.5, -1.0
"""What stands in a row for what does not apply."""

ROUNDING = 1e-6
"""Legal places are further apart than this, and one that is worked out twice is closer."""

HALF_ROOT = np.sqrt(0.5)
"""Two categories are one step apart, when each has a coordinate of its own."""


class Cube:
    """The hyperparameters that vary, parents before children.

    Args:
        space: all hyperparameters.

    Attributes:
        space: all hyperparameters, the fixed ones too.
        varying: those that have a column, in order.
        groups: the column that each coordinate of `coordinates` belongs to.
    """

    def __init__(self, space: Sequence[Hyperparameter]) -> None:
        self.space = tuple(space)
        self.varying = [h for h in self.space if not h.is_fixed and h.count() > 1]
        self.places = [_places(h) for h in self.varying]
        self.is_category = [not h.is_ordered for h in self.varying]
        widths = [int(h.count()) if c else 1 for h, c in zip(self.varying, self.is_category, strict=True)]
        self.groups = [column for column, width in enumerate(widths) for _ in range(width)]
        self._absent = np.where(self.is_category, NO_CATEGORY, MIDDLE)
        fixed = {h.name: h.default for h in self.space if h not in self.varying}
        self._conditions = [
            self._parents(column, c, fixed) for column, h in enumerate(self.varying) for c in h.conditions
        ]

    def row(self, values: Mapping[str, Any]) -> np.ndarray:
        """Return the row of a configuration."""
        row = np.array(self._absent)
        for column, h in enumerate(self.varying):
            if h.name in values and h.is_active(values) and h.contains(values[h.name]):
                row[column] = h.to_unit(values[h.name])
        return row

    def legal(self, rows: np.ndarray) -> np.ndarray:
        """Return rows with the nearest legal places, and what stands for none where a hyperparameter does not apply."""
        rows = np.clip(rows, 0.0, 1.0)
        for column, places in enumerate(self.places):
            if places is not None:
                rows[:, column] = places[np.searchsorted((places[1:] + places[:-1]) / 2, rows[:, column])]
        return np.where(self.active(rows), rows, self._absent)

    def active(self, rows: np.ndarray) -> np.ndarray:
        """Tell of each place in legal rows whether its hyperparameter applies."""
        active = np.ones(rows.shape, bool)
        for column, is_met, parents in self._conditions:
            holds = np.full(len(rows), is_met)
            for parent, allowed in parents:
                holds |= active[:, parent] & _at(rows[:, parent], allowed).any(1)
            active[:, column] &= holds
        return active

    def coordinates(self, rows: np.ndarray) -> np.ndarray:
        """Return legal rows as points: a category, or that it does not apply, is one step from any other."""
        columns = []
        for column, is_category in enumerate(self.is_category):
            places = self.places[column]
            if is_category and places is not None:
                columns += list(np.where(_at(rows[:, column], places).T, HALF_ROOT, 0.0))
            else:
                columns.append(rows[:, column])
        return np.asarray(np.array(columns).T)

    def neighbours(self, row: np.ndarray, n: int, width: float, rng: np.random.RandomState) -> np.ndarray:
        """Return `n` legal rows around one: some columns moved by about `width`, categories drawn anew."""
        shape = n, len(self.varying)
        moved = rng.uniform(size=shape) < max(0.3, 1.0 / len(self.varying))
        moved[np.arange(n), rng.randint(len(self.varying), size=n)] = True
        steps = row + width * rng.normal(size=shape)
        steps = np.where(steps < 0, -steps, np.where(steps > 1, 2 - steps, steps))  # reflected at the faces
        return self.legal(np.where(moved, np.where(self.is_category, rng.uniform(size=shape), steps), row))

    def _parents(self, column: int, condition: Condition, fixed: Mapping[str, Any]) -> _Parents:
        """Return what decides whether a condition on a column holds."""
        above = [(parent, h) for parent, h in enumerate(self.varying[:column]) if h.name == condition.name]
        allowed = [(parent, np.array([h.to_unit(v) for v in condition.values if h.contains(v)])) for parent, h in above]
        return column, fixed.get(condition.name, _NOTHING) in condition.values, allowed


_NOTHING = object()

_Parents = tuple[int, bool, list[tuple[int, np.ndarray]]]
"""The column that a condition is about, whether what is fixed meets it, and columns with the places that do."""


def _at(column: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Tell which of `places` each number of a legal column is at, bool [rows, places]."""
    return np.asarray(np.abs(column[:, None] - places) < ROUNDING)


def _places(h: Hyperparameter) -> np.ndarray | None:
    """Return the places of all legal values in ascending order; None where there are too many."""
    if h.count() > MAX_PLACES:
        return None
    return np.unique([h.to_unit(h.value_at(index)) for index in range(int(h.count()))])
