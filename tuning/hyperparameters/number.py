"""Ranges of numbers, whole or not: what `Int` and `Float` have in common.

Owns the bounds and their checks. The arithmetic of scale and step is `scale`'s.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tuning.errors import SpaceError, must
from tuning.hyperparameters.base import Hyperparameter
from tuning.hyperparameters.scale import SCALES, Linear, Scale


@dataclass(frozen=True)
class Number(Hyperparameter):
    """A range of numbers.

    Attributes:
        low, high: inclusive bounds.
        step: distance of neighbours (linear) or their ratio (log, reverse_log); None for all values.
        sampling: linear, log or reverse_log, a key of `SCALES`.
    """

    low: float
    high: float
    step: float | None = None
    sampling: str = "linear"

    def __post_init__(self) -> None:
        self._check_range()
        super().__post_init__()

    def _check_range(self) -> None:
        if not self.low <= self.high:
            raise SpaceError(must(self.request, "have min_value <= max_value", self.bounds))
        if self.sampling not in SCALES:
            raise SpaceError(must(self.request, f"have a sampling of {', '.join(SCALES)}", self.sampling))
        scale = SCALES[self.sampling]
        if scale.is_logarithmic and self.low <= 0:
            raise SpaceError(must(self.request, f"have min_value > 0 for sampling='{self.sampling}'", self.low))
        if self.step is not None and self.step <= scale.least_step:
            rule = f"have step > {scale.least_step} for sampling='{self.sampling}'"
            raise SpaceError(must(self.request, rule, self.step))

    @property
    def bounds(self) -> tuple[float, float]:
        """Inclusive bounds."""
        return self.low, self.high

    @cached_property
    def scale(self) -> Scale:
        """The scale between the bounds."""
        return SCALES[self.sampling](self.low, self.high, self.step)

    @property
    def is_ordered(self) -> bool:
        return True

    @abstractmethod
    def rounded(self, value: float) -> Any:
        """Return a number of the scale as the nearest value there is: of its type, without noise, within the bounds."""

    def describe(self) -> str:
        text = f"{self.low} .. {self.high}"
        if self.step is not None:
            text += f" {self.scale.word} {self.step}"
        return f"{text} ({self.sampling})" if self.scale.is_logarithmic else text

    @cached_property
    def steps(self) -> Scale:
        """The scale that counts the values: without a step, whole numbers."""
        return Linear(self.low, self.high, 1) if self.step is None else self.scale

    def count(self) -> float:
        return self.steps.count()

    def value_at(self, index: int) -> Any:
        return self.rounded(self.steps.value_at(index))

    def index_of(self, value: Any) -> int:
        return self.steps.index_of(value)

    def levels(self, n: int) -> list[Any]:
        """Return at most `n` values at equal distances on the scale, the ends included; for one, the default."""
        listed = self.values()
        if listed is not None and len(listed) <= n:
            return list(listed)
        if n == 1:
            return [self.default]
        places = [i / (n - 1) for i in range(n)]
        if listed is not None and self.step is not None:  # at equal distances among those that there are
            return list(dict.fromkeys(listed[round(place * (len(listed) - 1))] for place in places))
        return list(dict.fromkeys(self.rounded(self.scale.at(place)) for place in places))

    @property
    def unit_scale(self) -> Scale:
        """The scale whose places are the values' where there is no step."""
        return self.scale

    def to_unit(self, value: Any) -> float:
        if self.step is None:
            return self.unit_scale.place(value)
        unit = super().to_unit(value)
        return 1 - unit if self.scale.is_falling else unit

    def from_unit(self, unit: float) -> Any:
        if self.step is None:
            return self.rounded(self.unit_scale.at(unit))
        return super().from_unit(1 - unit if self.scale.is_falling else unit)
