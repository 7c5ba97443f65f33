"""SciKeras's home: the family that users know, and none of its code.

`KerasClassifier` and `KerasRegressor` are members of SciKeras's family: `isinstance(estimator, BaseWrapper)` holds, and
parameters are routed by its names. What they do is written in this room. Everything that its base class defines is
replaced: by scikit-learn's where that defines the same name, or else as if it were not there. So whatever another
release of SciKeras does, it changes nothing here, or it says so when this module is imported. No other module imports
SciKeras.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

import keras
from sklearn.base import BaseEstimator

from tuning.errors import OptionError, moved, must
from tuning.space.imports import without

try:
    with without("tensorflow"):  # SciKeras takes it wherever it is installed
        from scikeras.wrappers import BaseWrapper
except ImportError as error:  # installed it is, or scikit-learn has broken it
    raise moved("scikeras", f"importable scikeras.wrappers.BaseWrapper ({error})") from error

FIT = frozenset({
    *("batch_size", "epochs", "verbose", "validation_split", "shuffle", "class_weight", "sample_weight"),
    *("initial_epoch", "validation_steps", "validation_batch_size", "validation_freq"),
})  # fmt: skip
"""Parameters that go to `Model.fit` without a prefix."""

PREFIXES = frozenset({"model", "fit", "predict", "callbacks"})
"""What parameters are routed to: `PREFIX__NAME`."""

_OF_EVERY_CLASS = {
    *("__module__", "__doc__", "__dict__", "__weakref__", "__qualname__", "__annotations__", "__orig_bases__"),
    *("__annotate__", "__annotate_func__", "__annotations_cache__", "__firstlineno__", "__static_attributes__"),
}  # fmt: skip


class _Hidden:
    """Takes the place of what is not there."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        raise AttributeError(self.name)


def emptied(base: type, ground: type) -> type:
    """Return a child of `base` that behaves as if it were one of `ground`, from which `base` is derived."""
    names = {n for c in base.__mro__ if c not in ground.__mro__ for n in vars(c)} - _OF_EVERY_CLASS
    replaced: dict[str, Any] = {}
    for name in names:
        found = [vars(c)[name] for c in ground.__mro__ if name in vars(c)]
        replaced[name] = found[0] if found else _Hidden()
    return type(base.__name__, (base,), {**replaced, "__module__": __name__, "__doc__": base.__doc__})


if not issubclass(BaseWrapper, BaseEstimator):
    raise moved("scikeras", "BaseWrapper that is an estimator of scikit-learn")
if "__sklearn_tags__" not in vars(BaseWrapper):
    # SciKeras 0.13 defines `_more_tags`, which scikit-learn 1.6 renamed, and scikit-learn refuses a family in which a
    # class has the old method only. This is what the class inherits anyway.
    BaseWrapper.__sklearn_tags__ = BaseEstimator.__sklearn_tags__
Wrapper: Any = emptied(BaseWrapper, BaseEstimator)
"""The base of the estimators."""


def routed(params: Mapping[str, Any], prefix: str, names: Iterable[str] = (), deep: bool = False) -> dict[str, Any]:
    """Return the parameters for one destination, by their names there.

    Args:
        params: of an estimator.
        prefix: of the destination: `prefix__NAME` is its NAME.
        names: that go there without a prefix.
        deep: whether NAME may have prefixes of its own.
    """
    plain = {name: params[name] for name in names if name in params}
    start = f"{prefix}__"
    of_prefix = {name.removeprefix(start): value for name, value in params.items() if name.startswith(start)}
    return plain | {name: value for name, value in of_prefix.items() if deep or "__" not in name}


def callbacks(params: Mapping[str, Any], name: str) -> list[Any]:
    """Return the callbacks that a parameter holds, made of classes where it holds classes.

    `NAME__patience` is an argument of every class, `NAME__0__patience` of the first of a list, and
    `NAME__stop__patience` of the one called "stop" in a dict.

    Raises:
        OptionError: (a `ValueError`) it holds something else, or an argument of what is no class.
    """
    if params.get(name) is None:
        return []
    made = _made(params[name], routed(params, name, deep=True), {})
    made = list(made.values()) if isinstance(made, dict) else made if isinstance(made, list) else [made]
    for callback in made:
        for one in callback if isinstance(callback, list) else [callback]:
            if not isinstance(one, keras.callbacks.Callback):
                rule = "be a callback of Keras, a list of them, or a dict of them by name; or their classes"
                raise OptionError(must(name, rule, one))
    return made


def _made(given: Any, params: Mapping[str, Any], shared: Mapping[str, Any]) -> Any:
    """Return `given` with classes made into objects; `shared` are arguments of all of them."""
    own = {**shared, **{name: value for name, value in params.items() if "__" not in name}}
    if inspect.isclass(given):
        built = {name: _made(value, routed(params, name, deep=True), {}) for name, value in own.items()}
        by_place = [built.pop(name) for name in sorted((n for n in built if n.isdigit()), key=int)]
        return given(*by_place, **built)
    if isinstance(given, dict):
        return {name: _made(one, routed(params, name, deep=True), own) for name, one in given.items()}
    if isinstance(given, (list, tuple)):
        return [_made(one, routed(params, str(i), deep=True), own) for i, one in enumerate(given)]
    if own:
        raise OptionError(
            f"arguments ({', '.join(own)}) must be for a class, but got {given!r}, which is made already."
        )
    return given
