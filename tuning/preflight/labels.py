"""Do the data fit each other, the loss and the outputs?

Owns the mistakes that Keras trains through without a word: regression targets into a classification loss,
class ids outside the softmax, a softmax of one unit, NaN. Every function returns mistakes as texts, none
when all is well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy

from tuning.data import Data

Outputs = list[tuple[str, tuple[int, ...], str]]
"""Name, shape and loss of each output of a model."""

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


def data_mistakes(data: Data) -> list[str]:
    """Find NaN, infinities, and x and y of different length."""
    mistakes = []
    for split, (x, y) in _splits(data).items():
        lengths: dict[int, None] = {}
        for name, array in [*_arrays("x", x), *_arrays("y", y)]:
            if array.ndim:
                lengths[len(array)] = None
            if array.dtype.kind == "f" and not _is_finite(array):
                bad = int(numpy.count_nonzero(~numpy.isfinite(array)))
                mistakes.append(
                    f"{name} of the {split} data must be finite, but {bad} of {array.size} values are NaN or "
                    "infinite. Drop those samples or fill in the values before the search."
                )
        if len(lengths) > 1:
            mistakes.append(
                f"x and y of the {split} data must have the same number of samples, but have "
                f"{' and '.join(map(str, lengths))}."
            )
    return mistakes


def label_mistakes(model: Any, data: Data, outputs: Outputs) -> list[str]:
    """Find labels that do not fit the loss and the shape of each of the outputs, as `outputs_of` returned them."""
    mistakes = []
    for split, (_, y) in _splits(data).items():
        for name, shape, loss in outputs:
            labels = _labels_of(y, name, outputs)
            if labels is not None:
                where = f"the {split} labels" + (f" of output '{name}'" if len(outputs) > 1 else "")
                mistakes += _mistakes_of_output(where, labels, shape, loss, _has_softmax(model, name, len(outputs)))
    return list(dict.fromkeys(mistakes))


def accuracy_mistakes(data: Data, metrics: Mapping[str, None], outputs: Outputs) -> list[str]:
    """Find accuracy reported for targets that are no classes."""
    for split, (_, y) in _splits(data).items():
        for name, _, _ in outputs or [("", (), "")]:
            start = f"{name}_" if len(outputs) > 1 else ""
            labels = _labels_of(y, name, outputs) if start else next((a for _, a in _arrays("y", y)), None)
            if labels is None or not {f"{start}accuracy", f"{start}acc"} & metrics.keys():
                continue
            if labels.dtype.kind == "f" and not _is_whole(labels) and not _are_probabilities(labels):
                where = f" of output '{name}'" if start else ""
                return [
                    f"the {split} labels{where} must be classes, because accuracy is measured, but got "
                    f"{_examples(labels)}. These look like regression targets: use a metric such as "
                    "keras.metrics.RootMeanSquaredError(name='rmse')."
                ]
    return []


def _mistakes_of_output(
    where: str, labels: numpy.ndarray, shape: tuple[int, ...], loss: str, softmax: bool
) -> list[str]:
    units = shape[-1] if len(shape) > 1 else 1
    if (loss in (SPARSE, ONE_HOT) or softmax) and units == 1:
        return [
            f"the output must have one unit a class for a softmax or {loss or 'cross-entropy'}, but has 1 unit, "
            "whose value is always 1. Use as many units as there are classes, or one sigmoid unit with "
            "binary_crossentropy."
        ]
    if len(shape) > 2 or labels.dtype.kind not in "fiub":
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


def _mistakes_of_class_ids(where: str, labels: numpy.ndarray, classes: int) -> list[str]:
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
    splits = {"training": (data.x, data.y)}
    if isinstance(data.validation, (tuple, list)) and len(data.validation) >= 2:
        splits["validation"] = (data.validation[0], data.validation[1])
    return splits


def _arrays(name: str, data: Any) -> Iterator[tuple[str, numpy.ndarray]]:
    """Yield every array of a nested structure; what is no array is passed over."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from _arrays(f"{name}['{key}']", value)
    elif isinstance(data, (list, tuple)):
        for index, value in enumerate(data):
            yield from _arrays(f"{name}[{index}]", value)
    elif hasattr(data, "shape") and hasattr(data, "dtype"):
        yield name, numpy.asarray(data)
    elif hasattr(data, "to_numpy"):
        yield name, data.to_numpy()


def outputs_of(model: Any, x: Any) -> Outputs:
    """Return what is known of each output, by calling the model on the first batch."""
    import keras

    made = model(keras.tree.map_structure(numpy.asarray, x) if not hasattr(x, "element_spec") else _first_x(x))
    losses = getattr(model, "loss", None)
    if isinstance(made, Mapping):
        return [(str(k), tuple(v.shape), _loss_name(losses, str(k), i)) for i, (k, v) in enumerate(made.items())]
    if isinstance(made, (list, tuple)):
        names = list(getattr(model, "output_names", None) or map(str, range(len(made))))
        return [
            (n, tuple(v.shape), _loss_name(losses, n, i)) for i, (n, v) in enumerate(zip(names, made, strict=False))
        ]
    return [("output", tuple(made.shape), _loss_name(losses, "output", 0))]


def _first_x(dataset: Any) -> Any:
    first = next(iter(dataset))
    return first[0] if isinstance(first, tuple) else first


def _loss_name(losses: Any, name: str, index: int) -> str:
    if isinstance(losses, Mapping):
        losses = losses.get(name)
    elif isinstance(losses, (list, tuple)):
        losses = losses[index] if index < len(losses) else None
    if losses is None:
        return ""
    text = losses if isinstance(losses, str) else getattr(losses, "name", None) or getattr(losses, "__name__", "")
    return str(text).lower()


def _labels_of(y: Any, name: str, outputs: Outputs) -> numpy.ndarray | None:
    """Return the labels of one output; None when they cannot be told apart."""
    if isinstance(y, Mapping):
        y = y.get(name)
    elif isinstance(y, (list, tuple)):
        index = [o[0] for o in outputs].index(name)
        y = y[index] if len(y) == len(outputs) else None
    elif len(outputs) > 1:
        return None
    found = list(_arrays("y", y))
    return found[0][1] if len(found) == 1 and found[0][1].size else None


def _has_softmax(model: Any, name: str, n_outputs: int) -> bool:
    layers = getattr(model, "layers", None) or []
    named = [layer for layer in layers if layer.name == name] or (layers[-1:] if n_outputs == 1 else [])
    return any(getattr(getattr(layer, "activation", None), "__name__", "") == "softmax" for layer in named)


def _is_finite(array: numpy.ndarray) -> bool:
    with numpy.errstate(all="ignore"):
        # The sum is finite for nearly all good data, and needs no second array.
        return bool(numpy.isfinite(array.sum(dtype=numpy.float64))) or bool(numpy.isfinite(array).all())


def _is_whole(labels: numpy.ndarray) -> bool:
    return labels.dtype.kind in "iub" or bool((labels == numpy.floor(labels)).all())


def _are_probabilities(labels: numpy.ndarray) -> bool:
    return bool(labels.ndim > 1 and labels.shape[-1] > 1 and labels.min() >= 0 and labels.max() <= 1)


def _examples(labels: numpy.ndarray) -> str:
    odd = labels[labels != numpy.floor(labels)] if labels.dtype.kind == "f" else labels
    values = (odd if odd.size else labels).ravel()[:3]
    return ", ".join(f"{value:.5g}" for value in values) + (", ..." if labels.size > 3 else "")
