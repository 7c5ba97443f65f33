"""Columns of the HPARAMS tab: one hyperparameter as TensorBoard knows it.

Owns the translation of hyperparameters and their values into TensorBoard's three types (number, bool, string)
and two kinds of domain (interval, list of values), and which columns are shown first. TensorBoard answers with
an error as soon as one column mixes types, so a column that would is one of strings throughout.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from google.protobuf import struct_pb2
from tensorboard.plugins.hparams import api_pb2

from tuning.hyperparameters import Hyperparameter, Number

VISIBLE = 5
"""Hyperparameters, and metrics, that the tab shows before anybody ticks a box. Parallel coordinates drops
every trial that lacks one of them."""

FEW = 10
"""From this many listed values on the tab asks for a regular expression, which it then refuses for numbers."""

Kind = Literal["number", "bool", "string"]
_TYPES: dict[Kind, int] = {
    "number": api_pb2.DATA_TYPE_FLOAT64,  # for whole numbers as well: there is no other
    "bool": api_pb2.DATA_TYPE_BOOL,
    "string": api_pb2.DATA_TYPE_STRING,
}


@dataclass(frozen=True)
class Column:
    """One name in the table, whatever it means under which condition.

    Attributes:
        name: the hyperparameter's full name.
        kind: type of all its values.
        listed: every legal value, where they can be listed.
        low, high: bounds of numbers that are not listed; None where they are not known.
        always: whether every trial has a value.
        sampling: linear, log or reverse_log.
        description: the legal values and conditions in words.
    """

    name: str
    kind: Kind
    listed: tuple[Any, ...] = ()
    low: float | None = None
    high: float | None = None
    always: bool = False
    sampling: str = "linear"
    description: str = ""

    @property
    def varies(self) -> bool:
        """Tell whether the column can have more than one value."""
        return len(self.listed) > 1 if self.listed else self.low is None or self.low != self.high

    @property
    def display_name(self) -> str:
        """The name in the table's head; a logarithmic axis cannot be preset, only asked for."""
        return self.name if self.sampling == "linear" else f"{self.name} ({self.sampling.replace('_', ' ')})"

    def admits(self, value: Any) -> bool:
        """Tell whether `value` is of the column's type and within its domain."""
        if self.kind != kind_of(value):
            return self.kind == "string" and (not self.listed or str(value) in self.listed)
        if self.listed:
            return self._nearest(value) in self.listed
        return self.low is None or self.high is None or self.low <= value <= self.high

    def merged(self, other: Column) -> Column:
        """Return the column that holds the values of both."""
        kind: Kind = self.kind if self.kind == other.kind else "string"
        mine, theirs = (c.listed if c.kind == kind else tuple(map(str, c.listed)) for c in (self, other))
        listed = tuple(dict.fromkeys((*mine, *theirs))) if mine and theirs else ()
        if kind != "string":
            listed = tuple(sorted(listed)) if len(listed) < FEW else ()
        bounds = [] if listed or kind != "number" else [b for c in (self, other) for b in c.listed or (c.low, c.high)]
        low, high = (None, None) if not bounds or None in bounds else (min(bounds), max(bounds))
        return replace(
            self,
            kind=kind,
            listed=listed,
            low=low,
            high=high,
            always=self.always or other.always,
            sampling=self.sampling if self.sampling != "linear" else other.sampling,
            description="; or ".join(dict.fromkeys(filter(None, (self.description, other.description)))),
        )

    def encode(self, value: Any) -> struct_pb2.Value:
        """Return `value` in the column's type."""
        if self.kind == "string":
            return struct_pb2.Value(string_value=str(value))
        value = self._nearest(value)
        return struct_pb2.Value(bool_value=value) if self.kind == "bool" else struct_pb2.Value(number_value=value)

    def info(self, differs: bool) -> api_pb2.HParamInfo:
        """Return the column's entry in the experiment record; `differs` puts it before those without."""
        info = api_pb2.HParamInfo(
            name=self.name,
            display_name=self.display_name,
            description=self.description,
            type=_TYPES[self.kind],
            differs=differs,
        )
        if self.listed:
            info.domain_discrete.extend(self.listed)
        elif self.low is not None and self.high is not None:
            info.domain_interval.min_value, info.domain_interval.max_value = self.low, self.high
        return info

    def _nearest(self, value: Any) -> Any:
        """Return the listed value that `value` is but for rounding: a check box finds only what is equal."""
        if self.kind != "number":
            return value
        return next((v for v in self.listed if math.isclose(v, value, rel_tol=1e-9, abs_tol=1e-12)), value)


def kind_of(value: Any) -> Kind:
    """Return TensorBoard's type of a value; infinity and NaN, which it drops, are strings."""
    if isinstance(value, bool):
        return "bool"
    return "number" if isinstance(value, (int, float)) and abs(value) <= sys.float_info.max else "string"


def of_values(name: str, values: Iterable[Any], always: bool = False, description: str = "") -> Column:
    """Return the column of a list of values."""
    values = tuple(values)
    kinds = {kind_of(value) for value in values}
    if len(kinds) > 1 or kinds == {"string"}:
        return Column(name, "string", tuple(dict.fromkeys(map(str, values))), always=always, description=description)
    if kinds == {"bool"}:
        return Column(name, "bool", tuple(sorted(set(values))), always=always, description=description)
    if len(set(values)) < FEW:
        return Column(name, "number", tuple(sorted(set(values))), always=always, description=description)
    return Column(name, "number", low=min(values), high=max(values), always=always, description=description)


def seen_only(name: str, value: Any) -> Column:
    """Return the column of a hyperparameter that nobody described, as far as one value tells."""
    column = of_values(name, (False, True) if isinstance(value, bool) else (value,))
    return replace(column, listed=(), low=value, high=value) if column.kind == "number" else column


def of_hyperparameter(h: Hyperparameter, always: bool = False) -> Column:
    """Return the column of one hyperparameter; `always` when every trial has a value of it."""
    description = h.describe()
    if h.conditions:
        description += f", only where {' and '.join(c.describe() for c in h.conditions)}"
    if not isinstance(h, Number):
        return of_values(h.name, h.values() or (), always, description)
    listed = tuple(sorted({h.value_at(index) for index in range(int(h.count()))})) if h.count() < FEW else ()
    column = Column(h.name, "number", listed, always=always, sampling=h.sampling, description=description)
    return column if listed else replace(column, low=h.low, high=h.high)


def of_info(info: api_pb2.HParamInfo) -> Column:
    """Return the column that an entry of an experiment record stands for; its title is not kept."""
    kind: Kind = next(kind for kind, number in _TYPES.items() if number == info.type)
    column = Column(info.name, kind, tuple(info.domain_discrete), description=info.description)
    if not info.HasField("domain_interval"):
        return column
    return replace(column, low=info.domain_interval.min_value, high=info.domain_interval.max_value)


def of_space(hyperparameters: Sequence[Hyperparameter]) -> dict[str, Column]:
    """Return the columns of a space, by name, in its order; one for each name."""
    fixed = {h.name: h.default for h in hyperparameters if h.is_fixed and not h.conditions}
    columns: dict[str, Column] = {}
    for h in hyperparameters:
        column = of_hyperparameter(h, always=h.is_active(fixed))
        columns[h.name] = columns[h.name].merged(column) if h.name in columns else column
    return columns


def shown_first(columns: Mapping[str, Column], own: Sequence[str], spare: Sequence[str]) -> set[str]:
    """Choose the columns to show first, which every trial must have.

    Args:
        columns: the space's columns and the toolkit's own.
        own: the toolkit's own columns that fill up, in this order.
        spare: those that fill up only where a column that some trials lack would be shown otherwise.
    """
    ours = {*own, *spare}
    names = [c.name for c in columns.values() if c.always and c.varies and c.name not in ours]
    if any(not c.always for c in columns.values()):
        constant = [c.name for c in columns.values() if c.always and not c.varies and c.name not in ours]
        own = [*own, *constant, *spare]
    return set([*names, *own][:VISIBLE])
