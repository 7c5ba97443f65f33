"""`TunedClassifier` and `TunedRegressor`: a whole search as an estimator of scikit-learn.

Owns what is particular to labels and to quantities; what both do is `tuned_base`'s.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.utils.metaestimators import available_if

from tuning.data import Data
from tuning.estimators import inputs
from tuning.estimators.keras_estimators import KerasClassifier, KerasRegressor
from tuning.estimators.tuned_base import Tuned, has_model

LARGE_TARGETS = 10.0
"""Targets beyond this are a likely cause where training diverges."""


class TunedClassifier(ClassifierMixin, Tuned):
    """A classifier that searches its hyperparameters when it is fitted.

    It stands wherever an estimator does: at the end of a Pipeline, in `cross_val_score` (nested cross-validation),
    in GridSearchCV.

    Args:
        space: a `SearchSpace`, a KerasTuner `HyperModel`, a function `build_model(hp)` or `build_model(hp, meta)`,
            or a space's name; see `KerasClassifier`.
        engine: "random", "hyperband" or another one that `tuning.search` knows.
        trials: number of trials; default: the engine's.
        epochs: budget of one trial, in epochs.
        options: options of the engine.
        fix: hyperparameters that are not searched, with their values.
        objective: such as "val_accuracy" or "val_rmse:min"; default: the space's own, "val_loss" for a function.
        patience: epochs without a better objective after which a trial ends early.
        cv: score each trial by its mean over folds: their number, or what else `tuning.search` takes.
        validation_fraction: without `cv`, fraction of the samples that trials are scored on; shuffled, and for
            classes stratified.
        scoring: instead of `objective`: the name of a scorer of scikit-learn's, or one, or several by name, of which
            `refit="NAME"` or else the first decides. They are called at the end of each training, so a score is that of
            the last epoch. `cv_results_` has all of them.
        refit: what `best_estimator_` is. "retrain": the best values, trained on all samples for as many epochs as
            the best trial needed for its score. "weights": the very model whose score was recorded; not with `cv`.
            False: there is none.
        workers: number of worker processes.
        random_state: seeds the split and the search. A whole number is the study's seed.
        study, logs: name and place of the study, which is kept and continued by the next `fit` on the same data;
            on other data it is refused. By default the study is gone with the estimator.
        compiled: run epochs as compiled programs where possible.
        class_weight: of a classifier: weight of each class in the loss, by label, or "balanced".
        scale_targets: of a regressor; see `KerasRegressor`.
        return_train_score: whether `cv_results_` has scores on the training rows, too: those of the scorers, or else
            what training reported of the objective in the epoch that counts.
        repeats, tries, anneal, time_limit, verbose, observers: as for `tuning.search`.
        batch_size, callbacks: as for `KerasClassifier`; trials and the best model have them.

    Attributes:
        best_params_: hyperparameters of the best trial.
        best_score_: its score; greater is better, so an objective that is minimised is negated here and in
            `cv_results_`. `study_.best.score` is not.
        best_index_: its place in `cv_results_`.
        best_estimator_: a fitted `KerasClassifier`, or `KerasRegressor`.
        refit_: in words, what `best_estimator_` is.
        n_splits_: number of trainings of a trial.
        n_epochs_: epochs that the best trial needed for its score.
        cv_results_: one row a trial; see `results.cv_results`.
        study_: the study.
        classes_: labels, sorted.
        n_features_in_, feature_names_in_: of the samples.
    """

    _kind = KerasClassifier

    _of_estimator = (*Tuned._of_estimator, "class_weight")

    @available_if(has_model)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> Any:
        """Return the probability of each class, [n, n_classes]."""
        return self._best().predict_proba(X)

    @available_if(has_model)  # type: ignore[untyped-decorator]
    def predict_log_proba(self, X: Any) -> Any:
        """Return the logarithm of the probability of each class, [n, n_classes]."""
        return self._best().predict_log_proba(X)

    def _take_over(self, template: Any) -> None:
        self.classes_ = template.classes_

    def _data(self, template: Any, X: Any, y: Any, weight: Any) -> Data:
        if self.class_weight is not None:
            weight = template._weights_of(X, y, weight)
        return super()._data(template, X, y, weight)

    def _split(self, y: Any) -> tuple[Any, Any]:
        if y.ndim > 1:
            return super()._split(y)
        n_held = max(round(self.validation_fraction * len(y)), len(self.classes_))
        if np.unique(y, return_counts=True)[1].min() < 2 or n_held > len(y) - len(self.classes_):
            return super()._split(y)  # too few of a class to have some on both sides
        rows: tuple[Any, Any] = next(StratifiedShuffleSplit(1, test_size=n_held, random_state=self._seed).split(y, y))
        return rows


class TunedRegressor(RegressorMixin, Tuned):
    """A regressor that searches its hyperparameters when it is fitted.

    Arguments and attributes are those of `TunedClassifier`, without `classes_`.
    """

    _kind = KerasRegressor
    _of_estimator = (*Tuned._of_estimator, "scale_targets")

    def _advice(self, y: Any) -> str:
        least, most = float(np.min(y)), float(np.max(y))
        if max(abs(least), abs(most)) < LARGE_TARGETS:
            return ""
        return (
            f"The targets are from {least:.4g} to {most:.4g}, which is the likely cause: with scale_targets=True the "
            "model sees them scaled and predictions are scaled back, as with scikit-learn's TransformedTargetRegressor."
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _checked(self, X: Any, y: Any) -> Any:
        return inputs.checked(self, X, y, reset=True, multi_output=True, y_numeric=True)
