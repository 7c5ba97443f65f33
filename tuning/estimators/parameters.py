"""The hyperparameters of a space, found without data, as parameters of an estimator.

Owns how they are found: the space is built with its defaults, inside each of its conditional scopes, with each
value of its choices, and with its largest whole numbers, as preflight does when it has data.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Mapping
from typing import Any

import numpy

from tuning.errors import OptionError, must, raise_all
from tuning.hyperparameters import Hyperparameter, Int, Number, unknown
from tuning.space import BoundSpace, HyperParameters
from tuning.space.imports import import_keras
from tuning.training.seeding import generators_kept

MAX_VISITS = 50
"""Most configurations that are built to find hyperparameters."""

_found: dict[Any, tuple[Any, tuple[Hyperparameter, ...]]] = {}


def hyperparameters_of(given: Any) -> tuple[Hyperparameter, ...]:
    """Return the hyperparameters of a space, fixed ones included, parents before children.

    Args:
        given: what `BoundSpace` takes. What was found is remembered; for an object, for as long as it
            lives.
    """
    key = given if isinstance(given, str) else id(given)
    if key in _found and _found[key][0]() is not None:
        return _found[key][1]
    import_keras()
    with generators_kept():
        found = _explored(BoundSpace(given))
    if isinstance(given, str):
        _found[key] = (lambda: given, found)
    else:
        with contextlib.suppress(TypeError):  # not everything can be referred to weakly
            _found[key] = (weakref.ref(given, lambda _: _found.pop(key, None)), found)
    return found


def _explored(space: BoundSpace) -> tuple[Hyperparameter, ...]:
    found: list[Hyperparameter] = []
    pending: list[dict[str, Any]] = [{}]
    seen: list[dict[str, Any]] = []
    largest_visited = False
    while pending and len(seen) < MAX_VISITS:
        values = pending.pop(0)
        if values in seen:
            continue
        seen.append(values)
        hp = _asked(space, values)
        for h in unknown(found, hp.space):
            found.append(h)
            pending += [{**values, h.name: choice} for choice in _choices(h) if h.name not in values]
        pending += [{**values, **{c.name: c.values[0] for c in scope}} for scope in hp.inactive_scopes]
        if not pending and not largest_visited:
            largest_visited = True
            pending.append({h.name: h.high for h in found if isinstance(h, Int)})
    return tuple(found)


def _choices(h: Hyperparameter) -> tuple[Any, ...]:
    """Return the values besides the default of what is no range."""
    values = () if isinstance(h, Number) else h.values() or ()
    return tuple(value for value in values if value != h.default)


def _asked(space: BoundSpace, values: Mapping[str, Any]) -> HyperParameters:
    """Return what `build` and `fit` ask for. A configuration that raises has asked up to there."""
    hp = HyperParameters(values)
    with contextlib.suppress(Exception):
        model = space.build(hp)
        model.fit = _stop
        shape = model.inputs[0].shape[1:] if getattr(model, "inputs", None) else (2,)
        x = numpy.zeros((2, *(size or 1 for size in shape)), "float32")
        space.fit(hp, model, x, numpy.zeros(2, "int32"), epochs=1, initial_epoch=0, callbacks=[], verbose=0)
    return hp


class _SeenError(Exception):
    """All that a space asks for before it trains has been seen."""


def _stop(*_: Any, **__: Any) -> None:
    raise _SeenError


def checked(found: tuple[Hyperparameter, ...], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values with NumPy's numbers as Python's, each one that its hyperparameter allows.

    Args:
        found: the hyperparameters of the space.
        values: by name. A name that was not found is one that the space asks for only sometimes; it stays.

    Raises:
        OptionError: (a `ValueError`) names every value that is not allowed.
    """
    plain = {name: value.item() if isinstance(value, numpy.generic) else value for name, value in values.items()}
    mistakes = []
    for name, value in plain.items():
        known = [h for h in found if h.name == name]
        if known and not any(h.contains(value) for h in known):
            mistakes.append(must(name, f"be {' or '.join(dict.fromkeys(h.describe() for h in known))}", value))
    raise_all(mistakes, OptionError)
    return plain
