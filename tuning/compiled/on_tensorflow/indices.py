"""Finds whole numbers in the data that are no valid index.

Owns a check that TensorFlow's kernels for a CPU make while they run, and XLA does not: it takes the last
row of a table for an index beyond it, and makes a loss of NaN of a label that is no class. With such data the
call is left to `model.fit`, which says what is wrong. Only data that reach a table or a loss directly are
looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from tuning.compiled import private
from tuning.compiled.arrays import Samples


def mistake(model: Any, samples: Samples) -> str | None:
    """Return what is out of range, or None.

    Args:
        model: built and compiled; one without symbolic inputs and outputs is not looked at.
        samples: for training or validation.
    """
    if not getattr(model, "inputs", None) or not getattr(model, "outputs", None):
        return None
    x, y, _ = keras.utils.unpack_x_y_sample_weight(samples.pack(list(samples.tensors)))
    try:
        found = [*_tables(model, x), *_classes(model, y)]
    except (AttributeError, LookupError, TypeError, ValueError):
        # Data in a structure of their own are not looked at.
        return None
    for name, indices, n_valid in found:
        least, most = int(tf.reduce_min(indices)), int(tf.reduce_max(indices))
        if least < 0 or most >= n_valid:
            wrong = least if least < 0 else most
            return f"the data contain {wrong} for {name}, which has 0 to {n_valid - 1}"
    return None


def _tables(model: Any, x: Any) -> Iterator[tuple[str, tf.Tensor, int]]:
    """Yield the inputs that are looked up in an Embedding."""
    inputs = {id(tensor): tensor.name for tensor in model.inputs}
    arrays = x if isinstance(x, dict) else dict(zip(inputs.values(), keras.tree.flatten(x), strict=True))
    for layer in model.layers:
        if isinstance(layer, keras.layers.Embedding) and id(layer.input) in inputs:
            yield layer.name, arrays[inputs[id(layer.input)]], layer.input_dim


def _classes(model: Any, y: Any) -> Iterator[tuple[str, tf.Tensor, int]]:
    """Yield the targets that are numbers of classes."""
    for path, loss, _, name in private.flat_losses(model):
        if private.wrapped(loss) is not keras.losses.sparse_categorical_crossentropy:
            continue
        targets, outputs = y, model.outputs[0] if isinstance(model, keras.Sequential) else model.output
        for step in path:
            targets, outputs = targets[step], outputs[step]
        if loss.get_config().get("ignore_class") is None and not keras.tree.is_nested(outputs):
            yield name, targets, outputs.shape[-1]
