"""Predictions of a study's model for a file of samples, as a table.

Owns which model answers, and what the columns of the table mean: one for a value, one a class for probabilities, and
one for the label that is most probable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tuning.errors import DataError, StudyError, briefly
from tuning.final.inputs import Inputs
from tuning.final.record import Final
from tuning.storage.reading import understood
from tuning.study import Study, checked

_OF_CLASSES = ("sparse_categorical_crossentropy", "categorical_crossentropy", "categorical_focal_crossentropy")
_OF_TWO_CLASSES = ("binary_crossentropy", "binary_focal_crossentropy")


@dataclass(frozen=True)
class Predictions:
    """What a model says about samples.

    Attributes:
        table: a `pandas.DataFrame`, one row a sample.
        model: which model it was: "final", or "trial 7".
        remarks: what looks odd about the samples.
    """

    table: Any
    model: str
    remarks: tuple[str, ...] = ()


@briefly
def predict(study: Study, path: str | Path) -> Predictions:
    """Let the final model answer, or the best trial's where there is none.

    Args:
        study: a study with a final model or a scored trial.
        path: samples in a .npz or .csv file; see `Inputs.read`.

    Raises:
        DataError: the file does not hold samples as the model was trained on.
        StudyError: there is no model.
    """
    path = Path(path).absolute()  # now: the space may change the working folder
    inputs, classes, which = _described(checked(study))
    if inputs is None:
        raise DataError(f"the inputs of study '{study.name}' must be arrays to be read from a file, but are none.")
    x, _ = inputs.read(path)
    model = study.final_model() if which == "final" else study.best_model()
    made = model.predict(x, verbose=0)
    return Predictions(_table(model, made, classes), which, tuple(inputs.unusual(x)))


def _described(study: Study) -> tuple[Inputs | None, tuple[str, ...] | None, str]:
    """Return the inputs, the names of classes or targets, and which model answers."""
    if study.final is not None:
        record = Final.from_json(study.final)
        with understood(study.name):
            return None if record.inputs is None else Inputs.from_json(record.inputs), record.classes, "final"
    if study.best is None:
        raise StudyError(f"study '{study.name}' must have a final model or a trial with a score, but has neither.")
    return Inputs.of(study.data.x), study.data.target_names, f"trial {study.best.number}"


def _table(model: Any, made: Any, names: tuple[str, ...] | None) -> Any:
    import pandas

    if isinstance(made, Mapping):
        outputs = {str(name): np.asarray(value) for name, value in made.items()}
    elif isinstance(made, (list, tuple)):
        known = getattr(model, "output_names", None) or [f"output_{i}" for i in range(len(made))]
        outputs = {str(name): np.asarray(value) for name, value in zip(known, made, strict=True)}
    else:
        outputs = {"": np.asarray(made)}
    columns: dict[str, Any] = {}
    for index, (name, values) in enumerate(outputs.items()):
        values = values.reshape(len(values), -1)
        known = names if len(outputs) == 1 or values.shape[1] > 1 else None  # of several outputs, the classes' names
        columns |= _columns(f"{name}_" if name else "", values, _loss(model, name, index), known)
    return pandas.DataFrame(columns)


def _columns(prefix: str, values: np.ndarray, loss: Any, names: tuple[str, ...] | None) -> dict[str, Any]:
    """Return the columns of one output, float32 [n, width]."""
    kind, logits = str(getattr(loss, "name", None) or getattr(loss, "__name__", loss)).lower(), _is_of_logits(loss)
    width = values.shape[1]
    if kind in _OF_CLASSES and width > 1:
        shares = _softmax(values) if logits else values
        labels = list(names) if names is not None and len(names) == width else [str(i) for i in range(width)]
        picked = shares.argmax(axis=1)
        return {
            f"{prefix}label": [labels[i] for i in picked],
            **{f"{prefix}p_{label}": shares[:, i] for i, label in enumerate(labels)},
        }
    if kind in _OF_TWO_CLASSES and width == 1:
        share = 1 / (1 + np.exp(-values[:, 0])) if logits else values[:, 0]
        labels = list(names) if names is not None and len(names) == 2 else ["0", "1"]
        return {f"{prefix}label": [labels[int(p >= 0.5)] for p in share], f"{prefix}p_{labels[1]}": share}
    if width == 1:
        name = names[0] if names is not None and len(names) == 1 else "prediction"
        return {prefix.removesuffix("_") or name: values[:, 0]}
    labels = list(names) if names is not None and len(names) == width else [str(i) for i in range(width)]
    return {f"{prefix}{label}" if prefix else f"prediction_{label}": values[:, i] for i, label in enumerate(labels)}


def _loss(model: Any, name: str, index: int) -> Any:
    """Return the loss that an output was compiled with; an empty text when it is not known."""
    losses = getattr(model, "loss", None)
    if isinstance(losses, Mapping):
        return losses.get(name, "")
    if isinstance(losses, (list, tuple)):
        return losses[index] if index < len(losses) else ""
    return losses or ""


def _is_of_logits(loss: Any) -> bool:
    return bool(getattr(loss, "from_logits", False))


def _softmax(values: np.ndarray) -> np.ndarray:
    shifted = np.exp(values - values.max(axis=1, keepdims=True))
    shares: np.ndarray = shifted / shifted.sum(axis=1, keepdims=True)
    return shares
