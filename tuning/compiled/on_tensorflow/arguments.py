"""Numbers that are arguments of a program, among TensorFlow's tensors."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import tensorflow as tf

from tuning.compiled.numbers import Argument, numbers_of
from tuning.compiled.state import held, replaced


class TensorFlowArgument(Argument):
    """It is of 64 bits, as Python's numbers are, until it meets a tensor.

    Args:
        tensor: float64 [], an argument of the program.
        value, limits: see `Argument`.
    """

    def __init__(self, tensor: tf.Tensor, value: float | None = None, limits: tuple[int, ...] = ()) -> None:
        super().__init__(value, limits)
        self._tensor = tensor

    def __tf_tensor__(self, dtype: Any = None, name: str | None = None) -> tf.Tensor:
        return tf.cast(self._tensor, tf.float32 if dtype is None else dtype, name=name)

    def among_tensors(self) -> tf.Tensor:
        """Return the tensor that meets others, of 32 bits."""
        return self.__tf_tensor__()

    def among_numbers(self, other: Any, operation: Callable[[Any, Any], Any]) -> TensorFlowArgument:
        """Return what an operation makes of it and a number."""
        number = other._tensor if isinstance(other, TensorFlowArgument) else tf.constant(other, tf.float64)
        return TensorFlowArgument(operation(self._tensor, number))


@contextlib.contextmanager
def as_arguments(model: Any, tensors: Sequence[tf.Tensor]) -> Iterator[None]:
    """Let the model have arguments in the places of its numbers meanwhile.

    Args:
        model: see `numbers_of`.
        tensors: float64 [], for each of its numbers.
    """
    places = numbers_of(model)
    given = zip(tensors, held(places), (place.limits for place in places), strict=True)
    arguments = [TensorFlowArgument(*one) for one in given]
    with replaced(places, arguments), replaced([(tf.nn.experimental, "stateless_dropout")], [_stateless_dropout]):
        yield


_genuine_dropout = tf.nn.experimental.stateless_dropout


def _stateless_dropout(x: Any, rate: Any, *rest: Any, **named: Any) -> tf.Tensor:
    """Do what TensorFlow's function of that name does, which takes tensors and Python's numbers, and nothing else."""
    rate = rate.__tf_tensor__(x.dtype) if isinstance(rate, TensorFlowArgument) else rate
    return _genuine_dropout(x, rate, *rest, **named)
