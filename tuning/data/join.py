"""Two splits made one: the data of a final training, or of folds.

Owns how arrays, and structures of them, are put behind each other. Nothing is shuffled: `fit` does that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from tuning.data.record import Data, holds_arrays, holds_texts, is_ragged, is_sequence
from tuning.errors import DataError

ADVICE = "Arrays, datasets and sequences of batches can be joined with their like."


def with_validation(data: Data) -> Data:
    """Return data whose training split is training and validation samples together, without a validation split.

    Raises:
        DataError: the validation data are none, or are nothing that can be appended, such as a generator.
    """
    if data.validation is None:
        return data
    if all(hasattr(part, "element_spec") for part in (data.x, data.validation)) or all(
        is_sequence(part) for part in (data.x, data.validation)
    ):
        return replace(data, x=joined(data.x, data.validation), validation=None)
    given = (data.validation, None) if data.y is None and hasattr(data.validation, "shape") else data.validation
    if not isinstance(given, tuple) or is_sequence(data.x):
        raise DataError(
            "the validation data must be (x, y) of arrays to be trained on as well, but are a "
            f"{type(data.validation).__name__}, and x is a {type(data.x).__name__}. {ADVICE}"
        )
    x, y, weight = (*given, None, None)[:3]
    if (weight is None) != (data.sample_weight is None):  # a sample without a weight counts as one
        weight = np.ones(n_samples(x), np.float32) if weight is None else weight
        first = np.ones(n_samples(data.x), np.float32) if data.sample_weight is None else data.sample_weight
    else:
        first = data.sample_weight
    return replace(
        data,
        x=joined(data.x, x),
        y=joined(data.y, y),
        sample_weight=None if weight is None else joined(first, weight),
        validation=None,
    )


def joined(first: Any, second: Any) -> Any:
    """Return the samples of `first` and then those of `second`, which have the same structure.

    Raises:
        DataError: they have not, or are nothing that can be joined.
    """
    if first is None and second is None:
        return None
    if isinstance(first, Mapping) and isinstance(second, Mapping) and first.keys() == second.keys():
        return {key: joined(first[key], second[key]) for key in first}
    if hasattr(first, "concatenate") and hasattr(second, "element_spec"):  # datasets, of batches
        return first.concatenate(second)
    if is_sequence(first) and is_sequence(second):
        return _chained(first, second)
    if any(all(map(kind, (first, second))) for kind in (is_ragged, holds_texts)):
        import tensorflow as tf

        return tf.concat([first, second], axis=0)
    if hasattr(first, "iloc") and type(first) is type(second):
        import pandas

        return pandas.concat([first, second], ignore_index=True)
    if hasattr(first, "tocsr") and hasattr(second, "tocsr"):
        import scipy.sparse

        return scipy.sparse.vstack([first, second]).tocsr()
    if isinstance(first, (list, tuple)) and isinstance(second, (list, tuple)) and holds_arrays(first):
        if len(first) == len(second):
            return type(first)(joined(a, b) for a, b in zip(first, second, strict=True))
    elif (hasattr(first, "__array__") or isinstance(first, list)) and not isinstance(second, Mapping):
        a, b = np.asarray(first), np.asarray(second)
        if a.shape[1:] == b.shape[1:]:
            return np.concatenate([a, b])
    raise DataError(
        "training and validation data must be arrays of the same structure to be joined, but are a "
        f"{type(first).__name__} and a {type(second).__name__}."
    )


def _chained(first: Any, second: Any) -> Any:
    """Return the batches of two sequences, one after the other."""
    import keras

    class Chained(keras.utils.PyDataset):
        def __init__(self) -> None:
            names = ("workers", "use_multiprocessing", "max_queue_size")
            super().__init__(**{name: getattr(first, name) for name in names if hasattr(first, name)})
            self.parts = (first, second)

        def __len__(self) -> int:
            return sum(map(len, self.parts))

        def __getitem__(self, index: int) -> Any:
            n_first = len(self.parts[0])
            return self.parts[0][index] if index < n_first else self.parts[1][index - n_first]

        def on_epoch_end(self) -> None:
            for part in self.parts:
                part.on_epoch_end()

    return Chained()


def n_samples(value: Any) -> int:
    """Return the number of samples in an array, in a structure of arrays, or in batches that end.

    Raises:
        DataError: they have no end, or can be read but once.
    """
    if hasattr(value, "__next__") or (hasattr(value, "cardinality") and int(value.cardinality()) == -1):
        raise DataError(f"the samples of x must be countable, but x is a {type(value).__name__} that has no length.")
    if hasattr(value, "element_spec") or is_sequence(value):
        batches = value if hasattr(value, "element_spec") else (value[index] for index in range(len(value)))
        return sum(n_samples(batch[0] if isinstance(batch, tuple) else batch) for batch in batches)
    while isinstance(value, Mapping) or (isinstance(value, (list, tuple)) and holds_arrays(value)):
        value = next(iter(value.values() if isinstance(value, Mapping) else value))
    return value.shape[0] if hasattr(value, "shape") else len(value)
