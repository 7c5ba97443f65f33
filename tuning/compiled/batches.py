"""Reads data that come in batches, so that many of them can be trained by one program.

Owns what counts as such data, the order in which they are read, and how many make up a piece. Keras's own iterator does
the reading: datasets, sequences, generators and loaders mean what they mean to `model.fit`, `steps_per_epoch` too.
Nothing is read before its epoch begins, and nothing is kept after it, because a pipeline that shuffles or augments
gives other batches every time.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import types
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from tuning.compiled import backends, private
from tuning.compiled.arrays import Samples, UnsupportedDataError

if TYPE_CHECKING:
    from tuning.compiled.stacks import Stack

MOST_BYTES, MOST_BATCHES = 2**26, 64
"""What a piece may hold: not an epoch, because the next piece is read while one is trained."""


@dataclasses.dataclass(frozen=True)
class Piece:
    """Batches in a row, of equal shape but for the last one, which may be shorter.

    Attributes:
        batches: structures of arrays, as a step gets them; a list, or what TensorFlow has stacked.
        capacity: batches that there is room for; equal for all pieces of one kind of batch.
    """

    batches: list[Any] | Stack
    capacity: int

    @property
    def form(self) -> Any:
        """What its batches have in common, and whether the last one is shorter."""
        first, last = (_form(batch) for batch in (self.batches[0], self.batches[-1]))
        return first, first != last

    @functools.cached_property
    def samples(self) -> Samples:
        """One array for each of the batches', all of them in a row, with room for as many as there may be.

        Raises:
            UnsupportedDataError: they are nothing that a compiled program can read.
        """
        structure = keras.tree.map_structure(lambda leaf: None if leaf is None else True, self.batches[0])
        if not isinstance(self.batches, list):
            return Samples(structure, self.batches.joined(self.capacity), self.batches.n_rows, self.batches.batch_size)
        leaves = [[leaf for leaf in keras.tree.flatten(batch) if leaf is not None] for batch in self.batches]
        n_rows = sum(len(batch[0]) for batch in leaves)
        tensors = tuple(_joined(list(parts), self.capacity) for parts in zip(*leaves, strict=True))
        return Samples(structure, tensors, n_rows, len(leaves[0][0]))


def looked_at(x: Any) -> tuple[Any, str | None]:
    """Return the data, and why no program can read them, if that is seen beforehand.

    A sequence is asked for a batch, as Keras does. A generator is taken one from, and another one returned in its place
    that begins with it.
    """
    import tensorflow as tf

    leaves: list[Any] = []
    if isinstance(x, tf.data.Dataset):
        leaves = tf.nest.flatten(x.element_spec)
    elif isinstance(x, keras.utils.PyDataset):
        leaves = keras.tree.flatten(x[0])
    elif isinstance(x, types.GeneratorType):
        first = list(itertools.islice(x, 1))
        leaves, x = keras.tree.flatten(first), _again(first, x)
    wrong = next((leaf for leaf in leaves if leaf is not None and not _is_numeric(leaf)), None)
    return x, None if wrong is None else f"the batches contain a {type(wrong).__name__}, not an array of numbers"


class Stream:
    """Data that come in batches, epoch by epoch.

    Args:
        x: a dataset, a sequence of batches, a generator or a loader.
        steps: batches of an epoch; None for all there are.
        shuffle: whether a sequence is read in another order each time.
        class_weight: weight of each class, by its index.

    Raises:
        ValueError: Keras's own error about data that it cannot read.
    """

    def __init__(self, x: Any, steps: int | None, shuffle: bool, class_weight: dict[int, float] | None = None) -> None:
        self._batches = private.get("EpochIterator")(
            x=x, steps_per_epoch=steps, shuffle=shuffle, class_weight=class_weight
        )
        self._stacks: Any = None
        self._capacity_of_stacks = 1
        self._dataset: Any = None
        if x.__class__.__module__.startswith("tensorflow."):
            # It is begun as often as by Keras on TensorFlow, since it is shuffled anew each time.
            private.of(self._batches, "get_iterator")
            setattr(self._batches, private.ATTRIBUTES["get_iterator"][1], self._batches.data_adapter.get_tf_dataset)
            if steps is None:  # otherwise an epoch may end within a stack
                self._dataset = self._batches.data_adapter.get_tf_dataset()
        self.adapter = self._batches.data_adapter
        """What Keras may be given in place of `x`: of a generator, it has taken a batch or two already."""

    @property
    def n_batches(self) -> int:
        """Batches of an epoch; 0 where that is not known."""
        return self._batches.num_batches or 0

    def begin(self) -> None:
        """Start from the beginning, as a new call of `fit` does."""
        self._batches.reset()

    def pieces(self) -> Iterator[Piece]:
        """Read an epoch; whenever a piece is given, the next is being read."""
        if self._stacks is not None:
            yield from self._stacked_pieces()
            return
        read = self._grouped(self._read())

        def next_one() -> Piece | None:
            piece = next(read, None)
            with suppress(Exception):  # which whoever asks for them gets
                _ = piece is not None and piece.samples
            return piece

        pieces: list[tuple[int, int]] = []
        with ThreadPoolExecutor(1) as reader:
            coming = reader.submit(next_one)
            while (piece := coming.result()) is not None:
                coming = reader.submit(next_one)
                pieces.append((len(piece.batches), piece.capacity))
                yield piece
        self._stack(pieces)

    def _stack(self, pieces: list[tuple[int, int]]) -> None:
        """Let TensorFlow put the batches of later epochs together, if those of this one were alike.

        Args:
            pieces: of each of them, how many batches it had, and how many it had room for.
        """
        capacity = pieces[0][1] if pieces else 1
        if self._dataset is not None and capacity > 1 and all(n == room == capacity for n, room in pieces[:-1]):
            from tuning.compiled import stacks

            self._stacks, self._capacity_of_stacks = stacks.dataset_of(self._dataset, capacity), capacity

    def _stacked_pieces(self) -> Iterator[Piece]:
        from tuning.compiled import stacks

        for stack in stacks.read(self._stacks, self._dataset.element_spec):
            if stack.is_regular:
                yield Piece(stack, self._capacity_of_stacks)
            else:
                yield from self._grouped(stack)
        iter(self._stacks)  # as often as Keras begins it

    def _grouped(self, read: Iterable[Any]) -> Iterator[Piece]:
        batches: list[Any] = []
        first = last = None
        capacity = 1
        for batch in read:
            form = _form(batch)
            if batches and not _follows(form, first, last):
                yield Piece(batches, capacity)
                batches = []
            if not batches:
                first, capacity = form, self._capacity(batch)
            batches.append(batch)
            last = form
            if len(batches) == capacity:
                yield Piece(batches, capacity)
                batches = []
        if batches:
            yield Piece(batches, capacity)

    def _read(self) -> Iterator[Any]:
        with self._batches.catch_stop_iteration():
            for _, _, batches in self._batches:
                yield from (keras.tree.lists_to_tuples(batch) for batch in batches)

    def _capacity(self, batch: Any) -> int:
        size = sum(np.asarray(leaf).nbytes for leaf in keras.tree.flatten(batch) if leaf is not None)
        return max(1, min(self.n_batches, MOST_BATCHES, MOST_BYTES // max(1, size)))


def _again(first: list[Any], rest: Iterator[Any]) -> Iterator[Any]:
    # Not `yield from rest`, which would close the person's generator together with this one.
    yield from itertools.chain(first, rest)


def _is_numeric(leaf: Any) -> bool:
    if hasattr(leaf, "is_compatible_with"):  # of a dataset it is only said what it holds
        return type(leaf).__name__ == "TensorSpec" and leaf.dtype.name != "string"
    return hasattr(leaf, "__array__") and not hasattr(leaf, "tocsr") and str(leaf.dtype) not in ("object", "string")


def _form(batch: Any) -> Any:
    return [None if leaf is None else (np.shape(leaf), str(leaf.dtype)) for leaf in keras.tree.flatten(batch)]


def _follows(form: Any, first: Any, last: Any) -> bool:
    """Tell whether a batch is of the shape of those before it, or has fewer rows and they have not.

    Args:
        form: of the batch.
        first: of the first of those before it.
        last: of the last of them.
    """
    if last != first or len(form) != len(first):
        return False
    return all(
        mine is theirs is None
        or (mine and theirs and mine[1] == theirs[1] and mine[0][1:] == theirs[0][1:] and mine[0][0] <= theirs[0][0])
        for mine, theirs in zip(form, first, strict=True)
    )


def _joined(parts: list[Any], capacity: int) -> Any:
    parts = [np.asarray(part) for part in parts]
    size = len(parts[0])
    if parts[0].dtype.kind not in "biufc" or parts[0].ndim == 0:
        raise UnsupportedDataError(f"the batches contain values of type {parts[0].dtype}")
    joined = np.zeros((capacity * size, *parts[0].shape[1:]), parts[0].dtype)
    for number, part in enumerate(parts):
        joined[number * size : number * size + len(part)] = part
    return backends.current().tensor(joined)
