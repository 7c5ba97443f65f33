"""What of a model a step may read and change: its variables, and what layers and regularizers keep as tensors.

Owns the order in which they are listed, which depends on the architecture alone, what Keras makes of logs, and what can
be seen of a step before it is traced.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras

from tuning.compiled import private


def variables_of(model: Any) -> list[Any]:
    """Return all state that a step may change."""
    optimizer = [] if model.optimizer is None else model.optimizer.variables
    return list({id(v): v for v in (*model.variables, *optimizer, *model.metrics_variables)}.values())


def constants_of(model: Any) -> list[tuple[Any, str]]:
    """Return where layers keep statistics, and L1 its strength, as tensors, which a trace would take for constants."""
    layers = private.of(model, "flatten_layers")(include_self=False)
    normalizations = [layer for layer in layers if type(layer) is keras.layers.Normalization]
    found = [(layer, name) for layer in normalizations for name in ("mean", "variance")]
    found += [(owner, "l1") for owner in regularizers_of(model) if type(owner) is keras.regularizers.L1]
    return [(owner, name) for owner, name in found if keras.ops.is_tensor(vars(owner).get(name))]


def regularizers_of(model: Any) -> list[Any]:
    """Return the regularizers of the layers' variables and outputs, each but once."""
    layers = private.of(model, "flatten_layers")(include_self=False)
    found = [getattr(variable, "regularizer", None) for layer in layers for variable in layer.variables]
    found += [getattr(layer, "activity_regularizer", None) for layer in layers]
    return list({id(regularizer): regularizer for regularizer in found if regularizer is not None}.values())


def held(places: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Return what is in these places: each begins with an owner, see `_home`, and a name."""
    return [_home(owner)[name] for owner, name, *_ in places]


@contextlib.contextmanager
def replaced(places: Sequence[tuple[Any, ...]], values: Sequence[Any]) -> Iterator[None]:
    """Let these places hold something else meanwhile."""
    before = held(places)
    try:
        _put(places, values)
        yield
    finally:
        _put(places, before)


def _put(places: Sequence[tuple[Any, ...]], values: Sequence[Any]) -> None:
    for (owner, name, *_), value in zip(places, values, strict=True):
        _home(owner)[name] = value


def _home(owner: Any) -> Any:
    """Return where an object has its attributes, a dictionary its entries, a list of losses their weights."""
    if isinstance(owner, dict):
        return owner
    return private.WeightsOfLosses(owner) if isinstance(owner, list) else vars(owner)


def flat(logs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of logs and of the logs within, as Keras flattens them for callbacks, as tensors."""
    result = {}
    for name, value in logs.items():
        result.update(flat(value) if isinstance(value, Mapping) else {name: keras.ops.convert_to_tensor(value)})
    return result


def has_own_steps(model: Any) -> bool:
    """Tell whether a training or test step, or what it calls, is not Keras's."""
    theirs = ("train_step", "test_step", "compute_loss", "compute_metrics", "get_metrics_result", "__call__")
    return any(name in vars(model) or getattr(type(model), name) is not getattr(keras.Model, name) for name in theirs)


def convolving_layer(model: Any, but: Callable[[Any], bool] = lambda layer: False) -> str | None:
    """Return the name of a layer of Keras's that convolves, or None: nothing need be traced to see it.

    Args:
        model: whose layers are looked at.
        but: tells which of them are not meant.
    """
    layers = private.of(model, "flatten_layers")()
    return next((layer.name for layer in layers if _is_convolution(layer) and not but(layer)), None)


def _is_convolution(layer: Any) -> bool:
    keras_classes = (kind for kind in type(layer).__mro__ if kind.__module__.startswith("keras."))
    return any("Conv" in kind.__name__ for kind in keras_classes)


def is_of_keras(definition: Any) -> bool:
    """Tell whether a class or a function is Keras's own."""
    return str(definition.__module__).split(".")[0] == "keras"
