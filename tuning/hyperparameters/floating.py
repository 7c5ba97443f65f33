"""Real numbers of a range."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from tuning.hyperparameters.number import Number


@dataclass(frozen=True)
class Float(Number):
    """A float of [low, high]; the attributes are those of `Number`."""

    kind: ClassVar[str] = "float"

    def contains(self, value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return False
        slack = 1e-9 * max(abs(self.low), abs(self.high))
        is_within = self.low - slack <= value <= self.high + slack
        return is_within and (self.step is None or self.scale.allows(value))

    def values(self) -> Sequence[float] | None:
        """Return the values as adding or multiplying makes them, noise included: grids of stored studies have them."""
        if self.step is None:
            return [self.low] if self.low == self.high else None
        return [float(value) for value in self.scale.values()]

    def count(self) -> float:
        return math.inf if self.step is None and self.low < self.high else super().count()

    def rounded(self, value: float) -> float:
        return min(self.high, max(self.low, float(f"{value:.12g}")))

    def converted(self, value: Any) -> Any:
        return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
