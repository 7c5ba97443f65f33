"""Targets as a model wants them, and what it predicts as scikit-learn wants it.

Two target encoders in SciKeras's sense, whose own are not used: that of labels gives two classes to a softmax
with categorical crossentropy as one column, and returns the probabilities of a single sample as a vector. Which
encoding is right depends on the loss, which may be a hyperparameter, so it is read off the compiled model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.multiclass import check_classification_targets

from tuning.errors import DataError

_OF_DISTRIBUTIONS = (
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalHinge",
    "KLDivergence",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_hinge",
    "kl_divergence",
)
"""Losses that compare distributions over the classes: Keras's names of the classes and of the functions."""


class TargetError(DataError, ValueError):
    """The targets do not fit the estimator or the model."""


class ClassLabels(BaseEstimator):
    """Class labels as whole numbers, or one-hot where the loss wants that.

    Args:
        classes: all labels, where those to `fit` may lack some; None to take those.

    Attributes:
        classes_: the labels, sorted.
        one_hot_: whether a label becomes a row; see `suit`.
        from_logits_: whether the model's outputs are logits.
    """

    def __init__(self, classes: Any = None) -> None:
        self.classes = classes

    def fit(self, y: Any) -> ClassLabels:
        """Learn the labels.

        Raises:
            ValueError: they are no classes, or all the same.
        """
        check_classification_targets(y)
        self.classes_ = np.unique(y if self.classes is None else self.classes)
        if len(self.classes_) < 2:
            raise TargetError(f"`y` must hold at least two classes, but got 1 class: {self.classes_[0]!r}.")
        self.one_hot_ = self.from_logits_ = False
        return self

    def suit(self, model: Any) -> None:
        """Read off a compiled model how labels are given to it and what its outputs mean."""
        loss = keras.losses.get(model.loss) if isinstance(model.loss, str) else model.loss
        self.one_hot_ = getattr(loss, "__name__", type(loss).__name__) in _OF_DISTRIBUTIONS
        self.from_logits_ = bool(getattr(loss, "from_logits", False))

    def transform(self, y: Any) -> Any:
        """Return labels [n] as int32 [n], or float32 [n, n_classes].

        Raises:
            TargetError: a label is none of the classes.
        """
        strangers = np.setdiff1d(y, self.classes_)
        if len(strangers):
            raise TargetError(
                f"`y` must hold none but the classes {self.classes_.tolist()}, but got {strangers[:5].tolist()}. "
                "The first partial_fit takes all of them: classes=numpy.unique(y_of_all_batches)."
            )
        numbers = np.searchsorted(self.classes_, y).astype("int32")
        return np.eye(len(self.classes_), dtype="float32")[numbers] if self.one_hot_ else numbers

    def inverse_transform(self, outputs: Any, return_proba: bool = False) -> Any:
        """Return the outputs of a model as labels [n], or as probabilities [n, n_classes]."""
        is_single = outputs.ndim == 1 or outputs.shape[1] == 1
        if self.from_logits_:
            function = keras.ops.sigmoid if is_single else keras.ops.softmax
            outputs = keras.ops.convert_to_numpy(function(outputs))
        if is_single:
            outputs = np.column_stack([1 - outputs, outputs])
        return outputs if return_proba else self.classes_[outputs.argmax(axis=1)]

    def get_metadata(self) -> Mapping[str, Any]:
        """Return what the estimator and a `build(hp, meta)` learn."""
        n_classes = len(self.classes_)
        return {"classes_": self.classes_, "n_classes_": n_classes, "n_outputs_": 1, "n_outputs_expected_": 1}

    def check(self, width: int) -> None:
        """Refuse a model with another number of outputs than there are classes."""
        n_classes = len(self.classes_)
        if width != n_classes and not (n_classes == 2 and width == 1):
            raise TargetError(
                f"the model must have {n_classes} outputs, one for each class{' or one' * (n_classes == 2)}, but has "
                f"{width}. A build_model(hp, meta) can ask for meta['n_classes_']."
            )


class Quantities(BaseEstimator):
    """Targets of a regression: Keras's precision for the model, the targets' own for predictions.

    Attributes:
        n_outputs_: number of targets of a sample.
        shape_: of one sample's targets.
        dtype_: of the targets.
    """

    def fit(self, y: Any) -> Quantities:
        """Learn what the targets are like."""
        self.n_outputs_, self.shape_, self.dtype_ = _width(y), y.shape[1:], y.dtype
        return self

    def suit(self, model: Any) -> None:
        """Do nothing: no loss wants them otherwise."""

    def transform(self, y: Any) -> Any:
        """Return targets in Keras's precision.

        Raises:
            TargetError: they are not as many for a sample as in `fit`.
        """
        if _width(y) != self.n_outputs_:
            raise TargetError(f"`y` must have {self.n_outputs_} targets a sample, as in fit, but has {_width(y)}.")
        return y.astype(keras.config.floatx())

    def inverse_transform(self, outputs: Any) -> Any:
        """Return outputs in the shape of the targets; float64 for whole numbers."""
        floating = self.dtype_ if self.dtype_.kind == "f" else "float64"
        return outputs.reshape(-1, *self.shape_).astype(floating)

    def get_metadata(self) -> Mapping[str, Any]:
        """Return what the estimator and a `build(hp, meta)` learn."""
        return {"n_outputs_": self.n_outputs_, "n_outputs_expected_": 1}

    def check(self, width: int) -> None:
        """Refuse a model with another number of outputs than there are targets."""
        if width != self.n_outputs_:
            raise TargetError(
                f"the model must have {self.n_outputs_} outputs, one for each target, but has {width}. A "
                "build_model(hp, meta) can ask for meta['n_outputs_']."
            )


def _width(y: Any) -> int:
    return 1 if y.ndim == 1 else y.shape[1]
