"""The space in KerasTuner's own hyperparameter objects.

Owns what KerasTuner cannot hold as it is: choices of mixed types, of booleans, or with None travel as text,
and stepped float ranges are widened a little, because KerasTuner's rounding loses their last value.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tuning.space import Hyperparameter


class Translation:
    """Translates hyperparameters and values; grows when a trial meets new hyperparameters.

    Args:
        space: parents before children.
        make: KerasTuner's class `HyperParameters`.
    """

    def __init__(self, space: Sequence[Hyperparameter], make: Callable[[], Any]) -> None:
        self.space: list[Hyperparameter] = list(space)
        self._make = make

    def hyperparameters(self) -> Any:
        """Return a `keras_tuner.HyperParameters` with the whole space."""
        made = self._make()
        for h in self.space:
            with contextlib.ExitStack() as scopes:
                for c in h.conditions:
                    parents = [self._raw(c.name, value) for value in c.values]
                    scopes.enter_context(made.conditional_scope(c.name, parents))
                self._register(made, h)
        return made

    def extended(self, found: Sequence[Mapping[str, Any]]) -> Any:
        """Add hyperparameters, given as JSON, and return the whole space."""
        for h in map(Hyperparameter.from_json, found):
            if not any(h.name == known.name and h.conditions == known.conditions for known in self.space):
                self.space.append(h)
        return self.hyperparameters()

    def from_oracle(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """Return the space's values for the oracle's."""
        values: dict[str, Any] = {}
        for h in self.space:
            if h.name in raw and h.is_active(values):
                values[h.name] = self._value(h, raw[h.name])
        return values

    def to_oracle(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the oracle's values for the space's."""
        raw: dict[str, Any] = {}
        for h in self.space:
            if h.name in values and h.is_active(values):
                value = values[h.name]
                raw[h.name] = _raw_choice(h, value) if h.kind == "choice" else "None" if value is None else value
        return raw

    def _value(self, h: Hyperparameter, raw: Any) -> Any:
        if h.kind == "choice":
            return h.choices[int(raw)] if _as_text(h) else raw
        if h.kind == "float" and h.step is not None and h.sampling == "linear":
            low, high = h.bounds
            return min(high, float(f"{low + round((raw - low) / h.step) * h.step:.12g}"))
        if h.kind == "int":
            return int(raw)
        return float(raw) if h.kind == "float" else raw

    @staticmethod
    def _register(made: Any, h: Hyperparameter) -> None:
        if h.kind == "fixed":
            made.Fixed(h.name, h.default if h.default is not None else "None")
        elif h.kind == "boolean":
            made.Boolean(h.name, default=h.default)
        elif h.kind == "choice":
            choices = [_raw_choice(h, c) for c in h.choices]
            made.Choice(h.name, choices, ordered=h.ordered, default=_raw_choice(h, h.default))
        elif h.kind == "int":
            made.Int(h.name, *h.bounds, step=h.step, sampling=h.sampling, default=h.default)
        else:
            low, high = h.bounds
            if h.step is not None and h.sampling == "linear":
                high = low + (h.count() - 1 + 1e-6) * h.step
            made.Float(h.name, low, high, step=h.step, sampling=h.sampling, default=h.default)

    def _raw(self, name: str, value: Any) -> Any:
        """Return a parent's value as the oracle knows it."""
        parent = next((h for h in self.space if h.name == name), None)
        return _raw_choice(parent, value) if parent is not None and parent.kind == "choice" else value


def _raw_choice(h: Hyperparameter, value: Any) -> Any:
    return str(h.choices.index(value)) if _as_text(h) else value


def _as_text(h: Hyperparameter) -> bool:
    """Tell whether the choice's values are not all text, all whole numbers or all floats."""
    return {type(c) for c in h.choices} not in ({str}, {int}, {float})
