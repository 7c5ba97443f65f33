"""KerasTuner's hyperparameters as the toolkit's records.

Owns how each kind is written in a study. It only describes: values are the oracle's, whatever they are, so what has no
description of its own here is left out of the space and kept among the values.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from typing import Any

from tuning.errors import SpaceError
from tuning.hyperparameters import Boolean, Choice, Condition, Fixed, Float, Hyperparameter, Int

_OF_THE_TUNER = "tuner/"
"""What the names of values begin with that a tuner passes on to itself, such as its epochs."""


def described(space: Iterable[Any]) -> tuple[Hyperparameter, ...]:
    """Return the records of a space of KerasTuner's, parents before children.

    Args:
        space: `HyperParameters.space`.
    """
    found: dict[Any, Hyperparameter] = {}
    for given in space:
        if given.name.startswith(_OF_THE_TUNER):
            continue
        with contextlib.suppress(SpaceError, TypeError, ValueError, KeyError):
            h = _described(type(given).__name__, given.get_config(), _conditions(given.conditions))
            found.setdefault(h.key, h)
    return tuple(found.values())


def recorded(hyperparameters: Any) -> dict[str, Any]:
    """Return the values of a trial of KerasTuner's that a study records: those that apply, without the tuner's own."""
    active = {h.name for h in hyperparameters.space if hyperparameters.is_active(h)}
    values: Mapping[str, Any] = hyperparameters.values
    return {name: values[name] for name in values if name in active and not name.startswith(_OF_THE_TUNER)}


def _described(kind: str, config: Mapping[str, Any], conditions: tuple[Condition, ...]) -> Hyperparameter:
    name = config["name"]
    if kind == "Fixed":
        return Fixed(name, config["value"], conditions=conditions)
    if kind == "Boolean":
        return Boolean(name, bool(config["default"]), conditions=conditions)
    if kind == "Choice":
        values = tuple(config["values"])
        default = values[0] if config["default"] is None else config["default"]
        return Choice(name, default, conditions=conditions, choices=values, ordered=bool(config["ordered"]))
    low, high, step = config["min_value"], config["max_value"], config["step"]
    default = low if config["default"] is None else config["default"]
    common: Any = {"sampling": config["sampling"] or "linear", "conditions": conditions}
    if kind == "Int":
        return Int(name, int(default), low=int(low), high=int(high), step=None if step is None else int(step), **common)
    step = None if step is None else float(step)
    return Float(name, float(default), low=float(low), high=float(high), step=step, **common)


def _conditions(given: Iterable[Any]) -> tuple[Condition, ...]:
    return tuple(Condition(one.name, tuple(one.values)) for one in given)
