"""Puts arrays on the device, as Keras would feed them.

Owns the conversion of `x`, `y` and `sample_weight` to tensors and the choice of the batch size. Keras's own
adapter for arrays does the checking and the casting, so that what is accepted and what becomes of it is the
same.

Nothing is kept from one `fit` to the next: copying 172 MB takes 25 ms here, less than finding out whether the
arrays have been changed in between.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import keras
import numpy as np

from tuning.compiled import backends, private

MAX_PADDED_BYTES = 2**25
"""Larger arrays are not padded: copying them for every trial costs more than a second compilation for another fold."""


class UnsupportedDataError(Exception):
    """The data are nothing that a compiled program can read; the text says what they are."""


@dataclasses.dataclass(frozen=True)
class Samples:
    """Samples on the device, padded to whole batches unless they are large.

    Attributes:
        structure: what a step gets as `data`, with True for an array and None for nothing.
        tensors: the arrays, each [n_rows or n_batches * batch_size, ...]; rows from `n_rows` on mean nothing.
        n_rows: number of samples.
        batch_size: rows in each batch but the last.
    """

    structure: Any
    tensors: tuple[Any, ...]
    n_rows: int
    batch_size: int

    @property
    def n_batches(self) -> int:
        return math.ceil(self.n_rows / self.batch_size)

    @property
    def size(self) -> int:
        """How many places there are in an order of the samples: whole batches, surplus rows included."""
        return max(self.n_batches * self.batch_size, int(self.tensors[0].shape[0]))

    @property
    def n_short(self) -> int:
        """Rows in the last batch if it is a short one, else 0."""
        return self.n_rows % self.batch_size

    @property
    def signature(self) -> str:
        """What a program for such samples depends on, besides the number of rows in a short last batch."""
        shapes = [(tuple(t.shape), t.dtype.name) for t in self.tensors]
        return repr((self.structure, shapes, self.batch_size, self.n_short > 0))

    def pack(self, tensors: list[Any]) -> Any:
        """Return `tensors` in the structure that a step expects."""
        rest = iter(tensors)
        return keras.tree.map_structure(lambda leaf: None if leaf is None else next(rest), self.structure)


def load(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    batch_size: int | None = None,
    class_weight: dict[int, float] | None = None,
) -> Samples:
    """Put the arrays on the device.

    Args:
        x: inputs, an array or a structure of arrays [n_rows, ...].
        y: targets, likewise, or None.
        sample_weight: weights, likewise, or None.
        batch_size: by default 32, as in Keras.
        class_weight: weight of each class, by its index.

    Raises:
        UnsupportedDataError: the data are not plain arrays of numbers.
        ValueError: Keras's own error about arrays that do not fit each other.
    """
    if not private.get("can_convert_arrays")((x, y, sample_weight)):
        raise UnsupportedDataError(f"x is a {type(x).__name__}, not an array")
    for leaf in keras.tree.flatten((x, y, sample_weight)):
        if hasattr(leaf, "todense"):
            raise UnsupportedDataError(f"the data contain a {type(leaf).__name__}, which is sparse")
    adapter = private.get("ArrayDataAdapter")(
        x, y, sample_weight=sample_weight, batch_size=batch_size, class_weight=class_weight
    )
    data = private.get("convert_to_sliceable")(private.of(adapter, "adapted"), target_backend="tensorflow")
    data = keras.tree.lists_to_tuples(data)
    leaves = [leaf for leaf in keras.tree.flatten(data) if leaf is not None]
    tensors = [_tensor(leaf) for leaf in leaves]
    n_rows = int(tensors[0].shape[0])
    if n_rows == 0:
        raise UnsupportedDataError("the arrays have no rows")
    batch_size = min(private.of(adapter, "adapted_size"), n_rows)
    structure = keras.tree.map_structure(lambda leaf: None if leaf is None else True, data)
    return Samples(structure, tuple(_padded(t, batch_size) for t in tensors), n_rows, batch_size)


def split(x: Any, y: Any, sample_weight: Any, fraction: float) -> tuple[Any, Any]:
    """Split off the last `fraction` of the samples for validation, as `validation_split` does."""
    cut: tuple[Any, Any] = private.get("train_validation_split")((x, y, sample_weight), validation_split=fraction)
    return cut


def _tensor(leaf: Any) -> Any:
    if isinstance(leaf, np.ndarray) and leaf.dtype.kind not in "biufc" and leaf.dtype.name != "bfloat16":
        raise UnsupportedDataError(f"the data contain values of type {leaf.dtype}")
    return backends.current().tensor(leaf)


def _padded(tensor: Any, batch_size: int) -> Any:
    """Fill up the last batch, so that folds of nearly the same size have arrays of the same shape."""
    missing = -int(tensor.shape[0]) % batch_size
    if missing == 0 or _bytes(tensor) > MAX_PADDED_BYTES:
        return tensor
    return backends.current().padded(tensor, missing)


def _bytes(tensor: Any) -> int:
    return int(math.prod(tensor.shape) * getattr(tensor.dtype, "size", getattr(tensor.dtype, "itemsize", 0)))
