"""Axes: the range and scale on which a hyperparameter or a score is drawn.

Owns what an axis looks like to `charts.js`, and where a value stands on it. A hyperparameter keeps the place of each of
its values whether or not they were tried; what does not apply to a trial stands on a place of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tuning.hyperparameters import Hyperparameter, Int, Number
from tuning.records.objective import Objective
from tuning.records.words import number

MAX_LABELS = 30
"""Most values of a choice that have a place each; of longer ones those that were tried."""

FAR = 4.0
"""Times the distance from the best to the third quarter behind which bad scores are drawn at the edge."""


@dataclass(frozen=True)
class Axis:
    """An axis.

    Attributes:
        title: what stands beside it.
        low, high: the values at its ends.
        scale: linear, log, reverse_log, category (places 0, 1, ... of `labels`) or time (seconds).
        labels: of the places of a category.
        is_whole: whether only whole numbers are marked.
        has_gap: whether it has a place for None.
        is_worse_high: whether what is None, in an axis without a place for it, stands at the upper end.
    """

    title: str
    low: float
    high: float
    scale: str = "linear"
    labels: tuple[str, ...] = ()
    is_whole: bool = False
    has_gap: bool = False
    is_worse_high: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return what `charts.js` reads."""
        given = {"title": self.title, "scale": self.scale, "low": self.low, "high": self.high}
        more = {"labels": list(self.labels), "whole": self.is_whole, "gap": self.has_gap, "worse": self.is_worse_high}
        return {**given, **{name: value for name, value in more.items() if value}}

    def place(self, value: Any, jitter: float = 0.0) -> float | None:
        """Return where a value stands; None for one that is not there. `jitter`, -1 to 1, parts equal categories."""
        if self.scale != "category":
            return short(float(value)) if isinstance(value, (int, float)) else None
        text = said(value)
        return short(self.labels.index(text) + 0.28 * jitter) if text in self.labels else None

    def unit(self, value: Any) -> float | None:
        """Return where a value stands between 0 and 1."""
        at = self.place(value)
        if at is None:
            return None
        bent, low, high = (self._bent(one) for one in (at, self.low, self.high))
        return min(1.0, max(0.0, (bent - low) / (high - low))) if high > low else 0.5

    def _bent(self, value: float) -> float:
        if self.scale == "log":
            return math.log(max(value, 1e-300))
        return -math.log(max(self.low + self.high - value, 1e-300)) if self.scale == "reverse_log" else value


def of_hyperparameter(name: str, same: Sequence[Hyperparameter], values: Sequence[Any]) -> Axis:
    """Return the axis of a hyperparameter.

    Args:
        name: its name.
        same: all that have this name, each under other conditions.
        values: what it is in the trials that are drawn; None where it does not apply.
    """
    numbers = [h for h in same if isinstance(h, Number)]
    has_gap = any(value is None for value in values)
    if len(numbers) < len(same):
        listed = list(dict.fromkeys(said(value) for h in same for value in h.values() or ()))
        tried = {said(value) for value in values if value is not None}
        if len(listed) > MAX_LABELS:
            listed = [text for text in listed if text in tried][:MAX_LABELS]
        listed += sorted(tried - set(listed))[: max(0, MAX_LABELS - len(listed))]
        labels = tuple(listed or ["None"])
        return Axis(name, -0.5, len(labels) - 0.5, "category", labels, has_gap=has_gap and "None" not in labels)
    low, high = min(h.low for h in numbers), max(h.high for h in numbers)
    scales = {h.sampling for h in numbers}
    scale = scales.pop() if len(scales) == 1 else "linear"
    if low == high:
        low, high, scale = low - 1, high + 1, "linear"
    return Axis(name, low, high, scale, is_whole=all(isinstance(h, Int) for h in numbers), has_gap=has_gap)


def said(value: Any) -> str:
    """Return the label of a value of a choice."""
    return "None" if value is None else number(value)


def of_scores(objective: Objective, scores: Sequence[float]) -> tuple[Axis, int]:
    """Return the axis of an objective, and how many scores are so bad that they are drawn at its edge."""
    order, is_worse_high = sorted(scores, key=objective.sort_key), objective.direction == "min"
    if not order:
        return Axis(objective.name, 0.0, 1.0, is_worse_high=is_worse_high), 0
    best, quarter, worst = order[0], order[(3 * len(order)) // 4], order[-1]
    sign = 1.0 if is_worse_high else -1.0
    limit = best + sign * FAR * abs(quarter - best)
    is_cut = len(order) >= 8 and abs(worst - best) > 2 * abs(limit - best) > 0
    edge = limit if is_cut else worst
    low, high = padded(min(best, edge), max(best, edge))
    axis = Axis(objective.name, low, high, is_worse_high=is_worse_high)
    return axis, sum(sign * (one - edge) > 0 for one in order) if is_cut else 0


def of_count(title: str, last: float) -> Axis:
    """Return the axis of what is counted from 0."""
    return Axis(title, -0.03 * last if last else -0.5, 1.03 * last if last else 0.5, is_whole=True)


def padded(low: float, high: float) -> tuple[float, float]:
    """Return ends with a little room beyond them."""
    room = 0.06 * (high - low) or 0.05 * abs(high) or 0.5
    return low - room, high + room


def short(value: float) -> float:
    """Return a number with the digits that a picture can show."""
    return float(f"{value:.6g}")
