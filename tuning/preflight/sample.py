"""A small batch of any kind of data.

Owns the knowledge of which kinds can be sliced. What cannot, such as a generator or a sequence of batches, is left as
it is: whoever trains on it ends after its first batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tuning.data import Data

BATCH = 32


@dataclass(frozen=True)
class Sample:
    """Data to try a training on.

    Attributes:
        data: the samples.
        is_small: whether all of it is small; otherwise a training on it must end after one batch.
    """

    data: Data
    is_small: bool


def sample_of(data: Data, rows: Mapping[str, Sequence[int]] | None = None) -> Sample:
    """Return a batch of the training and of the validation data.

    Args:
        data: what a search is given.
        rows: rows of the "training" and "validation" data that must be in it, such as odd ones; others fill it up.
    """
    wanted = {split: _rows(found) for split, found in (rows or {}).items() if found}
    parts = {name: _head(getattr(data, name), wanted.get("training")) for name in ("x", "y", "sample_weight")}
    parts["validation"] = _head(data.validation, wanted.get("validation"))
    heads = {name: getattr(data, name) if head is _WHOLE else head for name, head in parts.items()}
    return Sample(replace(data, **heads), not any(head is _WHOLE for head in parts.values()))


_WHOLE = object()
"""Stands for what cannot be sliced."""


def _rows(odd: Sequence[int]) -> np.ndarray:
    """Return the numbers of a batch's rows: a few odd ones, and the first ones."""
    first = [row for row in range(BATCH) if row not in set(odd)]
    return np.array(sorted([*odd[: BATCH // 4], *first][:BATCH]))


def _head(data: Any, rows: np.ndarray | None) -> Any:
    if data is None:
        return None
    if isinstance(data, Mapping):
        parts = {key: _head(value, rows) for key, value in data.items()}
        return _WHOLE if any(part is _WHOLE for part in parts.values()) else parts
    if isinstance(data, (list, tuple)):
        if type(data) not in (list, tuple):
            return _WHOLE
        if data and all(isinstance(value, (int, float, str, np.generic)) for value in data):  # a list of labels
            return type(data)(data[:BATCH])
        listed = [_head(part, rows) for part in data]
        return _WHOLE if any(part is _WHOLE for part in listed) else type(data)(listed)
    if not hasattr(data, "iloc") and not (hasattr(data, "shape") and hasattr(data, "__getitem__")):
        return _WHOLE
    if rows is None:
        return data.iloc[:BATCH] if hasattr(data, "iloc") else data[:BATCH]
    rows = rows[rows < data.shape[0]]
    if hasattr(data, "iloc"):
        return data.iloc[rows]
    try:
        return data[rows]
    except Exception:  # a tensor, which takes no list of rows
        return data[:BATCH]
