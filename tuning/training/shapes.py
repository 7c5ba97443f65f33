"""The shapes that a model was built for, which belong to its weights.

Owns reading them off a built model, and building one of the same architecture for them. A model that builds itself on
its first batch has no weights until then, and what its first batch looked like may be known to its `fit` alone: data
that are read once, columns that were chosen there, texts. Every layer is built for its own shapes, inner ones as well,
so nothing is called.
"""

from __future__ import annotations

import contextlib
import json
import sys
import warnings
from typing import Any

from tuning.compiled import private


def is_keras_model(model: Any) -> bool:
    """Tell whether `model` is a Keras model, without importing Keras."""
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(model, keras.Model)


def shapes_of(model: Any) -> str:
    """Return the shapes of a model's layers, and what its optimizers optimise, as JSON."""
    places = {id(weight): place for place, weight in enumerate(model.weights)}
    optimizers = {}
    for name, optimizer in _optimizers(model).items():
        with contextlib.suppress(private.GoneError, KeyError):
            optimizers[name] = [places[id(v)] for v in private.of(optimizer, "optimised")]
    return json.dumps({"layer": _record(model, set()), "optimizers": optimizers})


def build(model: Any, shapes: str) -> None:
    """Build a model, as far as it is not, and its optimizers, for what `shapes_of` returned for one like it."""
    known = json.loads(shapes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a layer without a `build` of its own is nothing to worry about here
        _build(model, known["layer"], set())
    weights = model.weights
    for name, optimizer in _optimizers(model).items():
        places = known["optimizers"].get(name)
        if places and not optimizer.built and max(places) < len(weights):
            optimizer.build([weights[place] for place in places])


def _optimizers(model: Any) -> dict[str, Any]:
    import keras

    return {name: value for name, value in vars(model).items() if isinstance(value, keras.optimizers.Optimizer)}


def _record(layer: Any, seen: set[int]) -> dict[str, Any]:
    seen.add(id(layer))
    try:
        config = layer.get_build_config() if layer.built else None
        json.dumps(config)
    except Exception:  # a method of the person's own
        config = None
    inner = [_record(part, seen) if id(part) not in seen else None for part in parts_of(layer)]
    return {"built": bool(layer.built), "config": config, "inner": inner}


def _build(layer: Any, known: dict[str, Any], seen: set[int]) -> None:
    seen.add(id(layer))
    if not layer.built and known["config"] and _has_own_build(layer):
        with contextlib.suppress(Exception):  # its parts are built one by one below
            layer.build_from_config(_with_tuples(known["config"]))
    for part, record in zip(parts_of(layer), known["inner"], strict=False):
        if record is not None and id(part) not in seen:
            _build(part, record, seen)
    if known["built"] and not layer.built:
        layer.built = True


def _has_own_build(layer: Any) -> bool:
    import keras

    kind = type(layer).build
    return kind not in (keras.Model.build, keras.layers.Layer.build)


def parts_of(layer: Any) -> list[Any]:
    """Return the layers that a layer is made of, in an order that being built does not change."""
    import keras

    if isinstance(layer, keras.Sequential):
        return list(layer.layers)
    parts = private.of(layer, "flatten_layers")(include_self=False, recursive=False)
    return [part for part in parts if not isinstance(part, keras.layers.InputLayer)]


def _with_tuples(config: Any) -> Any:
    """Return what was JSON with shapes as tuples."""
    if isinstance(config, dict):
        return {key: _with_tuples(value) for key, value in config.items()}
    if isinstance(config, list):
        is_shape = all(size is None or isinstance(size, int) for size in config)
        return tuple(config) if is_shape else [_with_tuples(value) for value in config]
    return config
