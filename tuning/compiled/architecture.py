"""Says when two models may share a compiled program.

Owns the key of a model's architecture: equal keys mean that a trace of either model is the same computation,
once its variables, its numbers, what it keeps as tensors and its data are arguments. A wrong hit would train a
different model than the one asked for without anybody noticing, so whatever is not understood makes a model
unique.

The key is taken from the objects themselves, attribute by attribute, and not from `get_config` alone: the
configs of `Huber`, `ELU`, `CosineSimilarity` and others leave out what they compute with. Names do not count,
because Keras numbers them through the process; nor do initializers and seeds, which act through variables. A
learning rate is a variable, and so is no part of the key; a schedule is. Of numbers that are arguments of a program the
key says only their kind.
"""

from __future__ import annotations

import hashlib
import types
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from tuning.compiled import backends, private
from tuning.compiled.numbers import RATES, kind
from tuning.compiled.state import constants_of, held, is_of_keras, variables_of

# What Keras itself sets on a model although its class has a method of that name, and `fit`, which may be this
# one.
_NOT_OVERRIDDEN = ("build", "quantize", "loss", "fit")

# What a trace does not depend on in a config, and where a config says which layer is meant.
_NOT_TRACED = ("seed", "build_config", "build_input_shape")
_DESCRIBED = ("_initializer", "_regularizer")  # the layer's own objects are
_NAMING = ("name", "keras_history", "input_layers", "output_layers")

# Layers that hold code or tensors which cannot be described.
_OPAQUE = tuple(
    getattr(keras.layers, name)
    for name in ("Lambda", "TFSMLayer", "JaxLayer", "FlaxLayer", "TorchModuleWrapper")
    if hasattr(keras.layers, name)
)


class _NotUnderstoodError(Exception):
    """Something in the model that cannot be described."""


def key_of(model: Any, x_is_named: bool) -> str | None:
    """Return the key of a built and compiled model's architecture, or None if it must be taken for unique.

    Args:
        model: what to describe.
        x_is_named: whether the inputs are given by name.
    """
    try:
        with private.without_tensorflow():
            parts = _Description(model).parts(x_is_named)
    except Exception:
        # Not being able to describe a model costs a compilation, nothing else.
        return None
    return hashlib.sha256(repr(parts).encode()).hexdigest()


class _Description:
    def __init__(self, model: Any) -> None:
        self._model = model
        self._layers = list(private.of(model, "flatten_layers")(include_self=True))
        self._layer_numbers = {id(layer): number for number, layer in enumerate(self._layers)}
        self._names: dict[str, int] = {}
        self._variables = variables_of(model)
        self._variable_numbers = {id(v): number for number, v in enumerate(self._variables)}
        numbers = backends.current().numbers_of(model)
        values = held(numbers)
        self._numbers = {(id(n.owner), n.name): kind(n, value) for n, value in zip(numbers, values, strict=True)}
        self._seen: dict[int, int] = {}

    def parts(self, x_is_named: bool) -> Any:
        """Return nested tuples whose `repr` is the key."""
        model = self._model
        models = [layer for layer in self._layers if isinstance(layer, keras.Model)]
        for inner in models:
            self._check_model(inner)
        operations = [op for inner in models for op in getattr(inner, "operations", ())]
        self._number_names([*self._layers, *operations])
        names = (
            [t.name for t in model.inputs] if x_is_named or len(model.inputs) > 1 else [],
            list(model.output_names) if len(model.outputs) > 1 else [],
        )
        loss, metrics = private.of(model, "compile_loss"), private.of(model, "compile_metrics")
        return (
            self._settings(),
            names,
            self._topology(model.get_config()),
            [self.describe(layer) for layer in self._layers if not isinstance(layer, keras.Model)],
            [self.describe(op) for op in operations if not isinstance(op, keras.layers.Layer)],
            [(inner.trainable, inner.dtype_policy.name) for inner in models],
            self._attributes(model.optimizer) if model.optimizer is not None else None,
            self._attributes(loss) if loss is not None else None,
            [self._loss(number, *flat) for number, flat in enumerate(private.flat_losses(model))],
            self._attributes(metrics) if metrics is not None else None,
            [self._variable(variable) for variable in self._variables],
            [self._constant(layer, name) for layer, name in constants_of(model)],
        )

    def describe(self, value: Any) -> Any:
        """Return plain data that say everything about `value` that a trace may depend on."""
        if value is None or isinstance(value, (bool, int, float, complex, str, bytes)):
            return value
        if isinstance(value, (np.ndarray, np.generic)):
            array = np.asarray(value)
            if array.dtype.hasobject:
                raise _NotUnderstoodError(value)
            return "array", array.shape, array.dtype.str, hashlib.sha256(array.tobytes()).hexdigest()
        if isinstance(value, keras.Variable):
            return "variable", self._variable_numbers[id(value)]
        if isinstance(value, Mapping):
            return "mapping", [(self.describe(k), self._held(value, k, v)) for k, v in value.items()]
        if isinstance(value, (set, frozenset)):
            return "set", sorted(repr(self.describe(v)) for v in value)
        if isinstance(value, (list, tuple)):
            return "sequence", [self.describe(v) for v in value]
        return self._describe_object(value)

    def _held(self, owner: Any, name: Any, value: Any) -> Any:
        """Describe what is called `name` there; of numbers that are arguments only what a step may ask."""
        kind = self._numbers.get((id(owner), name))
        return self.describe(value) if kind is None else ("number", kind)

    def _describe_object(self, value: Any) -> Any:
        if isinstance(value, keras.layers.Layer) and id(value) in self._seen:
            return "layer", self._layer_numbers[id(value)]
        described = backends.current().described(value)
        if described is not None:
            return described
        if isinstance(value, (slice, range)):
            return repr(value)
        if isinstance(value, (keras.random.SeedGenerator, keras.initializers.Initializer)):
            return type(value).__name__ if isinstance(value, keras.random.SeedGenerator) else "initializer"
        if isinstance(value, types.FunctionType):
            if value.__closure__ is not None or not is_of_keras(value):
                raise _NotUnderstoodError(value)
            return "function", value.__module__, value.__qualname__
        if isinstance(value, type):
            if not is_of_keras(value):
                raise _NotUnderstoodError(value)
            return "class", value.__module__, value.__qualname__
        if isinstance(value, keras.layers.Layer) and id(value) not in self._layer_numbers:
            raise _NotUnderstoodError(value)
        return self._attributes(value)

    def _attributes(self, value: Any) -> Any:
        """Describe an object of Keras by its class and its attributes."""
        kind = type(value)
        if not is_of_keras(kind) or isinstance(value, (_OPAQUE, keras.Model)):
            raise _NotUnderstoodError(value)
        if id(value) in self._seen:
            return "seen", self._seen[id(value)]
        self._seen[id(value)] = len(self._seen)
        constants = {name for owner, name in constants_of(self._model) if owner is value}
        described = [
            (name, self._held(value, name, attribute))
            for name, attribute in sorted(vars(value).items())
            if name not in private.BOOKKEEPING and name not in constants and not name.startswith(private.TRACKING)
        ]
        return kind.__module__, kind.__qualname__, described

    def _check_model(self, model: Any) -> None:
        """Refuse a model that does more than its layers do."""
        kind = type(model)
        overridden = [
            name
            for name in vars(model)
            if name not in _NOT_OVERRIDDEN and isinstance(getattr(kind, name, None), types.FunctionType)
        ]
        if kind not in (keras.Sequential, private.functional()) or overridden or private.of(model, "own_metrics"):
            raise _NotUnderstoodError(model)

    def _topology(self, config: Any) -> Any:
        """Return how layers are connected, with numbers for their names."""
        if isinstance(config, Mapping):
            if str(config.get("module") or "keras").split(".")[0] != "keras":
                raise _NotUnderstoodError(config)
            # What has a name is a layer, and its rates are described among its attributes.
            left_out = (*_NOT_TRACED, *RATES) if "name" in config else _NOT_TRACED
            return [
                (key, self._named(value) if key in _NAMING else self._topology(value))
                for key, value in config.items()
                if key not in left_out and not key.endswith(_DESCRIBED)
            ]
        if isinstance(config, (list, tuple)):
            return [self._topology(value) for value in config]
        return self.describe(config)

    def _number_names(self, named: list[Any]) -> None:
        """Give each name a number: equal names get equal ones, so the connections stay what they are."""
        for operation in named:
            self._names.setdefault(operation.name, len(self._names))

    def _named(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return [(key, self._named(inner)) for key, inner in value.items()]
        if isinstance(value, (list, tuple)):
            return [self._named(inner) for inner in value]
        return ("name", self._names[value]) if value in self._names else self.describe(value)

    def _loss(self, number: int, path: Any, loss: Any, weight: Any, _: str) -> Any:
        return path, self.describe(loss), self._held(private.list_of_losses(self._model), number, weight)

    def _variable(self, variable: Any) -> Any:
        described = ("regularizer", "constraint", "overwrite_with_gradient")
        return (
            self._variable_numbers[id(variable)],
            tuple(variable.shape),
            variable.dtype,
            variable.trainable,
            [self.describe(getattr(variable, name, None)) for name in described],
            private.of(variable, "autocast"),
        )

    def _constant(self, owner: Any, name: str) -> Any:
        tensor = vars(owner)[name]
        return self._seen[id(owner)], name, tuple(tensor.shape), tensor.dtype.name

    def _settings(self) -> Any:
        """Return what Keras, and what it runs on, are set to that ends up in a trace."""
        config = keras.config
        return (
            keras.__version__,
            config.floatx(),
            config.epsilon(),
            config.image_data_format(),
            config.is_flash_attention_enabled(),
            *backends.current().settings(),
        )
