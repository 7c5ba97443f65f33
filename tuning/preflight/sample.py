"""The first batch of any kind of data.

Owns the knowledge of which kinds can be sliced. What cannot be looked at without using it up, such as a
generator, is left alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tuning.data import Data

BATCH = 32


def sample_of(data: Data) -> Data | None:
    """Return the first batch of training and validation data; None when it cannot be taken."""
    x, y = _head(data.x), _head(data.y)
    if x is None or (y is None and data.y is not None):
        return None
    validation = None if data.validation is None else _head(data.validation)
    return replace(data, x=x, y=y, validation=validation, sample_weight=_head(data.sample_weight))


def is_dataset(data: Any) -> bool:
    """Tell whether `data` is a `tf.data.Dataset`."""
    return hasattr(data, "take") and hasattr(data, "element_spec")


def _head(data: Any) -> Any:
    if data is None:
        return None
    if is_dataset(data):
        return data.take(1)
    if isinstance(data, Mapping):
        return {key: _head(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        parts = [_head(part) for part in data]
        return type(data)(parts) if type(data) in (list, tuple) else data
    if hasattr(data, "iloc"):
        return data.iloc[:BATCH]
    if hasattr(data, "shape") and hasattr(data, "__getitem__"):
        return data[:BATCH]
    return None
