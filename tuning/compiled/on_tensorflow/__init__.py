"""Compiled epochs on TensorFlow: the implementation of `backends.Backend`.

Owns what is asked of TensorFlow besides the program itself; see `program`, with `short_batch`, `indices`, `lookups`,
`convolutions` and `arguments`.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tuning.compiled import eligibility, private
from tuning.compiled.arrays import UnsupportedDataError
from tuning.compiled.numbers import numbers_of
from tuning.compiled.on_tensorflow import convolutions, program
from tuning.compiled.on_tensorflow.indices import mistake
from tuning.compiled.on_tensorflow.program import compile_epoch, state_of
from tuning.compiled.state import convolving_layer

__all__ = ["compile_epoch", "mistake", "numbers_of", "state_of"]


def why_not(model: Any) -> str | None:
    """Return why a model's epochs cannot be compiled, or None."""
    if tf.config.functions_run_eagerly():
        return "run_eagerly is set"
    convolution = convolving_layer(model, but=convolutions.can_be_written)
    if convolution is not None and not eligibility.has_accelerator():
        return f"XLA is slow at convolutions on a CPU (layer {convolution})"
    if _is_distributed(model):
        return "a distribution strategy is set"
    if type(model).train_step is not keras.Model.train_step and tf.summary.should_record_summaries():
        return f"the train_step of {type(model).__name__} may write summaries"
    return None


def steps_singly(model: Any) -> bool:
    """Tell whether a strategy of distribution or TensorFlow's eager mode is set."""
    return tf.config.functions_run_eagerly() or _is_distributed(model)


def has_accelerator() -> bool:
    """Tell whether TensorFlow sees anything besides CPUs."""
    return any(device.device_type != "CPU" for device in tf.config.list_physical_devices())


def seed() -> int | None:
    """Return the seed that TensorFlow has been given, or None."""
    found: int | None = private.get("global_seed")()
    return found


def settings() -> tuple[Any, ...]:
    """Return what TensorFlow is set to that ends up in a trace."""
    return (tf.config.experimental.tensor_float_32_execution_enabled(),)


def described(value: Any) -> Any:
    """Return plain data that say everything about a shape or a type; None for any other value."""
    if isinstance(value, tf.TensorShape):
        return "shape", tuple(value.as_list())
    return repr(value) if isinstance(value, tf.DType) else None


def tensor(leaf: Any) -> tf.Tensor:
    """Put an array on the device."""
    if not isinstance(leaf, np.ndarray) and not (tf.is_tensor(leaf) and hasattr(leaf, "numpy")):
        raise UnsupportedDataError(f"the data contain a {type(leaf).__name__}, not an array")
    if isinstance(leaf, (tf.SparseTensor, tf.RaggedTensor)):
        raise UnsupportedDataError(f"the data contain a {type(leaf).__name__}, whose rows differ in size")
    result = tf.convert_to_tensor(leaf)
    dtype = result.dtype
    if not (dtype.is_floating or dtype.is_integer or dtype.is_bool or dtype.is_complex):
        raise UnsupportedDataError(f"the data contain values of type {dtype.name}")
    return result


def padded(tensor: tf.Tensor, n_rows: int) -> tf.Tensor:
    """Return a tensor with so many rows more, of zeros."""
    return tf.concat([tensor, tf.zeros([n_rows, *tensor.shape[1:]], tensor.dtype)], axis=0)


def n_traced() -> int:
    """Return how often a training step has been traced in this process."""
    return program.n_bodies_traced


def _is_distributed(model: Any) -> bool:
    return model.distribute_strategy is not tf.distribute.get_strategy() or tf.distribute.has_strategy()
