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
        return self != 0

    def __add__(self, other: Any) -> Any:
        return self._with(other, operator.add)

    def __radd__(self, other: Any) -> Any:
        return self._with(other, lambda mine, given: operator.add(given, mine))

    def __sub__(self, other: Any) -> Any:
        return self._with(other, operator.sub)

    def __rsub__(self, other: Any) -> Any:
        return self._with(other, lambda mine, given: operator.sub(given, mine))

    def __mul__(self, other: Any) -> Any:
        return self._with(other, operator.mul)

    def __rmul__(self, other: Any) -> Any:
        return self._with(other, lambda mine, given: operator.mul(given, mine))

    def __truediv__(self, other: Any) -> Any:
        return self._with(other, operator.truediv)

    def __rtruediv__(self, other: Any) -> Any:
        return self._with(other, lambda mine, given: operator.truediv(given, mine))

    def __pow__(self, other: Any) -> Any:
        return self._with(other, operator.pow)

    def __rpow__(self, other: Any) -> Any:
        return self._with(other, lambda mine, given: operator.pow(given, mine))

    def __eq__(self, other: object) -> bool:
        return self._is(other, operator.eq)

    def __ne__(self, other: object) -> bool:
        return self._is(other, operator.ne)

    def __lt__(self, other: Any) -> bool:
        return self._is(other, operator.lt)

    def __le__(self, other: Any) -> bool:
        return self._is(other, operator.le)

    def __gt__(self, other: Any) -> bool:
        return self._is(other, operator.gt)

    def __ge__(self, other: Any) -> bool:
        return self._is(other, operator.ge)
