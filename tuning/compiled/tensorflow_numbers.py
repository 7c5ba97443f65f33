"""Numbers that are arguments of a program, among TensorFlow's tensors."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tuning.compiled.numbers import Argument


class TensorFlowArgument(Argument):
    """It is of 64 bits, as Python's numbers are, until it meets a tensor."""

    def __tf_tensor__(self, dtype: Any = None, name: str | None = None) -> tf.Tensor:
        return tf.cast(self._tensor, tf.float32 if dtype is None else dtype, name=name)

    def among_tensors(self) -> tf.Tensor:
        """Return the tensor that meets others, of 32 bits."""
        return self.__tf_tensor__()

    def among_numbers(self, number: float) -> tf.Tensor:
        """Return what is to meet this argument in the place of a number of Python's."""
        return tf.constant(number, tf.float64)
