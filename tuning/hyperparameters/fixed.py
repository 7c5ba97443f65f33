"""A value that is recorded and never searched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from tuning.hyperparameters.base import Hyperparameter


@dataclass(frozen=True)
class Fixed(Hyperparameter):
    """One value, `default`."""

    kind: ClassVar[str] = "fixed"
    is_fixed: ClassVar[bool] = True

    def contains(self, value: Any) -> bool:
        return value is self.default or bool(value == self.default)

    def has_values_of(self, other: Hyperparameter) -> bool:
        return super().has_values_of(other) and self.contains(other.default)

    def describe(self) -> str:
        return repr(self.default)

    def values(self) -> Sequence[Any]:
        return (self.default,)

    def count(self) -> float:
        return 1

    def value_at(self, index: int) -> Any:
        return self.default

    def index_of(self, value: Any) -> int:
        return 0
