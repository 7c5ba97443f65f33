"""Folds: data divided for cross-validation.

Owns joining training and validation data, dividing them, and taking one fold out of them. How they are divided is
scikit-learn's business; the rows of each fold are worked out once, by whoever drives a search, and travel with the
data. The test split takes no part.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from tuning.data.join import n_samples, with_validation
from tuning.data.record import Data, holds_arrays, holds_texts, is_ragged
from tuning.errors import DataError, OptionError, must


def with_folds(data: Data, cv: Any, seed: int) -> tuple[Data, dict[str, Any]]:
    """Return the data with folds, and what describes these folds.

    Args:
        data: training and, where there are any, validation data; they are joined in this order.
        cv: a number of folds, a splitter of scikit-learn's, or an iterable of (training rows, validation rows). A
            number gives folds that are shuffled with `seed`, and stratified where the targets are classes: 1-D
            whole numbers, booleans or texts of which each occurs at least `cv` times.
        seed: for a number of folds.

    Returns:
        The data, and a JSON object: `folds` (their number), `splitter` (its text), `is_number` (whether `cv` was just
        their number), `rows` (a checksum of all rows).

    Raises:
        OptionError: `cv` is none of these, or does not fit the data.
        DataError: the data cannot be divided into rows.
    """
    whole = with_validation(data)
    n_rows = _n_rows(whole.x)
    labels = None if whole.y is None else _labels(whole.y)
    splitter = _splitter(cv, labels, seed)
    try:
        pairs = splitter.split(np.zeros(n_rows), labels) if hasattr(splitter, "split") else splitter
        folds = tuple((np.arange(n_rows)[train], np.arange(n_rows)[test]) for train, test in pairs)
    except (TypeError, ValueError, IndexError) as error:
        raise OptionError(must("cv", f"fit the {n_rows} rows of the data", cv, f"{error}.")) from None
    if not folds or not all(len(train) and len(test) for train, test in folds):
        raise OptionError(must("cv", "give every fold training and validation rows", cv))
    crc = 0
    for part in (part for fold in folds for part in fold):
        crc = zlib.crc32(part.astype("<i8").tobytes(), crc)
    text = str(splitter) if hasattr(splitter, "split") else "given rows"
    text = type(splitter).__name__ if " at 0x" in text else text  # an address is another one in every process
    description = {"folds": len(folds), "splitter": text, "is_number": _is_number(cv), "rows": f"crc32 {crc:08x}"}
    return replace(whole, folds=folds), description


def fold(data: Data, index: int | None) -> Data:
    """Return the training and validation data of one fold; with None, the data as they are."""
    if index is None or data.folds is None:
        return data
    train, test = data.folds[index]
    parts = (data.x, data.y, data.sample_weight)
    x, y, weight = (rows_of(part, train) for part in parts)
    validation = tuple(rows_of(part, test) for part in parts)
    return replace(
        data,
        x=x,
        y=y,
        sample_weight=weight,
        validation=validation if weight is not None else validation[:2],
        load_test=None,
        folds=None,
    )


def _splitter(cv: Any, labels: np.ndarray | None, seed: int) -> Any:
    if _is_number(cv):
        if cv < 2:
            raise OptionError(must("cv", "be at least 2 folds", cv))
        from sklearn.model_selection import KFold, StratifiedKFold

        kind = StratifiedKFold if _are_classes(labels, int(cv)) else KFold
        return kind(int(cv), shuffle=True, random_state=seed)
    if hasattr(cv, "split") and not isinstance(cv, str):
        return cv
    if isinstance(cv, Iterable) and not isinstance(cv, (str, bytes, Mapping)):
        return list(cv)  # what a splitter's `split` returns can be read only once
    rule = "be a number of folds, a splitter of scikit-learn, or a list of (training rows, validation rows)"
    raise OptionError(must("cv", rule, cv))


def _is_number(cv: Any) -> bool:
    return isinstance(cv, (int, np.integer)) and not isinstance(cv, bool)


def _are_classes(labels: np.ndarray | None, least: int) -> bool:
    if labels is None or labels.ndim != 1 or labels.dtype.kind not in "biuOSU":
        return False
    try:
        return bool(np.unique(labels, return_counts=True)[1].min() >= least)
    except TypeError:  # objects that cannot be sorted
        return False


def _labels(y: Any) -> np.ndarray | None:
    """Return the targets as scikit-learn's splitters take them; None for several outputs."""
    if isinstance(y, (Mapping, tuple)) or (isinstance(y, list) and holds_arrays(y)):
        return None
    labels = np.asarray(y)
    return labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels


# Rows of whatever Keras takes ----------------------------------------------------------------------------


def rows_of(value: Any, rows: np.ndarray) -> Any:
    """Return some rows of an array, a table, a ragged or sparse matrix, or of each in a structure of them."""
    if value is None:
        return None
    if isinstance(value, Mapping):
        return {key: rows_of(part, rows) for key, part in value.items()}
    if isinstance(value, (list, tuple)) and holds_arrays(value):
        return type(value)(rows_of(part, rows) for part in value)
    if is_ragged(value) or holds_texts(value):
        import tensorflow as tf

        return tf.gather(value, rows)
    if hasattr(value, "tocsr"):
        return value.tocsr()[rows]
    return value.iloc[rows] if hasattr(value, "iloc") else np.asarray(value)[rows]


def _n_rows(x: Any) -> int:
    if not isinstance(x, (Mapping, list, tuple)) and not hasattr(x, "shape"):
        raise DataError(must("x", "be arrays for cross-validation, whose rows can be chosen", type(x).__name__))
    return int(n_samples(x))
