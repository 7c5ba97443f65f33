"""Whole numbers of a range."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from tuning.hyperparameters.number import Number
from tuning.hyperparameters.scale import SCALES, Scale

MAX_LISTED = 1000
"""Most neighbouring whole numbers that are listed one by one; longer ranges are drawn from."""


@dataclass(frozen=True)
class Int(Number):
    """A whole number of [low, high]; the attributes are those of `Number`, and whole."""

    kind: ClassVar[str] = "int"

    def contains(self, value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, int) or not self.low <= value <= self.high:
            return False
        if self.step is None or self.scale.is_logarithmic:
            return True  # KerasTuner rounds the products down; bounds are all that can be checked
        return self.scale.allows(value)

    def describe(self) -> str:
        return super().describe() if self.step != 1 else f"{self.low} .. {self.high}"

    def values(self) -> Sequence[int] | None:
        if self.step not in (None, 1):
            return [self.rounded(value) for value in self.scale.values()]
        return list(range(int(self.low), int(self.high) + 1)) if self.count() <= MAX_LISTED else None

    def rounded(self, value: float) -> int:
        return int(min(max(round(value), self.low), self.high))

    @cached_property
    def unit_scale(self) -> Scale:
        """The scale with half a unit more at both ends, so that the first and the last number are no rarer."""
        return SCALES[self.sampling](self.low - 0.5, self.high + 0.5)
