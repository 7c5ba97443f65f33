"""Do the data fit each other, the loss and the outputs?

Owns the mistakes that Keras trains through without a word: regression targets into a classification loss,
class ids outside the softmax, a softmax of one unit, NaN. Every function returns mistakes as texts, none
when all is well.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tuning.data import Data
from tuning.preflight.watch import TRAINING, VALIDATION, Output, Watch

SPARSE = "sparse_categorical_crossentropy"
ONE_HOT = "categorical_crossentropy"
BINARY = "binary_crossentropy"
REGRESSION = (
    "mse",
    "mean_squared_error",
    "mae",
    "mean_absolute_error",
    "huber",
    "huber_loss",
    "log_cosh",
    "logcosh",
    "mape",
    "mean_absolute_percentage_error",
    "msle",
    "mean_squared_logarithmic_error",
)


@dataclass(frozen=True)
class Oddity:
    """Something in the data that Keras need not mind: whether it does shows when it is trained on.

    Attributes:
        split: "training" or "validation".
        text: what it is, and what to do.
        rows: a few of the rows that it is in; none where x and y differ in length.
    """

    split: str
    text: str
    rows: tuple[int, ...] = ()


def oddities(data: Data) -> list[Oddity]:
    """Find NaN, infinities, and x and y of different length."""
    found = []
    for split, (x, y) in _splits(data).items():
        lengths: dict[int, None] = {}
        for name, array in [*_arrays("x", x), *_arrays("y", y)]:
            if array.ndim:
                lengths[len(array)] = None
            if array.dtype.kind == "f" and not _is_finite(array):
                is_bad = ~np.isfinite(array)
                rows = np.flatnonzero(is_bad.reshape(len(array), -1).any(axis=1))[:8] if array.ndim else ()
                text = (
                    f"{name} of the {split} data must be finite, but {int(np.count_nonzero(is_bad))} of {array.size} "
                    "values are NaN or infinite. Drop those samples or fill in the values before the search."
                )
                found.append(Oddity(split, text, tuple(map(int, rows))))
        if len(lengths) > 1:
            text = (
                f"x and y of the {split} data must have the same number of samples, but have "
                f"{' and '.join(map(str, lengths))}."
            )
            found.append(Oddity(split, text))
    return found


def label_mistakes(watch: Watch, data: Data) -> list[str]:
    """Find labels that cannot mean anything under the loss and the shape of each of the outputs.

    Labels are read in full where `fit` and the model's own step have left them as they are; otherwise those that
    reached the losses are looked at, which are those of one batch.

    Args:
        watch: has watched a training on a part of them.
        data: all that a search is given.
    """
    mistakes = []
    for split in watch.labels:
        for output in watch.outputs:
            known = _known_labels(watch, split, output, data)
            if known is not None:
                where = f"the {split} labels" + (f" of output '{output.name}'" if len(watch.outputs) > 1 else "")
                mistakes += _mistakes_of_output(where, known, output, _has_softmax(watch, output))
    return list(dict.fromkeys(mistakes))


def accuracy_mistakes(watch: Watch, data: Data, metrics: Mapping[str, Any]) -> dict[str, str]:
    """Find accuracies, by the names of their metrics, that are measured of targets that are no classes."""
    found: dict[str, str] = {}
    for output in watch.outputs:
        start = f"{output.name}_" if len(watch.outputs) > 1 else ""
        names = [name for name in (f"{start}accuracy", f"{start}acc") if name in metrics and _is_kerass(watch, name)]
        for split in watch.labels if names else ():
            labels = _known_labels(watch, split, output, data)
            if labels is None or labels.dtype.kind != "f" or _is_whole(labels) or _are_probabilities(labels):
                continue
            where = f" of output '{output.name}'" if start else ""
            text = (
                f"the {split} labels{where} must be classes, because accuracy is measured, but got "
                f"{_examples(labels)}. These look like regression targets: use a metric such as "
                "keras.metrics.RootMeanSquaredError(name='rmse')."
            )
            found.update({name: found.get(name, text) for name in names})
    return found


def text_columns(data: Data) -> list[str]:
    """Return in words which columns of x hold texts; none where x is no table or array."""
    x = data.x
    if hasattr(x, "columns") and hasattr(x, "iloc"):
        texts = [str(name) for name in x.columns if _holds_texts(x[name].to_numpy())]
        return [f"column{'s' * (len(texts) > 1)} {', '.join(map(repr, texts))} of x"] if texts else []
    return ["x"] if isinstance(x, np.ndarray) and _holds_texts(x.ravel()) else []


def _holds_texts(values: np.ndarray) -> bool:
    if values.dtype.kind in "US":
        return True
    return values.dtype.kind not in "fiubcmM" and any(isinstance(value, str) for value in values[:100].tolist())


def _known_labels(watch: Watch, split: str, output: Output, data: Data) -> np.ndarray | None:
    """Return the labels that an output's loss is known to get, without those that count nothing; None for none."""
    y, weights = watch.labels[split]
    seen = _labels_of(y, output.name, watch.outputs)
    given = _labels_of(watch.given.get(split), output.name, watch.outputs)
    whole = _splits(data).get(split if split in _splits(data) else TRAINING, (None, None))
    labels, weights = seen, weights
    if given is not None and _is_left_alone(given, seen):
        labels = _labels_of(whole[1], output.name, watch.outputs)
        weights = _weights(data, split)
    weights = _labels_of(weights, output.name, watch.outputs) if weights is not None else None
    if labels is None or not labels.size or labels.dtype.kind not in "fiub":
        return labels if labels is not None and labels.size else None
    if weights is not None and weights.shape == labels.shape[: weights.ndim]:
        labels = labels[weights != 0]
    if output.ignored is not None:
        labels = labels[labels != output.ignored] if labels.ndim == 1 or labels.shape[-1] == 1 else labels
        labels = labels.reshape(-1)
    labels = labels[np.isfinite(labels).reshape(len(labels), -1).all(axis=1)] if labels.dtype.kind == "f" else labels
    return labels if labels.size else None


def _is_left_alone(given: np.ndarray, seen: np.ndarray | None) -> bool:
    """Tell whether the labels that reached a loss are some of those that `model.fit` got."""
    if seen is None:
        return True  # a graph was traced, in which nothing has a value
    if given.dtype.kind not in "fiub" or seen.size == 0:
        return False
    if given[:1].size != seen[:1].size:
        return False
    return bool(np.isin(seen.ravel().astype("float32"), given.ravel().astype("float32")).all())


def _weights(data: Data, split: str) -> Any:
    if split == VALIDATION and isinstance(data.validation, tuple):
        return data.validation[2] if len(data.validation) > 2 else None
    return data.sample_weight


def _mistakes_of_output(where: str, labels: np.ndarray, output: Output, softmax: bool) -> list[str]:
    shape, loss = output.shape, output.loss
    units = (shape[-1] if len(shape) > 1 else 1) or 0
    if (loss in (SPARSE, ONE_HOT) or softmax) and units == 1:
        return [
            f"the output must have one unit a class for a softmax or {loss or 'cross-entropy'}, but has 1 unit, "
            "whose value is always 1. Use as many units as there are classes, or one sigmoid unit with "
            "binary_crossentropy."
        ]
    if len(shape) > 2 or units == 0 or labels.dtype.kind not in "fiub":
        return []
    if loss == SPARSE:
        return _mistakes_of_class_ids(where, labels, units)
    if loss == BINARY and (labels.min() < 0 or labels.max() > 1):
        return [f"{where} must be between 0 and 1 for {loss}, but got {_examples(labels)}."]
    width = labels.shape[-1] if labels.ndim > 1 else 1
    if loss == ONE_HOT and labels.ndim == 1:
        return [f"{where} must be one-hot rows of {units} for {loss}, but got class ids. Use loss='{SPARSE}'."]
    if loss in (ONE_HOT, BINARY, *REGRESSION) and width != units:
        return [f"{where} must have {units} value{'s' * (units > 1)} a sample, one an output unit, but have {width}."]
    return []


def _mistakes_of_class_ids(where: str, labels: np.ndarray, classes: int) -> list[str]:
    if not _is_whole(labels):
        return [
            f"{where} must be class ids 0 .. {classes - 1} for {SPARSE}, but got {_examples(labels)}. These look "
            "like regression targets: use an output of one unit with loss='mse', or load a classification data set."
        ]
    if labels.ndim > 1 and labels.shape[-1] != 1:
        return [
            f"{where} must be one class id a sample for {SPARSE}, but have {labels.shape[-1]} values. "
            f"For one-hot rows use loss='{ONE_HOT}'."
        ]
    if labels.min() < 0 or labels.max() >= classes:
        return [
            f"{where} must be class ids 0 .. {classes - 1}, because the output has {classes} units, but got ids "
            f"{int(labels.min())} .. {int(labels.max())}. Give the last layer {int(labels.max()) + 1} units, or count "
            "classes from 0."
        ]
    return []


def _splits(data: Data) -> dict[str, tuple[Any, Any]]:
    splits = {TRAINING: (data.x, data.y)}
    if isinstance(data.validation, (tuple, list)) and len(data.validation) >= 2:
        splits[VALIDATION] = (data.validation[0], data.validation[1])
    return splits


def _arrays(name: str, data: Any) -> Iterator[tuple[str, np.ndarray]]:
    """Yield every array of numbers in a nested structure; what is none is passed over."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from _arrays(f"{name}['{key}']", value)
    elif isinstance(data, (list, tuple)):
        if data and _is_list_of_numbers(data):
            yield name, np.asarray(data)
            return
        for index, value in enumerate(data):
            yield from _arrays(f"{name}[{index}]", value)
    elif hasattr(data, "to_numpy"):
        yield name, data.to_numpy()
    elif hasattr(data, "shape") and hasattr(data, "dtype") and not hasattr(data, "tocsr"):
        with contextlib.suppress(Exception):  # ragged and sparse tensors, tensors of a graph
            array = np.asarray(data)
            if array.ndim or not data.shape:
                yield name, array


def _labels_of(y: Any, name: str, outputs: list[Output]) -> np.ndarray | None:
    """Return the labels of one output; None when they cannot be told apart."""
    if isinstance(y, Mapping):
        y = y.get(name)
    elif isinstance(y, (list, tuple)) and not (len(outputs) == 1 and _is_list_of_numbers(y)):
        index = [output.name for output in outputs].index(name)
        y = y[index] if len(y) == len(outputs) else None
    elif len(outputs) > 1:
        return None
    found = list(_arrays("y", y))
    return found[0][1] if len(found) == 1 and found[0][1].size else None


def _is_list_of_numbers(y: Any) -> bool:
    return all(isinstance(value, (int, float, np.generic)) for value in y)


def _has_softmax(watch: Watch, output: Output) -> bool:
    """Tell whether an output is a softmax, and of one unit."""
    if output.constant not in (None, 1.0):
        return False
    model = watch.model
    layers = getattr(model, "layers", None) or []
    named = [layer for layer in layers if layer.name == output.name]
    last = named or (layers[-1:] if len(watch.outputs) == 1 else [])
    return any(getattr(getattr(layer, "activation", None), "__name__", "") == "softmax" for layer in last)


def _is_kerass(watch: Watch, name: str) -> bool:
    """Tell whether the accuracy of that name is Keras's own, which compares classes."""
    import keras

    metrics = [m for metric in watch.model.metrics for m in getattr(metric, "metrics", None) or [metric]]
    kinds = [type(metric) for metric in metrics if name.endswith(metric.name)]
    of_keras = [kind.__module__.startswith("keras.") and "Accuracy" in kind.__name__ for kind in kinds]
    return bool(kinds) and all(of_keras) and keras.metrics.MeanMetricWrapper not in kinds


def _is_finite(array: np.ndarray) -> bool:
    with np.errstate(all="ignore"):
        # The sum is finite for nearly all good data, and needs no second array.
        return bool(np.isfinite(array.sum(dtype=np.float64))) or bool(np.isfinite(array).all())


def _is_whole(labels: np.ndarray) -> bool:
    return labels.dtype.kind in "iub" or bool((labels == np.floor(labels)).all())


def _are_probabilities(labels: np.ndarray) -> bool:
    return bool(labels.ndim > 1 and labels.shape[-1] > 1 and labels.min() >= 0 and labels.max() <= 1)


def _examples(labels: np.ndarray) -> str:
    odd = labels[labels != np.floor(labels)] if labels.dtype.kind == "f" else labels
    values = (odd if odd.size else labels).ravel()[:3]
    return ", ".join(f"{value:.5g}" for value in values) + (", ..." if labels.size > 3 else "")
