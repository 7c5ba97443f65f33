"""One hyperparameter as a frozen record.

Owns what is a legal value and the record's JSON form. Engines, the store and TensorBoard translate this
record into their own terms.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from tuning.errors import SpaceError, must

Kind = Literal["int", "float", "choice", "boolean", "fixed"]
SAMPLINGS = ("linear", "log", "reverse_log")


@dataclass(frozen=True)
class Condition:
    """Holds when the hyperparameter `name` has one of `values`."""

    name: str
    values: tuple[Any, ...]

    def holds(self, values: Mapping[str, Any]) -> bool:
        return self.name in values and values[self.name] in self.values


@dataclass(frozen=True)
class Hyperparameter:
    """A hyperparameter: its kind, its legal values, its default, and when it applies.

    Attributes:
        name: full name, name scopes included.
        kind: int, float, choice, boolean or fixed.
        default: value of the first configuration; for `fixed`, the value.
        low, high: inclusive bounds of int and float.
        step: distance of neighbours (linear) or their ratio (log, reverse_log); None for all values.
        sampling: linear, log or reverse_log.
        choices: the values of a choice, in order.
        ordered: whether a choice's order means something.
        conditions: all must hold for the hyperparameter to apply.
    """

    name: str
    kind: Kind
    default: Any
    low: float | None = None
    high: float | None = None
    step: float | None = None
    sampling: str = "linear"
    choices: tuple[Any, ...] = ()
    ordered: bool = False
    conditions: tuple[Condition, ...] = ()

    def __post_init__(self) -> None:
        if self.kind in ("int", "float"):
            self._check_range()
        if self.kind == "choice" and not self.choices:
            raise SpaceError(must(f"hp.Choice('{self.name}')", "have at least one value", self.choices))
        if self.kind != "fixed" and not self.contains(self.default):
            raise SpaceError(must(f"default of '{self.name}'", f"be {self.describe()}", self.default))

    def _check_range(self) -> None:
        where = f"hp.{self.kind.capitalize()}('{self.name}')"
        low, high = self.bounds
        if not low <= high:
            raise SpaceError(must(where, "have min_value <= max_value", (low, high)))
        if self.sampling not in SAMPLINGS:
            raise SpaceError(must(where, f"have a sampling of {', '.join(SAMPLINGS)}", self.sampling))
        if self.sampling != "linear" and low <= 0:
            raise SpaceError(must(where, f"have min_value > 0 for sampling='{self.sampling}'", low))
        least = 0 if self.sampling == "linear" else 1
        if self.step is not None and self.step <= least:
            raise SpaceError(must(where, f"have step > {least} for sampling='{self.sampling}'", self.step))

    @property
    def bounds(self) -> tuple[float, float]:
        """Inclusive bounds of an int or float."""
        if self.low is None or self.high is None:
            raise SpaceError(must(f"'{self.name}'", "be an int or float with bounds", self.kind))
        return self.low, self.high

    def is_active(self, values: Mapping[str, Any]) -> bool:
        """Tell whether the hyperparameter applies, given the values of its parents."""
        return all(condition.holds(values) for condition in self.conditions)

    def contains(self, value: Any) -> bool:
        """Tell whether `value` is legal: type, bounds and step."""
        if self.kind == "fixed":
            return bool(value == self.default)
        if self.kind == "boolean":
            return isinstance(value, bool)
        if self.kind == "choice":
            return any(value == c and type(value) is type(c) for c in self.choices)
        if isinstance(value, bool) or not isinstance(value, int if self.kind == "int" else (int, float)):
            return False
        low, high = self.bounds
        slack = 0 if self.kind == "int" else 1e-9 * max(abs(low), abs(high))
        return low - slack <= value <= high + slack and self._is_on_grid(value)

    def _is_on_grid(self, value: float) -> bool:
        if self.step is None:
            return True
        low, high = self.bounds
        if self.sampling == "linear":
            index = (value - low) / self.step
        else:
            distance = value if self.sampling == "log" else high + low - value
            index = math.log(distance / low, self.step)
        if self.kind == "int" and self.sampling != "linear":
            return True  # KerasTuner rounds the products down; bounds are all that can be checked
        return abs(index - round(index)) < 1e-6

    def count(self) -> float:
        """Return the number of legal values; infinity for a continuous range."""
        if self.kind == "fixed":
            return 1
        if self.kind == "boolean":
            return 2
        if self.kind == "choice":
            return len(self.choices)
        low, high = self.bounds
        if self.step is None:
            return high - low + 1 if self.kind == "int" else (1 if low == high else math.inf)
        if self.sampling == "linear":
            return math.floor((high - low) / self.step + 1e-9) + 1
        return math.floor(math.log(high / low, self.step) + 1e-8) + 1

    def value_at(self, index: int) -> Any:
        """Return legal value number `index` of a stepped range, counted from `low` on, or from the first choice."""
        if self.kind == "boolean":
            return bool(index)
        if self.kind == "choice":
            return self.choices[index]
        low, high = self.bounds
        step = 1 if self.step is None else self.step  # whole numbers
        if self.sampling == "linear" or self.step is None:
            value = low + index * step
        elif self.sampling == "log":
            value = low * step**index
        else:
            value = low + high - low * step**index
        return int(value) if self.kind == "int" else min(high, max(low, float(f"{value:.12g}")))

    def index_of(self, value: Any) -> int:
        """Return the number of the legal value of a stepped range that is nearest to `value`."""
        low, high = self.bounds
        if self.step is None:
            return round(value - low)
        if self.sampling == "linear":
            index = (value - low) / self.step
        else:
            index = math.log((value if self.sampling == "log" else low + high - value) / low, self.step)
        return min(max(round(index), 0), int(self.count()) - 1)

    def to_unit(self, value: Any) -> float:
        """Return the place of a legal value in [0, 1], on the hyperparameter's own scale.

        What is counted has cells of equal width, and a value lies in the middle of its own; whole numbers on a
        logarithmic scale without steps lie where the scale has them.
        """
        if self.kind == "fixed":
            return 0.5
        if self.kind == "boolean":
            return 0.75 if value else 0.25
        if self.kind == "choice":
            index = next(i for i, c in enumerate(self.choices) if c == value and type(c) is type(value))
            return (index + 0.5) / len(self.choices)
        if self.step is not None:
            return (self.index_of(value) + 0.5) / self.count()
        low, high = self._unit_bounds()
        if low == high:
            return 0.5
        if self.sampling == "linear":
            place = (value - low) / (high - low)
        else:
            place = math.log((value if self.sampling == "log" else low + high - value) / low) / math.log(high / low)
            place = place if self.sampling == "log" else 1 - place
        return min(max(place, 0.0), 1.0)

    def from_unit(self, unit: float) -> Any:
        """Return the legal value at a place of [0, 1]: evenly drawn places give values evenly drawn on the scale."""
        if self.kind == "fixed":
            return self.default
        if self.kind in ("boolean", "choice") or self.step is not None:
            n = int(self.count())
            return self.value_at(min(int(unit * n), n - 1))
        low, high = self._unit_bounds()
        if self.sampling == "linear":
            value = low + unit * (high - low)
        elif self.sampling == "log":
            value = low * (high / low) ** unit
        else:
            value = low + high - low * (high / low) ** (1 - unit)
        least, most = self.bounds
        return min(max(round(value) if self.kind == "int" else value, least), most)

    def _unit_bounds(self) -> tuple[float, float]:
        """Return the bounds of a range without steps; around whole numbers half a unit more, so that none is rare."""
        low, high = self.bounds
        return (low - 0.5, high + 0.5) if self.kind == "int" else (low, high)

    def fixed_at(self, value: Any) -> Hyperparameter:
        """Return this hyperparameter with one legal value.

        Raises:
            SpaceError: the value is not legal.
        """
        if self.kind == "float" and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if not self.contains(value):
            raise SpaceError(must(self.name, f"be {self.describe()}", value))
        return replace(self, kind="fixed", default=value, choices=(), low=None, high=None, step=None)

    def describe(self) -> str:
        """Return the legal values in words a person reads: "64 .. 512 by 64", "0.0001 .. 0.01 (log)"."""
        if self.kind == "fixed":
            return repr(self.default)
        if self.kind == "boolean":
            return "True or False"
        if self.kind == "choice":
            return "one of " + ", ".join(map(repr, self.choices))
        text = f"{self.low} .. {self.high}"
        if self.step is not None and not (self.kind == "int" and self.step == 1):
            text += f" by {self.step}" if self.sampling == "linear" else f" times {self.step}"
        return text if self.sampling == "linear" else f"{text} ({self.sampling})"

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object without the fields that have their default."""
        blank = {
            "low": None,
            "high": None,
            "step": None,
            "sampling": "linear",
            "choices": (),
            "ordered": False,
            "conditions": (),
        }
        return {k: v for k, v in asdict(self).items() if k not in blank or v != blank[k]}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Hyperparameter:
        """Read what `to_json` wrote, after a round trip through JSON text."""
        conditions = tuple(Condition(c["name"], tuple(c["values"])) for c in record.get("conditions", ()))
        return cls(**{**record, "choices": tuple(record.get("choices", ())), "conditions": conditions})
