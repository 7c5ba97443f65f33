"""Options of engines: a default, a rule, and how a value is read, be it text from a command line or an object.

Owns the readers that engines share. A reader raises `ValueError` or `TypeError` for what does not fit; the rule says
what would.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

INSTANCE = "instance of "
"""What the stored text of an option begins with that was given as an object."""


@dataclass(frozen=True)
class Option:
    """An option of an engine: how to read it, and what it must be."""

    default: Any
    rule: str
    read: Callable[[Any], Any]
    help: str


def whole_option(default: int | None, least: int, help: str) -> Option:
    """Return an option that is a whole number of at least `least`."""
    return Option(default, f"be a whole number >= {least}", whole(least), help)


def name_option(default: str | None, names: Sequence[str], help: str) -> Option:
    """Return an option that is one of some names."""
    return Option(default, f"be one of {', '.join(names)}", one_of(*names), help)


def whole(least: int) -> Callable[[Any], int]:
    """Return a reader of whole numbers of at least `least`."""

    def read(value: Any) -> int:
        number = int(value)
        if isinstance(value, bool) or number != float(value) or number < least:
            raise ValueError
        return number

    return read


def number(low: float = -math.inf, high: float = math.inf) -> Callable[[Any], float]:
    """Return a reader of finite numbers of `low` .. `high`."""

    def read(value: Any) -> float:
        read = float(value)
        if isinstance(value, bool) or not low <= read <= high or not math.isfinite(read):
            raise ValueError
        return read

    return read


def more_than(low: float) -> Callable[[Any], float]:
    """Return a reader of finite numbers greater than `low`."""

    def read(value: Any) -> float:
        read = float(value)
        if isinstance(value, bool) or not low < read < math.inf:
            raise ValueError
        return read

    return read


def yes_or_no(value: Any) -> bool:
    """Read true or false."""
    if value not in (True, False):
        raise ValueError
    return bool(value)


def one_of(*names: str) -> Callable[[Any], str]:
    """Return a reader of names."""

    def read(value: Any) -> str:
        if value not in names:
            raise ValueError
        return str(value)

    return read


def name_or_object(names: Sequence[str], method: str) -> Callable[[Any], Any]:
    """Read a name, or take an object that has `method`; how a stored object is remembered is a name as well."""

    def read(value: Any) -> Any:
        is_named = isinstance(value, str) and (value in names or value.startswith(INSTANCE))
        if not is_named and (isinstance(value, str) or not hasattr(value, method)):
            raise ValueError
        return value

    return read
