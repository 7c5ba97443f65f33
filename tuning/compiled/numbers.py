"""Numbers of optimizers and regularizers that are arguments of a program, where a trace would take them for constants.

Owns which they are, and `Argument`, what stands for one while a step is traced. So models that differ in momentum,
weight decay, clipping or the strength of a regularizer share a program, as those do that differ in the learning rate.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tuning.compiled import private


def numbers_of(model: Any) -> list[tuple[Any, str]]:
    """Return where the model's optimizer and regularizers keep numbers: objects of Keras's own, each but once."""
    if keras.config.floatx() != "float32" or keras.config.dtype_policy().name != "float32":
        return []  # which type a number has would depend on what it meets
    layers = private.of(model, "flatten_layers")(include_self=False)
    owners = [model.optimizer, *(getattr(v, "regularizer", None) for layer in layers for v in layer.variables)]
    owners += [getattr(layer, "activity_regularizer", None) for layer in layers]
    own = [owner for owner in {id(o): o for o in owners}.values() if type(owner).__module__.startswith("keras.")]
    return [(owner, name) for owner in own for name, value in sorted(vars(owner).items()) if type(value) is float]


class NotAnArgumentError(TypeError):
    """A step asks more of a number than an argument can say."""


def _on_both_sides(operation: Callable[[Any, Any], Any]) -> tuple[Any, Any]:
    """Return an operator of `Argument`, and the one with an argument on its right side."""

    def left(self: Argument, other: Any) -> Any:
        return self._with(other, operation)

    def right(self: Argument, other: Any) -> Any:
        return self._with(other, lambda mine, given: operation(given, mine))

    return left, right


def _compared(operation: Callable[[float, float], bool]) -> Any:
    def compare(self: Argument, other: Any) -> bool:
        return self._is(other, operation)

    return compare


class Argument:
    """Stands for a number while a step is traced.

    It is of 64 bits, as Python's numbers are, until it meets a tensor. Of its value only `state.kind` is known, which
    all models have in common that share the program. Whatever asks for more gets an error, and a trace in which the
    numbers are constants takes the place of this one.

    Args:
        tensor: float64 [], an argument of the program.
        value: the number itself; None where it was computed from one.
    """

    __array_ufunc__ = None  # so that NumPy's numbers leave arithmetic to this class
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, tensor: tf.Tensor, value: float | None = None) -> None:
        self._tensor, self._value = tensor, value

    def __tf_tensor__(self, dtype: Any = None, name: str | None = None) -> tf.Tensor:
        return tf.cast(self._tensor, tf.float32 if dtype is None else dtype, name=name)

    def _with(self, other: Any, operation: Callable[[Any, Any], Any]) -> Any:
        if isinstance(other, Argument):
            return Argument(operation(self._tensor, other._tensor))
        if isinstance(other, (int, float)):
            return Argument(operation(self._tensor, tf.constant(other, tf.float64)))
        return operation(self.__tf_tensor__(), other)

    def _is(self, other: Any, compared: Callable[[float, float], bool]) -> bool:
        if self._value is None or type(other) not in (int, float) or other not in (0, 1):
            raise NotAnArgumentError(f"a number is compared with {other!r}")
        return compared(self._value, other)

    def __neg__(self) -> Argument:
        return Argument(-self._tensor)

    def __bool__(self) -> bool:
        return bool(self != 0)

    __add__, __radd__ = _on_both_sides(operator.add)
    __sub__, __rsub__ = _on_both_sides(operator.sub)
    __mul__, __rmul__ = _on_both_sides(operator.mul)
    __truediv__, __rtruediv__ = _on_both_sides(operator.truediv)
    __pow__, __rpow__ = _on_both_sides(operator.pow)

    __eq__, __ne__ = _compared(operator.eq), _compared(operator.ne)
    __lt__, __le__ = _compared(operator.lt), _compared(operator.le)
    __gt__, __ge__ = _compared(operator.gt), _compared(operator.ge)
