"""`Data`: what a search trains and validates on, as one frozen record with a fingerprint.

Owns which parts there are and how a fingerprint is made of them. It loads nothing, and it does not judge
whether the data fit a model.
"""

from __future__ import annotations

import copy
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tuning.errors import DataError, must, one_line


@dataclass(frozen=True, eq=False)
class Data:
    """Training and validation data; two records are equal only when they are the same object.

    Attributes:
        x: inputs of the training split: an array, a structure of arrays, a DataFrame, or anything else that
            `model.fit` takes, such as a `tf.data.Dataset`; or a function without arguments that returns one of these
            anew, or a whole `Data`, for what cannot be read twice or be sent to another process. None where `fit` has
            data of its own.
        y: targets of the training split; None where `x` yields them.
        validation: (x, y) or (x, y, sample_weight), (x,) for a model without targets, or anything else that
            `model.fit` takes as its `validation_data`, or a function that returns one; None without validation.
        sample_weight: weights of the training samples.
        name: the data set's name; empty for arrays that were passed in.
        target_names: the class names in the order of the class numbers, or the name of the target.
        load_test: returns the test split, (x, y). Nothing is read before it is called, and only what
            evaluates on the test split calls it.
        folds: row numbers of each fold's training and validation part, where `x` holds both; see `folds`.
    """

    x: Any = field(repr=False)
    y: Any = field(default=None, repr=False)
    validation: Any = field(default=None, repr=False)
    sample_weight: Any = field(default=None, repr=False)
    name: str = ""
    target_names: tuple[str, ...] | None = None
    load_test: Callable[[], tuple[Any, Any]] | None = field(default=None, repr=False)
    folds: tuple[tuple[np.ndarray, np.ndarray], ...] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if isinstance(self.validation, (list, tuple)):
            if len(self.validation) not in (1, 2, 3):
                rule = "be (x, y), (x, y, sample_weight) or (x,)"
                raise DataError(must("validation_data", rule, f"{len(self.validation)} parts"))
            object.__setattr__(self, "validation", tuple(self.validation))  # Keras takes no list

    def fresh(self) -> Data:
        """Return the data as one training reads them: what functions return, and copies of what has a state.

        A sequence of batches that shuffles itself would otherwise be in another order in every trial.
        """
        made = self.x() if _is_function(self.x) else _own(self.x)
        if isinstance(made, Data):
            made = replace(made, name=made.name or self.name, load_test=made.load_test or self.load_test)
            return made if self.validation is None else replace(made, validation=self._own_validation())
        if made is self.x and (isinstance(self.validation, tuple) or self.validation is None):
            return self
        return replace(self, x=made, validation=self._own_validation())

    def _own_validation(self) -> Any:
        return self.validation() if _is_function(self.validation) else _own(self.validation)

    def fingerprint(self) -> dict[str, str]:
        """Return one line for each array, by its place, that changes when the array changes.

        The places are `x`, `y`, `sample_weight`, `validation.x` and so on, with `.key` or `[index]` for parts
        of a structure. A line is "float32 (55000, 28, 28) crc32 0a1b2c3d"; for what can be read only by
        consuming it (a generator, a `tf.data.Dataset`) it is the type's name. The test split takes no part.
        """
        parts = {"x": self.x, "y": self.y, "sample_weight": self.sample_weight}
        if isinstance(self.validation, tuple):
            names = ("validation.x", "validation.y", "validation.sample_weight")
            parts.update(zip(names, self.validation, strict=False))  # the weights may be missing
        else:
            parts["validation"] = self.validation
        found = {"name": self.name} if self.name else {}
        for place, value in parts.items():
            found.update(_lines(place, value))
        return found


def _is_function(value: Any) -> bool:
    """Tell whether `value` returns data rather than being some."""
    if not callable(value) or isinstance(value, Mapping):
        return False
    return not any(hasattr(value, name) for name in ("shape", "element_spec", "__getitem__", "__next__", "__iter__"))


def is_sequence(value: Any) -> bool:
    """Tell whether `value` is a sequence of batches, such as a `PyDataset`."""
    return hasattr(value, "on_epoch_end") and hasattr(value, "__getitem__")


def is_ragged(value: Any) -> bool:
    """Tell whether `value` is a ragged tensor of TensorFlow."""
    return hasattr(value, "row_splits")


def holds_texts(value: Any) -> bool:
    """Tell whether `value` is a tensor of TensorFlow that holds texts, which NumPy makes objects of."""
    return hasattr(value, "numpy") and getattr(getattr(value, "dtype", None), "name", "") == "string"


def _own(value: Any) -> Any:
    """Return a copy of a sequence of batches, which may have a state; anything else as it is.

    Raises:
        DataError: it cannot be copied.
    """
    if not is_sequence(value):
        return value
    try:
        return copy.deepcopy(value)
    except Exception as error:
        raise DataError(
            f"`x` must be data of which every trial can have a copy of its own, but a {type(value).__name__} cannot be "
            f"copied: {one_line(error)}. Give a function that makes it: x=lambda: {type(value).__name__}(...)."
        ) from error


def _lines(place: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield (place, line) for each array in `value`."""
    if value is None:
        return
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _lines(f"{place}.{key}", part)
    elif isinstance(value, (list, tuple)) and holds_arrays(value):
        for index, part in enumerate(value):
            yield from _lines(f"{place}[{index}]", part)
    else:
        yield place, _line(value)


def holds_arrays(value: list[Any] | tuple[Any, ...]) -> bool:
    """Tell a structure of arrays from a list of numbers or texts."""
    for part in value:
        if isinstance(part, (list, tuple)):
            if holds_arrays(part):
                return True
        elif part is not None and not isinstance(part, (int, float, complex, str, bytes, np.generic)):
            return True
    return False


def _line(value: Any) -> str:
    if hasattr(value, "columns") and hasattr(value, "to_numpy"):  # a DataFrame; its columns differ in type
        columns = [value[name].to_numpy() for name in value.columns]
        heads = [(str(name), str(c.dtype)) for name, c in zip(value.columns, columns, strict=True)]
        crc = zlib.crc32(repr(heads).encode())
        for column in columns:
            crc = _crc(column, crc)
        return f"{type(value).__name__} {tuple(value.shape)} crc32 {crc:08x}"
    if hasattr(value, "tocsr"):  # a sparse matrix of SciPy
        rows = value.tocsr()
        crc = _crc(rows.data, _crc(rows.indices, _crc(rows.indptr)))
        return f"sparse {rows.dtype} {tuple(rows.shape)} crc32 {crc:08x}"
    if not hasattr(value, "__array__") and not isinstance(value, (list, tuple, int, float, complex, str, bytes)):
        return type(value).__name__
    try:
        array = np.asarray(value)
    except ValueError:  # a ragged list
        return f"{type(value).__name__} ({len(value)},) crc32 {zlib.crc32(repr(value).encode()):08x}"
    return f"{array.dtype} {array.shape} crc32 {_crc(array):08x}"


def _crc(array: np.ndarray, start: int = 0) -> int:
    """Return the CRC-32 of an array's values in row order, however they lie in memory."""
    if array.dtype.hasobject:  # the bytes are addresses, which differ from run to run
        return zlib.crc32(repr(array.tolist()).encode(), start)
    return zlib.crc32(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data, start)
