"""One of several listed values, of any types that JSON has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from tuning.errors import SpaceError, must
from tuning.hyperparameters.base import Hyperparameter


@dataclass(frozen=True)
class Choice(Hyperparameter):
    """One of `choices`.

    Attributes:
        choices: the values, in order.
        ordered: whether their order means something.
    """

    choices: tuple[Any, ...]
    ordered: bool = False

    kind: ClassVar[str] = "choice"

    def __post_init__(self) -> None:
        if not self.choices:
            raise SpaceError(must(self.request, "have at least one value", self.choices))
        super().__post_init__()

    @property
    def is_ordered(self) -> bool:
        return self.ordered

    def contains(self, value: Any) -> bool:
        return any(_is_same(value, choice) for choice in self.choices)

    def describe(self) -> str:
        return "one of " + ", ".join(map(repr, self.choices))

    def values(self) -> Sequence[Any]:
        return self.choices

    def count(self) -> float:
        return len(self.choices)

    def value_at(self, index: int) -> Any:
        return self.choices[index]

    def index_of(self, value: Any) -> int:
        """Return the index of a value.

        Raises:
            ValueError: it is none of the choices.
        """
        same = [index for index, choice in enumerate(self.choices) if _is_same(value, choice)]
        return same[0] if same else self.choices.index(value)


def _is_same(value: Any, choice: Any) -> bool:
    """Tell whether both are equal and of one type: True is not 1."""
    return bool(value == choice and type(value) is type(choice))
