"""Writes convolutions as products of matrices while a step is traced for XLA.

Inside of a loop on a CPU, XLA trains a convolution many times slower than TensorFlow does, and the maximum of a window
too. The same numbers come from what it is quick at: the window's places side by side, times the kernel; and the largest
of the window's places, one after the other. Owns which layers are written so, and how. Layers of other classes, and
those whose windows would take more memory than is worth moving, stay what they are.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from tuning.compiled import private

MOST_BYTES = 2**25
"""What the windows of a batch may take in one layer."""

_CONVOLUTIONS = (keras.layers.Conv1D, keras.layers.Conv2D)
_MAXIMA = (keras.layers.MaxPooling1D, keras.layers.MaxPooling2D)


class TooLargeError(Exception):
    """The windows of a layer take too much memory."""


def can_be_written(layer: Any) -> bool:
    """Tell whether a convolution is one of those that are written as products."""
    if type(layer) not in _CONVOLUTIONS or not vars(layer).keys().isdisjoint(("convolution_op", "call")):
        return False
    if layer.groups != 1:
        return False
    is_plain = layer.data_format == "channels_last" and all(rate == 1 for rate in layer.dilation_rate)
    return is_plain and layer.padding in ("valid", "same")


@contextlib.contextmanager
def written_as_products(model: Any, batch_size: int) -> Iterator[None]:
    """Let the convolutions of a model, and its largest values of windows, be computed by products meanwhile.

    While a layer is called, `TooLargeError` is raised where its windows take too much memory.
    """
    changed: list[Any] = []
    try:
        for layer in private.of(model, "flatten_layers")():
            if can_be_written(layer):
                changed.append(layer)
                vars(layer)["call"] = _convolution(layer, batch_size)
            elif type(layer) in _MAXIMA and layer.data_format == "channels_last" and "call" not in vars(layer):
                changed.append(layer)
                vars(layer)["call"] = _maximum(layer)
        yield
    finally:
        for layer in changed:
            del vars(layer)["call"]


def _convolution(layer: Any, batch_size: int) -> Callable[[Any], Any]:
    def call(inputs: Any) -> Any:
        kernel = tf.convert_to_tensor(layer.kernel)
        x = _padded(inputs, layer.kernel_size, layer.strides, layer.padding, 0)
        n_values = math.prod([batch_size, *_lengths(x, layer.kernel_size, layer.strides), *kernel.shape[:-1]])
        if n_values * kernel.dtype.size > MOST_BYTES:
            raise TooLargeError(layer.name)
        windows = tf.concat(list(_places(x, layer.kernel_size, layer.strides)), axis=-1)
        outputs = tf.tensordot(windows, tf.reshape(kernel, [-1, kernel.shape[-1]]), 1)
        outputs = outputs + tf.convert_to_tensor(layer.bias) if layer.use_bias else outputs
        return outputs if layer.activation is None else layer.activation(outputs)

    return call


def _maximum(layer: Any) -> Callable[[Any], Any]:
    def call(inputs: Any) -> Any:
        x = _padded(inputs, layer.pool_size, layer.strides, layer.padding, inputs.dtype.min)
        first, *others = _places(x, layer.pool_size, layer.strides)
        for other in others:
            first = tf.maximum(first, other)  # of equal ones the first has the gradient, as in TensorFlow's kernel
        return first

    return call


def _lengths(x: Any, size: Sequence[int], strides: Sequence[int]) -> list[int]:
    return [(n - k) // s + 1 for n, k, s in zip(x.shape[1:-1], size, strides, strict=True)]


def _places(x: Any, size: Sequence[int], strides: Sequence[int]) -> Iterator[Any]:
    """Yield, for each place in a window, its value in all windows, row by row."""
    lengths = _lengths(x, size, strides)
    for place in itertools.product(*map(range, size)):
        ends = [p + (n - 1) * s + 1 for p, n, s in zip(place, lengths, strides, strict=True)]
        slices = [slice(None), *map(slice, place, ends, strides)]
        yield x[tuple(slices)]


def _padded(x: Any, size: Sequence[int], strides: Sequence[int], padding: str, value: Any) -> Any:
    """Add as many values at each side as TensorFlow does for windows of that size."""
    if padding == "valid":
        return x
    lacking = [
        max((-(-n // s) - 1) * s + k - n, 0) for n, k, s in zip(x.shape[1:-1], size, strides, strict=True)
    ]  # fmt: skip
    sides = [(n // 2, n - n // 2) for n in lacking]
    return tf.pad(x, [(0, 0), *sides, (0, 0)], constant_values=value)
