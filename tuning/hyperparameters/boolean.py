"""True or False."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from tuning.hyperparameters.base import Hyperparameter


@dataclass(frozen=True)
class Boolean(Hyperparameter):
    """True or False; the attributes are those of `Hyperparameter`."""

    kind: ClassVar[str] = "boolean"

    def contains(self, value: Any) -> bool:
        return isinstance(value, bool)

    def describe(self) -> str:
        return "True or False"

    def values(self) -> Sequence[bool]:
        return False, True

    def count(self) -> float:
        return 2

    def value_at(self, index: int) -> bool:
        return bool(index)

    def index_of(self, value: Any) -> int:
        return int(value)
