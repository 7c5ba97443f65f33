"""Batches of a `tf.data.Dataset` that TensorFlow itself puts together, beside the training, without Python.

Owns how they are stacked and taken apart again. Nothing is lost: each array is stacked together with the shapes it had
in each batch, so that batches of other shapes than expected can be taken out as they were.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, overload

import keras
import numpy as np
import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Stack(Sequence[Any]):
    """Batches in a row; as a sequence, what a step gets of each.

    Attributes:
        structure: of a batch, with None where it has nothing.
        arrays: each [n_batches, n_rows, ...], filled up with zeros where a batch is smaller.
        shapes: of each array int32 [n_batches, rank], what it is in each batch.
    """

    structure: Any
    arrays: list[tf.Tensor]
    shapes: list[np.ndarray]

    @property
    def is_regular(self) -> bool:
        """Whether all batches are of one shape, but for the last one, which may have fewer rows."""
        return all(
            (shape[:-1] == shape[0]).all() and (shape[-1, 1:] == shape[0, 1:]).all() and shape[-1, 0] <= shape[0, 0]
            for shape in self.shapes
        )

    @property
    def batch_size(self) -> int:
        return int(self.shapes[0][0, 0])

    @property
    def n_rows(self) -> int:
        return int(self.shapes[0][:, 0].sum())

    def joined(self, capacity: int) -> tuple[tf.Tensor, ...]:
        """Return the arrays as [capacity * batch_size, ...] each, if the stack is regular."""
        missing = capacity - len(self)
        arrays = self.arrays
        if missing:
            arrays = [tf.concat([array, tf.zeros([missing, *array.shape[1:]], array.dtype)], 0) for array in arrays]
        return tuple(tf.reshape(array, [-1, *array.shape[2:]]) for array in arrays)

    def __len__(self) -> int:
        return len(self.shapes[0])

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self[number] for number in range(len(self))[index]]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        parts = zip(self.arrays, self.shapes, strict=True)
        rest = iter(array[index][tuple(slice(size) for size in shape[index])] for array, shape in parts)
        return keras.tree.map_structure(lambda leaf: None if leaf is None else next(rest), self.structure)


def dataset_of(dataset: Any, n_batches: int) -> Any:
    """Return a dataset of stacks of so many batches each, read ahead; None where they cannot be stacked."""
    leaves = [leaf for leaf in tf.nest.flatten(dataset.element_spec) if not _is_nothing(leaf)]
    if not leaves or not all(isinstance(leaf, tf.TensorSpec) and leaf.shape.rank for leaf in leaves):
        return None

    def with_shapes(*batch: Any) -> Any:
        arrays = [leaf for leaf in tf.nest.flatten(batch) if leaf is not None]
        return tuple(arrays), tuple(tf.shape(array) for array in arrays)

    return dataset.map(with_shapes).padded_batch(n_batches).prefetch(1)


def read(dataset: Any, spec: Any) -> Iterator[Stack]:
    """Read what `dataset_of` has made.

    Args:
        dataset: of stacks.
        spec: the element that the dataset had which they were made of.
    """
    structure = tf.nest.map_structure(lambda leaf: None if _is_nothing(leaf) else True, spec)
    structure = keras.tree.lists_to_tuples(structure)
    for arrays, shapes in dataset:
        yield Stack(structure, list(arrays), [shape.numpy() for shape in shapes])


def _is_nothing(spec: Any) -> bool:
    return type(spec).__name__ == "NoneTensorSpec"
