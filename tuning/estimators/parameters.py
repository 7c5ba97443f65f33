"""The hyperparameters of a space, found without data, as parameters of an estimator.

Owns `get_params` and `set_params`, and how hyperparameters are found: the space is built with its defaults, inside each
of its conditional scopes, with each value of its choices, and with its largest whole numbers, as preflight does when it
has data.
"""

from __future__ import annotations

import contextlib
import inspect
import threading
import weakref
from collections.abc import Mapping
from typing import Any

import numpy as np

from tuning.errors import OptionError, SpaceError, guess, must, raise_all
from tuning.estimators.sci_keras import PREFIXES, routed
from tuning.hyperparameters import Hyperparameter, Int, Number, unknown
from tuning.space import BoundSpace, HyperParameters, active_values
from tuning.space.imports import import_keras
from tuning.training.models import is_keras_model
from tuning.training.seeding import generators_kept

MAX_VISITS = 50
"""Most configurations that are built to find hyperparameters."""

ONE_THREAD = threading.RLock()
"""Held while models are built, trained or searched: seeds are set, and numbers drawn, for the whole process."""

_found: dict[Any, tuple[Any, tuple[Hyperparameter, ...]]] = {}


def found_without_data(given: Any) -> tuple[Hyperparameter, ...]:
    """Return the hyperparameters of a space, fixed ones included, parents before children.

    Args:
        given: what `BoundSpace` takes. What was found is remembered; for an object, for as long as it
            lives.
    """
    key = given if isinstance(given, str) else id(given)
    if key in _found and _found[key][0]() is not None:
        return _found[key][1]
    import_keras()
    with ONE_THREAD, generators_kept():
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
        if not is_keras_model(model):  # what was returned instead may be shared, such as a class
            return hp
        model.fit = _stop
        shape = model.inputs[0].shape[1:] if getattr(model, "inputs", None) else (2,)
        x = np.zeros((2, *(size or 1 for size in shape)), "float32")
        space.fit(hp, model, x, np.zeros(2, "int32"), epochs=1, initial_epoch=0, callbacks=[], verbose=0)
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
    given, mistakes = {name: plain(value) for name, value in values.items()}, []
    for name, value in given.items():
        known = [h for h in found if h.name == name]
        if known and not any(h.contains(value) for h in known):
            mistakes.append(must(name, f"be {' or '.join(dict.fromkeys(h.describe() for h in known))}", value))
    raise_all(mistakes, OptionError)
    return given


def plain(value: Any) -> Any:
    """Return a number of NumPy's as Python's, as grids of scikit-learn's searches hold them; also inside of dicts."""
    if isinstance(value, np.generic):
        return value.item()
    if type(value) is dict:
        return {name: plain(one) for name, one in value.items()}
    return [plain(one) for one in value] if type(value) is list else value


class SpaceParameters:
    """What an estimator with the attributes `space` and `_values` does about parameters."""

    space: Any
    _values: dict[str, Any]
    _found: Any
    _named: tuple[str, ...]

    def __new__(cls, *args: Any, **named: Any) -> Any:
        made = super().__new__(cls)
        made._named = tuple(named)  # what a subclass with a constructor of its own was given to hand on
        return made

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the constructor's arguments and the hyperparameters of the space, by name.

        Of a subclass with a constructor of its own: its arguments, and what it was given beside them.
        """
        own, settings = self._own_names(), self._settings()
        if "space" in own:
            return settings
        return {name: settings[name] for name in dict.fromkeys((*own, *self._named)) if name in settings}

    def _settings(self) -> dict[str, Any]:
        """Return the value of every parameter, whether or not the constructor has it."""
        params = {name: vars(self).get(name, self._values.get(name)) for name in self._own_names()}
        params |= {name: getattr(self, name) for name in self._all_names() if name in vars(self)}
        for h in self._hyperparameters():
            if params.get(h.name) is None and not h.is_fixed:
                params[h.name] = self._values.get(h.name, h.default)
        return {**params, **self._values}

    def set_params(self, **params: Any) -> Any:
        """Set arguments of the constructor and hyperparameters.

        Raises:
            OptionError: (a `ValueError`) a name is none of these.
        """
        own, arguments = self._own_names(), self._all_names()
        for name in sorted(params, key="space".__ne__):  # the other names depend on the space
            is_argument = name in own or name in arguments
            if is_argument:
                setattr(self, name, params[name])
            elif name not in self._values:
                self._refuse_unknown(name)
            if not is_argument or name in self._values:
                self._values = {**self._values, name: params[name]}
            if name not in own and name not in self._named:
                self._named = (*self._named, name)
        return self

    def __getattr__(self, name: str) -> Any:
        """Return a hyperparameter; only called for what is no attribute otherwise."""
        is_public = not name.startswith("_") and not name.endswith("_")
        if is_public and "_values" in vars(self) and name not in self._all_names():
            params = self._settings()
            if params.get(name) is not None or name not in self._own_names():
                with contextlib.suppress(KeyError):
                    return params[name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    @classmethod
    def _all_names(cls) -> list[str]:
        """Return the arguments of the constructor that stores them, whatever a subclass's are."""
        constructors = [
            c for c in cls.__mro__ if "__init__" in vars(c) and c.__module__.startswith("tuning.estimators.")
        ]
        parameters = inspect.signature(vars(constructors[0])["__init__"]).parameters.values()
        return [p.name for p in parameters if p.name != "self" and p.kind is not p.VAR_KEYWORD]

    @classmethod
    def _own_names(cls) -> list[str]:
        parameters = inspect.signature(cls.__init__).parameters.values()
        return [p.name for p in parameters if p.name != "self" and p.kind is not p.VAR_KEYWORD]

    def _hyperparameters(self) -> tuple[Hyperparameter, ...]:
        """Return those of the space; none while `space` is no space, which `fit` will say."""
        found = vars(self).get("_found")
        if found is None or found[0] is not self.space:
            try:
                found = self._found = (self.space, found_without_data(self.space))
            except SpaceError:
                return ()
        return found[1]

    def _refuse_unknown(self, name: str, asked: Mapping[str, Any] | None = None) -> None:
        """Refuse a name that is neither a hyperparameter nor routed."""
        prefix, parted, rest = name.partition("__")
        known = [*(asked or {}), *self._own_names(), *self._all_names(), *(h.name for h in self._hyperparameters())]
        if name in known or (parted and prefix in PREFIXES and (prefix != "model" or rest in known)):
            return
        rule = f"be a parameter of {type(self).__name__} or a hyperparameter of its space ({', '.join(sorted(known))})"
        raise OptionError(must("a parameter", rule, name, guess(name, known)))

    def _space_values(self) -> dict[str, Any]:
        """Return the value of every hyperparameter that applies, checked."""
        found = self._hyperparameters()
        names = {h.name for h in found}
        given = {name: value for name, value in self._settings().items() if name in names or "__" not in name}
        given = {name: value for name, value in given.items() if name in names or name in self._values}
        given |= routed(self._values, "model")
        values = checked(found, given)
        return active_values(found, values) | {name: values[name] for name in values if name not in names}
