"""The `hp` object that `build(hp)` and `fit(hp, model, ...)` receive.

It has the methods of KerasTuner's `HyperParameters`, so one `build_model(hp)` works here and there, and
two things of its own: it remembers which hyperparameters the code asked for (`used`), and it loads neither
Keras nor KerasTuner. It proposes nothing: values come from an engine, anything else gets its default.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tuning.errors import SpaceError
from tuning.hyperparameters import Boolean, Choice, Condition, Fixed, Float, Hyperparameter, Int, intersected


class HyperParameters:
    """Values of one trial, and a record of every hyperparameter that was asked for.

    Args:
        values: values by name; a hyperparameter that is not in it takes its default.

    Attributes:
        values: the active values, defaults included once they were asked for.
        space: every hyperparameter met so far, parents before children.
        inactive_scopes: conditions of the scopes that were met and did not hold, but could.
    """

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self.values: dict[str, Any] = dict(values or {})
        self.space: list[Hyperparameter] = []
        self.inactive_scopes: list[tuple[Condition, ...]] = []
        self._used: dict[str, None] = {}
        self._scopes: list[str] = []
        self._conditions: list[Condition] = []

    @property
    def used(self) -> dict[str, Any]:
        """The values that the code asked for, in order of the first request."""
        return {name: self.values[name] for name in self._used}

    def take(self, space: Sequence[Hyperparameter], values: Mapping[str, Any]) -> None:
        """Take in what was asked of another object: all it has met, and the values that were used."""
        self.space, self.values, self._used = list(space), dict(values), dict.fromkeys(values)

    # The five kinds, with KerasTuner's signatures and defaults -----------------------------------------

    def Choice(
        self,
        name: str,
        values: Sequence[Any],
        ordered: bool | None = None,
        default: Any = None,
        parent_name: str | None = None,
        parent_values: Any = None,
    ) -> Any:
        """Return one of `values`; numbers count as ordered unless `ordered=False`."""
        choices = tuple(_plain(v) for v in values)
        numeric = bool(choices) and all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in choices)
        if ordered and not numeric:
            raise SpaceError(
                f"`ordered` of hp.Choice('{name}') must be False for values that are not numbers, but got True."
            )
        if default is None and None not in choices:
            default = choices[0] if choices else None
        return self._get(
            Choice,
            name,
            parent_name,
            parent_values,
            default=_plain(default),
            choices=choices,
            ordered=numeric if ordered is None else ordered,
        )

    def Int(
        self,
        name: str,
        min_value: int,
        max_value: int,
        step: int | None = None,
        sampling: str | None = "linear",
        default: int | None = None,
        parent_name: str | None = None,
        parent_values: Any = None,
    ) -> Any:
        """Return an integer of [min_value, max_value], both included."""
        low, high = _whole(name, "min_value", min_value), _whole(name, "max_value", max_value)
        sampling = (sampling or "linear").lower()
        if step is None and sampling == "linear":
            step = 1
        return self._get(
            Int,
            name,
            parent_name,
            parent_values,
            low=low,
            high=high,
            step=None if step is None else _whole(name, "step", step),
            sampling=sampling,
            default=low if default is None else _whole(name, "default", default),
        )

    def Float(
        self,
        name: str,
        min_value: float,
        max_value: float,
        step: float | None = None,
        sampling: str | None = "linear",
        default: float | None = None,
        parent_name: str | None = None,
        parent_values: Any = None,
    ) -> Any:
        """Return a float of [min_value, max_value], both included."""
        low = float(min_value)
        return self._get(
            Float,
            name,
            parent_name,
            parent_values,
            low=low,
            high=float(max_value),
            step=None if step is None else float(step),
            sampling=(sampling or "linear").lower(),
            default=low if default is None else float(default),
        )

    def Boolean(
        self, name: str, default: bool = False, parent_name: str | None = None, parent_values: Any = None
    ) -> Any:
        """Return True or False."""
        return self._get(Boolean, name, parent_name, parent_values, default=bool(default))

    def Fixed(self, name: str, value: Any, parent_name: str | None = None, parent_values: Any = None) -> Any:
        """Return `value`, which is recorded and never searched."""
        return self._get(Fixed, name, parent_name, parent_values, default=_plain(value))

    # Scopes --------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def name_scope(self, name: str) -> Iterator[None]:
        """Prefix the names asked for inside with `name/`."""
        self._scopes.append(str(name))
        try:
            yield
        finally:
            self._scopes.pop()

    @contextlib.contextmanager
    def conditional_scope(self, parent_name: str, parent_values: Any) -> Iterator[None]:
        """Register hyperparameters that apply only where the parent has one of `parent_values`.

        The code inside runs in any case; a hyperparameter that does not apply is None.
        """
        parent = self._full_name(parent_name)
        if not any(h.name == parent for h in self.space):
            raise SpaceError(
                f"`parent_name` of hp.conditional_scope must be a hyperparameter asked for before, but got {parent!r}."
            )
        if isinstance(parent_values, (str, bytes)) or not isinstance(parent_values, Iterable):
            parent_values = (parent_values,)
        self._conditions.append(Condition(parent, tuple(_plain(v) for v in parent_values)))
        scope = intersected(self._conditions)
        if not self._conditions[-1].holds(self.values) and all(condition.values for condition in scope):
            self.inactive_scopes.append(scope)
        try:
            yield
        finally:
            self._conditions.pop()

    # Look-ups ------------------------------------------------------------------------------------------

    def get(self, name: str) -> Any:
        """Return the value of an active hyperparameter."""
        full = self._full_name(name)
        if full in self.values:
            self._used.setdefault(full)
            return self.values[full]
        if any(h.name == full for h in self.space):
            raise ValueError(f"{full} is currently inactive.")
        raise KeyError(f"{full} does not exist.")

    def __getitem__(self, name: str) -> Any:
        return self.get(name)

    def __contains__(self, name: str) -> bool:
        return self._full_name(name) in self.values

    def is_active(self, hyperparameter: str | Hyperparameter) -> bool:
        """Tell whether a hyperparameter, or any of that name, applies to these values."""
        if isinstance(hyperparameter, Hyperparameter):
            return hyperparameter.is_active(self.values)
        return any(h.is_active(self.values) for h in self.space if h.name == hyperparameter)

    def copy(self) -> HyperParameters:
        """Return an independent copy."""
        twin = HyperParameters(self.values)
        twin.space, twin.inactive_scopes = list(self.space), list(self.inactive_scopes)
        twin._used = dict(self._used)
        return twin

    def _full_name(self, name: str) -> str:
        return "/".join([*self._scopes, str(name)])

    def _get(
        self, kind: type[Hyperparameter], name: str, parent_name: str | None, parent_values: Any, **fields: Any
    ) -> Any:
        if parent_name is not None:
            with self.conditional_scope(parent_name, parent_values):
                return self._get(kind, name, None, None, **fields)
        asked = kind(self._full_name(name), conditions=tuple(self._conditions), **fields)
        known = next((h for h in self.space if h.key == asked.key), None)
        if known is None:
            self.space.append(asked)
        elif not known.has_values_of(asked):
            raise SpaceError(
                f"`{asked.request}` must have the same values each time it is asked for, but got {asked.describe()}; "
                f"{known.request} before had {known.describe()}. Use another name, or hp.name_scope."
            )
        if not asked.is_active(self.values):
            return None
        self._used.setdefault(asked.name)
        return self.values.setdefault(asked.name, asked.default)


def active_values(space: Iterable[Hyperparameter], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a value for each hyperparameter that applies: the given one, else its default.

    `space` must list parents before their children. Names in `values` that do not apply are dropped.
    """
    active: dict[str, Any] = {}
    for h in space:
        if h.is_active(active):
            active[h.name] = h.default if h.is_fixed else values.get(h.name, active.get(h.name, h.default))
    return active


def _plain(value: Any) -> Any:
    """Return NumPy scalars as Python ones; anything else as it is."""
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", None) == 0 else value


def _whole(name: str, argument: str, value: Any) -> int:
    try:
        whole = int(value)
    except (TypeError, ValueError):
        whole = None
    if whole is None or whole != value:
        raise SpaceError(f"`{argument}` of hp.Int('{name}') must be a whole number, but got {value!r}.")
    return whole
