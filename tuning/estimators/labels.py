"""Targets as a model wants them, and what it predicts as scikit-learn wants it.

Two target encoders in SciKeras's sense, whose own are not used: that of labels gives two classes to a softmax with
categorical crossentropy as one column, and returns the probabilities of a single sample as a vector. Which encoding is
right depends on the loss, which may be a hyperparameter, so it is read off the compiled model: classes are numbers for
a single output and for sparse losses, and one-hot rows for any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from tuning.errors import DataError

_MEANINGLESS = {"ctc", "circle", "meanabsolutepercentageerror"}
"""Losses under which classes mean nothing, whatever their encoding; in small letters without underscores."""

_OF_SEVERAL = {
    *("categoricalcrossentropy", "categoricalfocalcrossentropy", "categoricalhinge", "kldivergence"),
    *("sparsecategoricalcrossentropy", "cosinesimilarity"),
}
"""Losses that compare several outputs with each other: of a single one they learn nothing."""


class TargetError(DataError, ValueError):
    """The targets do not fit the estimator or the model."""


def _loss_of(model: Any) -> Any:
    """Return the loss of a model with one output: an object, a function, or None for one that trains itself."""
    loss = model.loss
    while isinstance(loss, (list, tuple, dict)) and len(loss) == 1:
        loss = next(iter(loss.values())) if isinstance(loss, dict) else loss[0]
    return keras.losses.get(loss) if isinstance(loss, str) else loss


def _name_of(loss: Any) -> str:
    """Return the name of one of Keras's losses, or of what a loss is derived from; empty for another one."""
    if isinstance(loss, keras.losses.Loss):
        of_keras = [c for c in type(loss).__mro__ if c.__module__.startswith("keras.")]
        name = of_keras[0].__name__ if of_keras[0].__name__ not in ("Loss", "LossFunctionWrapper") else ""
    else:
        name = loss.__name__ if str(getattr(loss, "__module__", "")).startswith("keras.") else ""
    return name.replace("_", "").lower()


def _takes_numbers(loss: Any, width: int) -> bool:
    """Tell whether a loss that is none of Keras's takes class numbers, and not rows: it is called with a few."""
    numbers = np.arange(width + 1, dtype="int32") % width  # not as many as classes, or nonsense might fit
    outputs = np.full((len(numbers), width), 1 / width, "float32")
    works = []
    for targets in (numbers, np.eye(width, dtype="float32")[numbers]):
        try:
            loss(targets, outputs)
            works.append(True)
        except Exception:  # a user's code, on what it may not be for
            works.append(False)
    return works == [True, False]


class ClassLabels(BaseEstimator):
    """Class labels as whole numbers, or one-hot where the loss wants that; rows of zeros and ones as they are.

    Args:
        classes: all labels, where those to `fit` may lack some; None to take those.

    Attributes:
        target_type_: "binary", "multiclass", "multiclass-onehot" (rows with a single one) or "multilabel-indicator".
        classes_: the labels, sorted; of rows their columns.
        one_hot_: whether a model is given a row for a label; see `suit`.
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
        self.target_type_, self.dtype_ = type_of_target(y), y.dtype
        if self.target_type_ == "multilabel-indicator":
            if (y.sum(axis=1) == 1).all():
                self.target_type_ = "multiclass-onehot"
            self.classes_ = np.arange(y.shape[1])
        elif y.ndim > 1:
            raise TargetError(f"`y` must be labels [n] or rows of 0 and 1, but got {self.target_type_}.")
        else:
            self.classes_ = np.unique(y if self.classes is None else self.classes)
            self.target_type_ = "binary" if len(self.classes_) == 2 else "multiclass"
        if len(self.classes_) < 2:
            raise TargetError(f"`y` must hold at least two classes, but got 1 class: {self.classes_[0]!r}.")
        self.one_hot_ = self.from_logits_ = self.is_hinge_ = False
        return self

    @property
    def _is_multilabel(self) -> bool:
        return bool(self.target_type_ == "multilabel-indicator")

    def suit(self, model: Any, width: int | None) -> None:
        """Read off a compiled model how labels are given to it and what its outputs mean.

        Args:
            width: number of its outputs; None where it has no single layer of them.

        Raises:
            TargetError: the loss has no meaning for classes, or none for so many outputs.
        """
        loss, width = _loss_of(model), len(self.classes_) if width is None else width
        self.one_hot_ = self.from_logits_ = self.is_hinge_ = False
        if loss is None or isinstance(loss, (list, tuple, dict)):
            return  # the model trains itself, or has several outputs
        name = _name_of(loss)
        is_sparse = "sparse" in name or (not name and width > 1 and _takes_numbers(loss, width))
        if name in _MEANINGLESS or (width == 1 and name in _OF_SEVERAL) or (is_sparse and self._is_multilabel):
            shown = getattr(loss, "__name__", type(loss).__name__)
            kind = "several labels a sample" if self._is_multilabel else "classes"
            rule = f"have a meaning for {kind} and {width} output{'s' * (width > 1)}"
            instead = "binary_crossentropy" if width == 1 or self._is_multilabel else "sparse_categorical_crossentropy"
            raise TargetError(f"`loss` must {rule}, but got {shown}. Use {instead}, for example.")
        self.one_hot_ = width > 1 and not is_sparse
        self.from_logits_ = bool(getattr(loss, "from_logits", False))
        self.is_hinge_ = width == 1 and name in ("hinge", "squaredhinge")

    def transform(self, y: Any) -> Any:
        """Return labels as the model is given them: int32 [n], or float32 [n, n_classes].

        Raises:
            TargetError: a label is none of the classes.
        """
        return self.given(self.numbers(y))

    def numbers(self, y: Any) -> Any:
        """Return labels as int32 [n], whatever the model; several labels a sample as float32 [n, n_labels]."""
        if y.ndim > 1:
            if y.shape[1] != len(self.classes_) or not self.target_type_.startswith("multi"):
                raise TargetError(f"`y` must have {len(self.classes_)} columns, as in fit, but has {y.shape[1]}.")
            return y.astype("float32") if self._is_multilabel else y.argmax(axis=1).astype("int32")
        strangers = np.setdiff1d(y, self.classes_)
        if len(strangers):
            raise TargetError(
                f"`y` must hold none but the classes {self.classes_.tolist()}, but got {strangers[:5].tolist()}. "
                "The first partial_fit takes all of them: classes=numpy.unique(y_of_all_batches)."
            )
        return np.searchsorted(self.classes_, y).astype("int32")

    def labels(self, numbers: Any) -> Any:
        """Return the labels that `numbers` made numbers of, in the form of the targets."""
        if numbers.ndim > 1:
            return numbers
        if self.target_type_ == "multiclass-onehot":
            return np.eye(len(self.classes_), dtype=self.dtype_)[numbers]
        return self.classes_[numbers]

    def given(self, numbers: Any) -> Any:
        """Return what `numbers` gives as the model that was looked at is given it."""
        return np.eye(len(self.classes_), dtype="float32")[numbers] if self.one_hot_ and numbers.ndim == 1 else numbers

    def inverse_transform(self, outputs: Any, return_proba: bool = False) -> Any:
        """Return the outputs of a model as labels in the form of the targets, or as probabilities [n, n_classes]."""
        is_single = outputs.ndim == 1 or outputs.shape[1] == 1
        if self.from_logits_:
            function = keras.ops.sigmoid if is_single or self._is_multilabel else keras.ops.softmax
            outputs = keras.ops.convert_to_numpy(function(outputs))
        if self.is_hinge_:  # from -1 to 1
            outputs = np.clip((outputs + 1) / 2, 0, 1)
        if is_single:
            outputs = np.column_stack([1 - outputs, outputs])
        if return_proba:
            return outputs
        if self._is_multilabel:
            return (outputs > 0.5).astype(self.dtype_)
        return self.labels(outputs.argmax(axis=1))

    def get_metadata(self) -> Mapping[str, Any]:
        """Return what the estimator and a `build(hp, meta)` learn."""
        found = {"classes_": self.classes_, "n_classes_": len(self.classes_), "target_type_": self.target_type_}
        return {**found, "n_outputs_": 1, "n_outputs_expected_": 1}

    def check(self, width: int) -> None:
        """Refuse a model with another number of outputs than there are classes."""
        n_classes = len(self.classes_)
        if width != n_classes and not (self.target_type_ == "binary" and width == 1):
            raise TargetError(
                f"the model must have {n_classes} outputs, one for each class{' or one' * (n_classes == 2)}, but has "
                f"{width}. A build_model(hp, meta) can ask for meta['n_classes_']."
            )


class Quantities(BaseEstimator):
    """Targets of a regression: Keras's precision for the model, the targets' own for predictions.

    Args:
        is_scaled: whether the model is given targets of mean 0 and standard deviation 1; predictions are scaled back.

    Attributes:
        n_outputs_: number of targets of a sample.
        shape_: of one sample's targets.
        dtype_: of the targets.
        target_type_: "continuous" or "continuous-multioutput".
        mean_, scale_: of each target; 0 and 1 where they are not scaled.
    """

    def __init__(self, is_scaled: bool = False) -> None:
        self.is_scaled = is_scaled

    def fit(self, y: Any) -> Quantities:
        """Learn what the targets are like."""
        self.n_outputs_, self.shape_, self.dtype_ = _width(y), y.shape[1:], y.dtype
        self.target_type_ = "continuous" if y.ndim == 1 or y.shape[1] == 1 else "continuous-multioutput"
        self.mean_, self.scale_ = np.zeros(self.shape_), np.ones(self.shape_)
        if self.is_scaled:
            spread = np.std(y, axis=0, dtype="float64")
            self.mean_, self.scale_ = np.mean(y, axis=0, dtype="float64"), np.where(spread > 0, spread, 1.0)
        return self

    def suit(self, model: Any, width: int | None) -> None:
        """Do nothing: no loss wants them otherwise."""

    def numbers(self, y: Any) -> Any:
        """Return targets in Keras's precision, as a model is given them.

        Raises:
            TargetError: they are not as many for a sample as in `fit`.
        """
        if _width(y) != self.n_outputs_:
            raise TargetError(f"`y` must have {self.n_outputs_} targets a sample, as in fit, but has {_width(y)}.")
        return ((y - self.mean_) / self.scale_ if self.is_scaled else y).astype(keras.config.floatx())

    def transform(self, y: Any) -> Any:
        """Return what `numbers` gives."""
        return self.numbers(y)

    def labels(self, numbers: Any) -> Any:
        """Return the targets that `numbers` was given."""
        return self.inverse_transform(numbers)

    def given(self, numbers: Any) -> Any:
        """Return what `numbers` gives: it is what any model is given."""
        return numbers

    def inverse_transform(self, outputs: Any) -> Any:
        """Return outputs in the shape of the targets; float64 for whole numbers."""
        floating = self.dtype_ if self.dtype_.kind == "f" else "float64"
        outputs = outputs.reshape(-1, *self.shape_).astype(floating)
        return (outputs * self.scale_ + self.mean_).astype(floating) if self.is_scaled else outputs

    def get_metadata(self) -> Mapping[str, Any]:
        """Return what the estimator and a `build(hp, meta)` learn."""
        return {"n_outputs_": self.n_outputs_, "n_outputs_expected_": 1, "target_type_": self.target_type_}

    def check(self, width: int) -> None:
        """Refuse a model with another number of outputs than there are targets."""
        if width != self.n_outputs_:
            raise TargetError(
                f"the model must have {self.n_outputs_} outputs, one for each target, but has {width}. A "
                "build_model(hp, meta) can ask for meta['n_outputs_']."
            )


def _width(y: Any) -> int:
    return 1 if y.ndim == 1 else y.shape[1]
