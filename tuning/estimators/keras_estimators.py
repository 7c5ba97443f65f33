"""`KerasClassifier` and `KerasRegressor`: a space, at given hyperparameters, as an estimator of scikit-learn.

Owns what is particular to labels and to quantities. What both do is `base`'s, their parameters are `parameters`',
targets are translated by `labels`, and the family they are of is SciKeras's: `meta`, the target encoders' interface and
routed parameters (`fit__...`, `predict__...`, `callbacks__...`; `model__NAME` is another name of the hyperparameter
NAME) are as people know them from there. scikit-learn's mixins come first, because last the tags are lost.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.class_weight import compute_sample_weight

from tuning.estimators.base import KerasEstimator, is_indicator, sample_weights
from tuning.estimators.labels import ClassLabels, Quantities
from tuning.estimators.sci_keras import FIT
from tuning.space import BoundSpace


class KerasClassifier(ClassifierMixin, KerasEstimator):
    """A classifier of scikit-learn, made of a space or a `build_model(hp)` function.

    The hyperparameters of the space are parameters of the estimator, with the space's defaults: `get_params`,
    `set_params`, `clone`, a Pipeline's `clf__n_hidden` and GridSearchCV know them, conditional ones too.

    Args:
        space: a `SearchSpace`, a KerasTuner `HyperModel`, a function `build_model(hp)`, or a space's name. A
            function or `build` with an argument `meta` is told about the data: `meta["n_features_in_"]`,
            `meta["n_classes_"]`, `meta["X_shape_"]` and so on, which are SciKeras's names.
        epochs: epochs to train; default: the space's hyperparameter of this name, or else 10.
        batch_size: samples for each gradient; default: the space's hyperparameter of this name, or else 32.
        validation_split: fraction of the samples, the last ones, that are validated on and not trained on.
        shuffle: whether to draw a new order of the samples for each epoch.
        callbacks: Keras callbacks, or their classes; each `fit` uses copies.
        verbose: what Keras prints: 0, 1 or 2.
        warm_start: whether `fit` goes on with the model that is there.
        random_state: seeds initial weights, shuffling and dropout. A whole number is the very seed that
            `keras.utils.set_random_seed` is given.
        compiled: run epochs as compiled programs where possible.
        class_weight: weight of each class in the loss, by label, or "balanced".
        **values: hyperparameters by name, and routed parameters such as `fit__validation_freq`.

    Attributes:
        model_: the trained `keras.Model`.
        history_: metrics by name, one value an epoch.
        classes_: labels, sorted.
        n_features_in_, feature_names_in_: of the samples.

    Raises:
        ValueError: the labels are no classes, or the model's outputs are not as many as the classes.
    """

    fit_names = FIT - {"class_weight"}  # it has become the samples' weights

    def __init__(
        self,
        space: Any,
        *,
        epochs: int | None = None,
        batch_size: int | None = None,
        validation_split: float = 0.0,
        shuffle: bool = True,
        callbacks: Any = None,
        verbose: int = 0,
        warm_start: bool = False,
        random_state: Any = None,
        compiled: bool = True,
        class_weight: Any = None,
        **values: Any,
    ) -> None:
        super().__init__(
            space, epochs=epochs, batch_size=batch_size, validation_split=validation_split, shuffle=shuffle,
            callbacks=callbacks, verbose=verbose, warm_start=warm_start, random_state=random_state,
            compiled=compiled, **values,
        )  # fmt: skip
        self.class_weight = class_weight

    @property
    def target_encoder(self) -> ClassLabels:
        """Translates labels."""
        return ClassLabels(vars(self).get("_all_classes"))

    def fit(self, X: Any, y: Any, sample_weight: Any = None, **options: Any) -> KerasClassifier:
        """Build the model and train it; with `warm_start`, train the model that is there.

        Args:
            X: samples, [n, n_features] or with more axes.
            y: labels, numbers or strings, [n] or [n, 1].
            sample_weight: weight of each sample in the loss, [n].
            **options: further keyword arguments of `model.fit`.
        """
        self._all_classes = None
        super().fit(X, y, self._weights_of(X, y, sample_weight), **options)
        return self

    def partial_fit(  # type: ignore[override]  # the labels come second, as in scikit-learn
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None, **options: Any
    ) -> KerasClassifier:
        """Train for one epoch; build the model where there is none.

        Args:
            X, y, sample_weight: as for `fit`.
            classes: all labels; needed by the first call when `y` lacks some.
            **options: further keyword arguments of `model.fit`.
        """
        if not self.initialized_:
            self._all_classes = classes
        super().partial_fit(X, y, self._weights_of(X, y, sample_weight), **options)
        return self

    def predict_proba(self, X: Any, **options: Any) -> Any:
        """Return the probability of each class, [n, n_classes]."""
        return self._decoded(self._predict_raw(X, **options), return_proba=True)

    def predict_log_proba(self, X: Any, **options: Any) -> Any:
        """Return the logarithm of the probability of each class, [n, n_classes]."""
        with np.errstate(divide="ignore"):  # of nothing it is -inf
            return np.log(self.predict_proba(X, **options))

    def _decoded(self, raw: Any, **options: Any) -> Any:
        return self.target_encoder_.inverse_transform(raw, **options)

    def _weights_of(self, X: Any, y: Any, sample_weight: Any) -> Any:
        """Return the samples' weights times those of their classes."""
        if self.class_weight is None or y is None:
            return sample_weight
        y = np.asarray(y)
        labels = y.argmax(axis=1) if is_indicator(y) and (y.sum(axis=1) == 1).all() else y
        of_classes = compute_sample_weight(self.class_weight, labels if is_indicator(labels) else np.ravel(labels))
        return of_classes if sample_weight is None else of_classes * sample_weights(sample_weight, len(of_classes))


class KerasRegressor(RegressorMixin, KerasEstimator):
    """A regressor of scikit-learn, made of a space or a `build_model(hp)` function.

    Arguments and attributes are those of `KerasClassifier`, without `class_weight` and `classes_`; `meta` has
    `n_outputs_`, the number of targets. Targets [n, n_outputs] give predictions of that shape, in the precision of
    the targets.

    Args:
        scale_targets: whether the model is given targets of mean 0 and standard deviation 1, so that losses and metrics
            are in their units, and predictions are scaled back; default: what the space says, or else not.
    """

    def __init__(
        self,
        space: Any,
        *,
        epochs: int | None = None,
        batch_size: int | None = None,
        validation_split: float = 0.0,
        shuffle: bool = True,
        callbacks: Any = None,
        verbose: int = 0,
        warm_start: bool = False,
        random_state: Any = None,
        compiled: bool = True,
        scale_targets: bool | None = None,
        **values: Any,
    ) -> None:
        super().__init__(
            space, epochs=epochs, batch_size=batch_size, validation_split=validation_split, shuffle=shuffle,
            callbacks=callbacks, verbose=verbose, warm_start=warm_start, random_state=random_state,
            compiled=compiled, **values,
        )  # fmt: skip
        self.scale_targets = scale_targets

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    @property
    def target_encoder(self) -> Quantities:
        """Gives targets Keras's precision, and predictions the targets' own."""
        own = self.scale_targets
        return Quantities(BoundSpace(self.space).scale_targets if own is None else bool(own))

    def _validate_data(self, X: Any = None, y: Any = None, reset: bool = False, y_numeric: bool = True) -> Any:
        return super()._validate_data(X, y, reset, y_numeric=True)
