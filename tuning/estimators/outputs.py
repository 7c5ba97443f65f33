"""What a model predicts, so that a sample's outputs do not depend on the company it is in.

Owns batches, and when a compiled call pays: eager calls trace nothing, which is fastest for few samples, but a
recurrent layer costs them an operation of Python's for each step.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from tuning.estimators.inputs import blank_rows, dense_rows, is_sparse, n_samples, of_all

ROWS = 256
"""Samples in a batch of predictions."""

MULTIPLE = 32
"""Batches are filled up to a multiple of this: the CPU rounds a matrix's product otherwise for few rows."""

CALLS = 1000
"""Calls of layers, roughly, from which on tracing a model once is cheaper than calling its layers one by one."""

_STEP = 10
"""Calls that one step of a recurrent layer counts for."""


def outputs(model: Any, X: Any) -> Any:
    """Return what a model predicts, [n, ...]: an array, or a structure of arrays.

    Args:
        model: built.
        X: samples, [n, ...], or a structure of them.
    """
    if is_sparse(X) and not _takes_arrays(model):  # nothing is filled up with sparse rows
        return model.predict(X, batch_size=ROWS, verbose=0)
    n = n_samples(X)
    batches = -(-n // ROWS)
    is_traced = batches > 1 and batches * _calls(model) > CALLS
    parts = []
    for start in range(0, n, ROWS):
        rows = of_all(lambda a, start=start: dense_rows(a, start, start + ROWS), X)
        length = n_samples(rows)
        filled = of_all(_filler((ROWS - length) if is_traced else -length % MULTIPLE), rows)
        made = model.predict_on_batch(filled) if is_traced else model(filled, training=False)
        parts.append(of_all(lambda a, length=length: keras.ops.convert_to_numpy(a)[:length], made))
    if isinstance(parts[0], (dict, list, tuple)):
        return keras.tree.map_structure(lambda *arrays: np.concatenate(arrays), *parts)
    return np.concatenate(parts)


def _takes_arrays(model: Any) -> bool:
    """Tell whether a model's inputs are known, and dense."""
    inputs = keras.tree.flatten(getattr(model, "inputs", None) or [])
    return bool(inputs) and not any(getattr(one, "sparse", False) for one in inputs)


def _filler(missing: int) -> Any:
    def filled(rows: Any) -> Any:
        return np.concatenate([rows, blank_rows(missing, rows)]) if missing else rows

    return filled


def _calls(layer: Any) -> int:
    """Return how many operations, roughly, an eager call of a layer takes, or of a model."""
    parts = getattr(layer, "layers", None) or [
        part
        for part in (getattr(layer, name, None) for name in ("forward_layer", "backward_layer"))
        if part is not None
    ]
    if parts:
        return sum(map(_calls, parts))
    if not hasattr(layer, "cell") and not isinstance(layer, keras.layers.TimeDistributed):
        return 1
    shape: Any = getattr(getattr(layer, "input", None), "shape", ())
    return _STEP * (shape[1] if len(shape) > 1 and shape[1] else 50)
