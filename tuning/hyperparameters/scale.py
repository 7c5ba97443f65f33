"""Scales: where a number of a range lies in [0, 1], and which numbers a step allows.

Owns the arithmetic of linear, logarithmic and mirrored logarithmic ranges, with and without a step. A scale knows
real numbers only: rounding to whole numbers, or to what a person would write, is the hyperparameter's.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Scale(ABC):
    """A bijection between the numbers of [low, high] and [0, 1], and one between a step's numbers and their indices.

    Attributes:
        low, high: inclusive bounds.
        step: distance of neighbours, or on a logarithmic scale their ratio; None for all numbers.
        least_step: what a step must exceed.
        is_logarithmic: whether the bounds must be above 0.
        is_falling: whether index 0 belongs to `high`.
        word: what stands before the step in words.
    """

    low: float
    high: float
    step: float | None = None

    least_step: ClassVar[float] = 0
    is_logarithmic: ClassVar[bool] = False
    is_falling: ClassVar[bool] = False
    word: ClassVar[str] = "by"

    def place(self, value: float) -> float:
        """Return the place of a number in [0, 1]: 0 for `low`, 1 for `high`; the middle where there is one number."""
        return 0.5 if self.low == self.high else min(max(self._place(value), 0.0), 1.0)

    def at(self, place: float) -> float:
        """Return the number at a place of [0, 1]."""
        return min(max(self._at(place), self.low), self.high)

    def count(self) -> int:
        """Return the number of numbers that the step allows."""
        return math.floor(self._distance() + 1e-8) + 1

    def values(self) -> list[float]:
        """Return the numbers that the step allows, in ascending order."""
        return sorted(self.value_at(index) for index in range(self.count()))

    def index_of(self, value: float) -> int:
        """Return the index of the allowed number that is nearest to `value`."""
        return min(max(round(self._index(value)), 0), self.count() - 1)

    def allows(self, value: float) -> bool:
        """Tell whether the step allows a number, but for rounding."""
        index = self._index(value)
        return abs(index - round(index)) < 1e-6

    @abstractmethod
    def value_at(self, index: int) -> float:
        """Return the number of an index."""

    @abstractmethod
    def _place(self, value: float) -> float: ...

    @abstractmethod
    def _at(self, place: float) -> float: ...

    @abstractmethod
    def _index(self, value: float) -> float:
        """Return the index of a number; between two indices for one that the step does not allow."""

    @abstractmethod
    def _distance(self) -> float:
        """Return the number of steps between the bounds."""

    def _step(self) -> float:
        if self.step is None:
            raise ValueError("this scale has no step")
        return self.step


class Linear(Scale):
    """Equal distances."""

    def value_at(self, index: int) -> float:
        return self.low + index * self._step()

    def _place(self, value: float) -> float:
        return (value - self.low) / (self.high - self.low)

    def _at(self, place: float) -> float:
        return self.low + place * (self.high - self.low)

    def _index(self, value: float) -> float:
        return (value - self.low) / self._step()

    def _distance(self) -> float:
        return (self.high - self.low) / self._step()


class Log(Scale):
    """Equal ratios: fine near `low`."""

    least_step = 1
    is_logarithmic = True
    word = "times"

    def value_at(self, index: int) -> float:
        power: float = self._step() ** index
        return self.low * power

    def _place(self, value: float) -> float:
        return math.log(value / self.low) / math.log(self.high / self.low)

    def _at(self, place: float) -> float:
        ratio: float = (self.high / self.low) ** place
        return self.low * ratio

    def _index(self, value: float) -> float:
        return math.log(value / self.low, self._step())

    def _distance(self) -> float:
        return math.log(self.high / self.low, self._step())


class ReverseLog(Log):
    """The mirror image of the logarithmic scale: fine near `high`."""

    is_falling = True

    def mirrored(self, value: float) -> float:
        """Return the number as far from the other bound."""
        return self.low + self.high - value

    def value_at(self, index: int) -> float:
        return self.mirrored(super().value_at(index))

    def _place(self, value: float) -> float:
        return 1 - super()._place(self.mirrored(value))

    def _at(self, place: float) -> float:
        return self.mirrored(super()._at(1 - place))

    def _index(self, value: float) -> float:
        return super()._index(self.mirrored(value))


SCALES: dict[str, type[Scale]] = {"linear": Linear, "log": Log, "reverse_log": ReverseLog}
"""Every scale by the name that `sampling` gives it."""
