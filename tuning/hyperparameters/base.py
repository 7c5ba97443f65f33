"""What all hyperparameters have in common: a name, a default, and the conditions under which they apply.

Owns what a kind of hyperparameter must answer, so that nobody else asks which kind it is. To add a kind, write its
class in a file of its own here; three tables may need a line:

1. `kinds.KINDS`, by which stored hyperparameters are read;
2. the methods of `tuning.space.HyperParameters`, by which a program asks for one;
3. the translation to KerasTuner, `tuning.engines.keras_tuner.space`, or to Optuna, `tuning.space.distributions`, for
   a kind whose values cannot be listed and which is no `Number`. All others are choices to both without a line.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from tuning.errors import SpaceError, must, writable

if TYPE_CHECKING:
    from tuning.hyperparameters.fixed import Fixed


RESERVED = "tuner/"
"""What the names begin with under which KerasTuner's Hyperband hands on epochs and rounds."""


@dataclass(frozen=True)
class Condition:
    """Holds when the hyperparameter `name` has one of `values`; without values it never holds."""

    name: str
    values: tuple[Any, ...]

    def holds(self, values: Mapping[str, Any]) -> bool:
        return self.name in values and values[self.name] in self.values

    def describe(self) -> str:
        """Return the condition in words: "optimizer is 'sgd' or 'adam'"."""
        return f"{self.name} is {' or '.join(map(repr, self.values)) or 'nothing'}"


Key: TypeAlias = tuple[str, tuple[Condition, ...]]


def intersected(conditions: Iterable[Condition]) -> tuple[Condition, ...]:
    """Return conditions that hold together where the given ones do, one for each parent."""
    found: dict[str, Condition] = {}
    for condition in conditions:
        known = found.get(condition.name)
        if known is not None:
            condition = Condition(known.name, tuple(v for v in known.values if v in condition.values))
        found[condition.name] = condition
    return tuple(found.values())


@dataclass(frozen=True)
class Hyperparameter(ABC):
    """A hyperparameter: its name, its legal values, its default, and when it applies.

    Attributes:
        name: full name, name scopes included.
        default: value of the first configuration.
        conditions: all must hold for the hyperparameter to apply; there is one for each parent.
        kind: the word for the kind in what is stored.
        is_fixed: whether it can never have another value.
    """

    name: str
    default: Any
    conditions: tuple[Condition, ...] = field(default=(), kw_only=True)

    kind: ClassVar[str]
    is_fixed: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.name.startswith(RESERVED):
            raise SpaceError(
                must(
                    "the name of a hyperparameter",
                    f"not begin with {RESERVED}, which KerasTuner has for itself",
                    self.name,
                )
            )
        for text in (self.name, self.default, *getattr(self, "choices", ())):
            if isinstance(text, str) and writable(text) != text:
                raise SpaceError(must(f"the name and the values of '{self.name}'", "be text that UTF-8 can hold", text))
        object.__setattr__(self, "conditions", intersected(self.conditions))
        if not self.contains(self.default):
            raise SpaceError(must(f"default of '{self.name}'", f"be {self.describe()}", self.default))

    @property
    def key(self) -> Key:
        """What tells hyperparameters apart: one name may stand under several conditions."""
        return self.name, self.conditions

    @property
    def request(self) -> str:
        """The call that asks for it, as errors show it: "hp.Int('units')"."""
        return f"hp.{type(self).__name__}('{self.name}')"

    def is_active(self, values: Mapping[str, Any]) -> bool:
        """Tell whether the hyperparameter applies, given the values of its parents."""
        return all(condition.holds(values) for condition in self.conditions)

    def has_values_of(self, other: Hyperparameter) -> bool:
        """Tell whether both are of one kind with the same legal values; defaults may differ."""
        names = [f.name for f in fields(self) if f.name not in ("name", "default", "conditions")]
        return type(self) is type(other) and all(getattr(self, name) == getattr(other, name) for name in names)

    # What a kind must answer ---------------------------------------------------------------------------

    @abstractmethod
    def contains(self, value: Any) -> bool:
        """Tell whether `value` is legal: its type and the value itself."""

    @abstractmethod
    def describe(self) -> str:
        """Return the legal values in words a person reads: "64 .. 512 by 64", "0.0001 .. 0.01 (log)"."""

    @abstractmethod
    def values(self) -> Sequence[Any] | None:
        """Return all legal values in order; None where there are too many to list."""

    @abstractmethod
    def count(self) -> float:
        """Return the number of legal values; infinity for a continuous range."""

    @abstractmethod
    def value_at(self, index: int) -> Any:
        """Return the legal value of an index from 0 to `count() - 1`."""

    @abstractmethod
    def index_of(self, value: Any) -> int:
        """Return the index of a legal value; where values have distances, of the nearest to `value`."""

    # What follows from it, where a kind knows nothing better -------------------------------------------

    @property
    def is_ordered(self) -> bool:
        """Whether the order of the values means something."""
        return False

    def levels(self, n: int) -> list[Any]:
        """Return the values that stand for all of them in a grid: of a range at most `n`."""
        return list(self.values() or [self.default])

    def converted(self, value: Any) -> Any:
        """Return `value` in the hyperparameter's own type where that loses nothing: 1 as 1.0 for a float."""
        return value

    def to_unit(self, value: Any) -> float:
        """Return the place of a legal value in [0, 1], on the hyperparameter's own scale.

        What is counted has cells of equal width, and a value lies in the middle of its own.
        """
        return (self.index_of(value) + 0.5) / self.count()

    def from_unit(self, unit: float) -> Any:
        """Return the legal value at a place of [0, 1]: evenly drawn places give values evenly drawn on the scale."""
        n = int(self.count())
        return self.value_at(min(int(unit * n), n - 1))

    def drawn(self, draws: random.Random) -> Any:
        """Return a legal value, drawn evenly on the hyperparameter's scale."""
        return self.from_unit(draws.random())

    def fixed_at(self, value: Any) -> Fixed:
        """Return this hyperparameter with one legal value.

        Raises:
            SpaceError: the value is not legal.
        """
        from tuning.hyperparameters.fixed import Fixed

        value = self.converted(value)
        if not self.contains(value):
            raise SpaceError(must(self.name, f"be {self.describe()}", value))
        return Fixed(self.name, value, conditions=self.conditions)

    # JSON ----------------------------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object without the fields that have their default."""
        record = asdict(self)
        conditions = record.pop("conditions")
        blank = {f.name: f.default for f in fields(self)}
        own = {name: value for name, value in record.items() if name in ("name", "default") or value != blank[name]}
        return {
            "name": own.pop("name"),
            "kind": self.kind,
            **own,
            **({"conditions": conditions} if conditions else {}),
        }

    @staticmethod
    def from_json(record: Mapping[str, Any]) -> Hyperparameter:
        """Read what `to_json` of any kind wrote, after a round trip through JSON text."""
        from tuning.hyperparameters.kinds import KINDS

        if record["kind"] not in KINDS:
            raise SpaceError(must(f"kind of '{record['name']}'", f"be one of {', '.join(KINDS)}", record["kind"]))
        kind = KINDS[record["kind"]]
        names = [f.name for f in fields(kind)]
        given = {name: _frozen(record[name]) for name in names if name in record and name != "conditions"}
        conditions = tuple(Condition(c["name"], tuple(c["values"])) for c in record.get("conditions", ()))
        return kind(**given, conditions=conditions)


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def unknown(known: Iterable[Hyperparameter], found: Iterable[Hyperparameter]) -> list[Hyperparameter]:
    """Return those of `found` that are not among `known`, by their keys; each once."""
    keys = {h.key for h in known}
    return list({h.key: h for h in reversed(list(found)) if h.key not in keys}.values())[::-1]
