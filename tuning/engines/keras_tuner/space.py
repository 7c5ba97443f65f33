"""The space in KerasTuner's own hyperparameter objects.

Owns what KerasTuner cannot hold as it is. Choices of numbers of both types travel as floats, all other mixtures, and
those with None, as text; stepped float ranges are widened a little, because KerasTuner's rounding loses their last
value. Its scopes want a parent that stands in just the same scopes; so its objects are made one by one, each with its
conditions, and what can never apply is left out. A kind of hyperparameter that is none of those in `_FIELDS` is a
choice of its listed values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from tuning.hyperparameters import Boolean, Fixed, Float, Hyperparameter, Int, Number, unknown


class Translation:
    """Translates hyperparameters and values; grows when a trial meets new hyperparameters.

    Args:
        space: parents before children.
        classes: KerasTuner's module of hyperparameter classes.
    """

    def __init__(self, space: Sequence[Hyperparameter], classes: Any) -> None:
        self.space: list[Hyperparameter] = list(space)
        self._classes = classes

    def hyperparameters(self) -> Any:
        """Return a `keras_tuner.HyperParameters` with the whole space."""
        made = self._classes.HyperParameters()
        for h, parents in self._that_can_apply():
            word, fields = _FIELDS.get(type(h), ("Choice", _choice))
            conditions = [
                {"class_name": "Parent", "config": {"name": name, "values": values}} for name, values in parents.items()
            ]
            config = {"name": h.name, **fields(h), "conditions": conditions}
            made.merge([getattr(self._classes, word).from_config(config)], overwrite=False)
        return made

    def _that_can_apply(self) -> Iterator[tuple[Hyperparameter, dict[str, list[Any]]]]:
        """Yield each hyperparameter with the oracle's values of each of its parents for which it applies."""
        found: dict[str, list[Hyperparameter]] = {}
        for h in self.space:
            parents = {c.name: _raw_values(found.get(c.name, ()), c.values) for c in h.conditions}
            if all(parents.values()):
                found.setdefault(h.name, []).append(h)
                yield h, parents

    def extended(self, found: Sequence[Mapping[str, Any]]) -> Any:
        """Add hyperparameters, given as JSON, and return the whole space."""
        self.space += unknown(self.space, map(Hyperparameter.from_json, found))
        return self.hyperparameters()

    def from_oracle(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """Return the space's values for the oracle's."""
        values: dict[str, Any] = {}
        for h in self.space:
            if h.name in raw and h.is_active(values):
                values[h.name] = _value(h, raw[h.name])
        return values

    def to_oracle(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the oracle's values for the space's."""
        return {h.name: _raw(h, values[h.name]) for h in self.space if h.name in values and h.is_active(values)}


def _fixed(h: Fixed) -> dict[str, Any]:
    return {"value": "None" if h.default is None else h.default}


def _boolean(h: Boolean) -> dict[str, Any]:
    return {"default": h.default}


def _number(h: Number) -> dict[str, Any]:
    low, high = h.bounds
    if isinstance(h, Float) and h.step is not None and not h.scale.is_logarithmic:
        high = low + (h.count() - 1 + 1e-6) * h.step
    return {"min_value": low, "max_value": high, "step": h.step, "sampling": h.sampling, "default": h.default}


def _choice(h: Hyperparameter) -> dict[str, Any]:
    raw = _raw_choices(h)
    return {"values": raw, "ordered": h.is_ordered and not isinstance(raw[0], str), "default": _raw(h, h.default)}


_FIELDS: dict[type[Hyperparameter], tuple[str, Callable[[Any], dict[str, Any]]]] = {
    Fixed: ("Fixed", _fixed),
    Boolean: ("Boolean", _boolean),
    Int: ("Int", _number),
    Float: ("Float", _number),
}
"""For each kind that KerasTuner has, besides choices: its class there, and the arguments of that."""


def _raw_choices(h: Hyperparameter) -> list[Any]:
    """Return what stands for each value of a choice: values of one type, which must be text, int or float."""
    values = list(h.values() or ())
    types = {type(value) for value in values}
    if types in ({str}, {int}, {float}):
        return values
    if types == {int, float} and len(set(values)) == len(values):
        return list(map(float, values))
    return [str(index) for index in range(len(values))]


def _raw(h: Hyperparameter, value: Any) -> Any:
    """Return the oracle's value for a legal value."""
    if type(h) not in _FIELDS:
        return _raw_choices(h)[h.index_of(value)]
    return "None" if value is None else value


def _value(h: Hyperparameter, raw: Any) -> Any:
    """Return the legal value for the oracle's."""
    if type(h) not in _FIELDS:
        return h.value_at(_raw_choices(h).index(raw))
    if isinstance(h, Float):
        return h.value_at(h.index_of(raw)) if h.step is not None and not h.scale.is_logarithmic else float(raw)
    return int(raw) if isinstance(h, Int) else raw


def _raw_values(parents: Iterable[Hyperparameter], values: Sequence[Any]) -> list[Any]:
    """Return the oracle's values for those values of a condition that parents of one name can have."""
    found: list[Any] = []
    for parent in parents:
        if isinstance(parent, Number):
            found += [float(value) for value in values if isinstance(value, (int, float))]
        elif parent.is_fixed:
            found += [_raw(parent, value) for value in values]
        else:
            found += [_raw(parent, value) for value in parent.values() or () if value in values]
    return list(dict.fromkeys(found))
