"""`TunedClassifier` and `TunedRegressor`: a whole search as an estimator of scikit-learn.

Owns how data are prepared for a search, and what is made of its best trial. The search itself is `tuning.search`.
"""

from __future__ import annotations

import copy
import logging
import shutil
import statistics
import tempfile
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from tuning.api import search
from tuning.data import Data
from tuning.driver.opening import stored_definition
from tuning.driver.seeds import seed_of_trial
from tuning.engines.registry import DEFAULT, engine_kind
from tuning.errors import OptionError, must
from tuning.estimators.keras_estimators import KerasClassifier, KerasRegressor
from tuning.estimators.results import cv_results, signed
from tuning.records.trial import Trial
from tuning.space import BoundSpace
from tuning.study import Study

REFITS = ("retrain", "weights", False)

_log = logging.getLogger("tuning")


class _Problem(BoundSpace):
    """A space that brings the data that `fit` was given; they do not travel with it to other processes."""

    def __init__(self, given: Any, meta: Mapping[str, Any], data: Data) -> None:
        super().__init__(given, meta)
        self.imports = ("keras",)
        self._data: Data | None = data

    def load_data(self) -> Data:
        return self._data if self._data is not None else super().load_data()

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_data": None}


class _Tuned(BaseEstimator):
    """What both have in common; see `TunedClassifier`."""

    _kind: type[KerasClassifier] | type[KerasRegressor]

    def __init__(
        self,
        space: Any,
        *,
        engine: str = DEFAULT,
        trials: int | None = None,
        epochs: int = 10,
        options: Mapping[str, Any] | None = None,
        fix: Mapping[str, Any] | None = None,
        objective: Any = None,
        patience: int | None = None,
        cv: Any = None,
        validation_fraction: float = 0.1,
        refit: str | bool = "retrain",
        workers: int = 1,
        random_state: Any = None,
        study: str | None = None,
        logs: str | Path | None = None,
        compiled: bool = True,
    ) -> None:
        self.space = space
        self.engine = engine
        self.trials = trials
        self.epochs = epochs
        self.options = options
        self.fix = fix
        self.objective = objective
        self.patience = patience
        self.cv = cv
        self.validation_fraction = validation_fraction
        self.refit = refit
        self.workers = workers
        self.random_state = random_state
        self.study = study
        self.logs = logs
        self.compiled = compiled

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.three_d_array = True
        return tags

    # Searching --------------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Search; then train or load the best model, as `refit` says.

        Args:
            X: samples, [n, n_features] or with more axes.
            y: targets, [n], [n, 1] or, for regression, [n, n_outputs].
            sample_weight: weight of each sample in the loss, [n]; validation weighs with them too.

        Raises:
            TuningError: an argument does not fit, preflight refuses, or every trial failed.
        """
        self._check_arguments()
        X, y = self._checked(X, y)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X, dtype=keras.config.floatx())
        template = self._estimator(self.fix or {}).initialize(X, y)
        template.check_model()
        self._take_over(template)
        self._seed = self._chosen_seed()
        problem = _Problem(self.space, template._get_metadata(), self._data(template, X, y, sample_weight))
        self.study_ = self._searched(problem)
        best = self.study_._best()
        self.best_params_ = dict(best.values)
        self.best_index_ = self.study_.trials.index(best)
        self.best_score_ = signed(self.study_.objective, best.score)
        self.cv_results_ = cv_results(self.study_)
        self._refit(best, X, y, sample_weight)
        return self

    def _check_arguments(self) -> None:
        if self.refit not in REFITS:
            raise OptionError(must("refit", 'be "retrain", "weights" or False', self.refit))
        has_folds = self.cv is not None or engine_kind(self.engine).folds is not None
        if self.refit == "weights" and has_folds:
            raise OptionError(
                must("refit", 'be "retrain" with folds, because each of them has a model of its own', "weights")
            )
        objective = BoundSpace(self.space).objective if self.objective is None else self.objective
        if isinstance(objective, (list, tuple)):
            raise OptionError(must("objective", "be one metric, because an estimator has one score", objective))
        if self.cv is None and not (isinstance(self.validation_fraction, float) and 0 < self.validation_fraction < 1):
            raise OptionError(must("validation_fraction", "be a number between 0 and 1", self.validation_fraction))

    def _checked(self, X: Any, y: Any) -> Any:
        return validate_data(self, X, y, dtype=keras.config.floatx(), allow_nd=True)

    def _estimator(self, values: Mapping[str, Any], seed: int = 0) -> Any:
        estimator = self._kind(self.space, random_state=seed, compiled=self.compiled)
        return estimator.set_params(**values)

    def _take_over(self, template: Any) -> None:
        """Take what `template` learned of the targets."""

    def _chosen_seed(self) -> int:
        """Return the seed of the study: the given one, that of the study that is continued, or a new one."""
        if isinstance(self.random_state, (int, np.integer)):
            return int(self.random_state)
        if self.random_state is None and self.study is not None:
            stored = stored_definition(self._logs() / self.study, None)
            if stored is not None:
                return stored.seed
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _logs(self) -> Path:
        return Path("logs" if self.logs is None else self.logs)

    def _data(self, template: Any, X: Any, y: Any, weight: Any) -> Data:
        """Return what is searched on: training and validation split, or with `cv` all of it."""
        inputs, targets = template.encoded(X, y)
        if self.cv is not None:
            return Data(inputs, targets, sample_weight=weight)
        train, held = self._split(y)
        validation = (inputs[held], targets[held]) if weight is None else (inputs[held], targets[held], weight[held])
        return Data(inputs[train], targets[train], validation, None if weight is None else weight[train])

    def _split(self, y: Any) -> tuple[Any, Any]:
        """Return the rows to train on and those to validate on."""
        if len(y) < 2:
            raise OptionError(must("X", "have at least 2 samples, one to validate on", "1 sample"))
        n_held = max(1, round(self.validation_fraction * len(y)))
        rows: tuple[Any, Any] = next(ShuffleSplit(1, test_size=n_held, random_state=self._seed).split(y))
        return rows

    def _searched(self, problem: _Problem) -> Study:
        is_kept = self.logs is not None or self.study is not None
        logs = self._logs() if is_kept else Path(tempfile.mkdtemp(prefix="tuning-"))
        try:
            study = search(
                problem,
                objective=self.objective,
                engine=self.engine,
                trials=self.trials,
                epochs=self.epochs,
                options=self.options,
                fix=self.fix,
                study=self.study,
                logs=logs,
                seed=self._seed,
                patience=self.patience,
                compiled=self.compiled,
                workers=self.workers,
                cv=self.cv,
                verbose=0,
            )
        except BaseException:
            if not is_kept:
                shutil.rmtree(logs, ignore_errors=True)
            raise
        if not is_kept:  # the files live as long as the study that reads them
            weakref.finalize(study, shutil.rmtree, logs, ignore_errors=True)
        return study

    # What is made of the best trial -----------------------------------------------------------------------

    def _refit(self, best: Trial, X: Any, y: Any, sample_weight: Any) -> None:
        self.n_epochs_ = _best_epochs(best)
        if self.refit is False:
            self.refit_ = "no model: refit is False"
            return
        estimator = self._estimator(best.values, seed_of_trial(self._seed, best.number))
        if self.refit == "weights":
            estimator.initialize(X, y)
            estimator.model_ = self.study_.best_model()
            estimator.history_ = _history(best)
            self.refit_ = f"the weights of trial {best.number} after {self.n_epochs_} epochs, those of its score"
        else:
            estimator.fit(X, y, sample_weight, epochs=self.n_epochs_)
            self.refit_ = (
                f"the values of trial {best.number} trained again on all {len(X)} samples for {self.n_epochs_} epochs, "
                "as many as the trial needed for its score"
            )
        _log.info("study %s: best model is %s", self.study_.name, self.refit_)
        self.best_estimator_ = estimator

    def predict(self, X: Any) -> Any:
        """Return predictions of the best model, [n] or [n, n_outputs]."""
        return self._best().predict(self._inputs(X))

    def _best(self) -> Any:
        check_is_fitted(self, "study_")
        if self.refit is False:
            raise OptionError(must("refit", 'be "retrain" or "weights" for predictions', False))
        return self.best_estimator_

    def _inputs(self, X: Any) -> Any:
        return validate_data(self, X, reset=False, dtype=keras.config.floatx(), allow_nd=True)

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if "study_" in state:  # without the data
            state["study_"] = copy.copy(state["study_"])
            state["study_"]._data = None
        return state


class TunedClassifier(ClassifierMixin, _Tuned):
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
        refit: what `best_estimator_` is. "retrain": the best values, trained on all samples for as many epochs as
            the best trial needed for its score. "weights": the very model whose score was recorded; not with `cv`.
            False: there is none.
        workers: number of worker processes.
        random_state: seeds the split and the search. A whole number is the study's seed.
        study, logs: name and place of the study, which is kept and continued by the next `fit` on the same data;
            on other data it is refused. By default the study is gone with the estimator.
        compiled: run epochs as compiled programs where possible.

    Attributes:
        best_params_: hyperparameters of the best trial.
        best_score_: its score; greater is better, so an objective that is minimised is negated here and in
            `cv_results_`. `study_.best.score` is not.
        best_index_: its place in `cv_results_`.
        best_estimator_: a fitted `KerasClassifier`, or `KerasRegressor`.
        refit_: in words, what `best_estimator_` is.
        n_epochs_: epochs that the best trial needed for its score.
        cv_results_: one row a trial; see `results.cv_results`.
        study_: the study.
        classes_: labels, sorted.
        n_features_in_, feature_names_in_: of the samples.
    """

    _kind = KerasClassifier

    def predict_proba(self, X: Any) -> Any:
        """Return the probability of each class, [n, n_classes]."""
        return self._best().predict_proba(self._inputs(X))

    def _take_over(self, template: Any) -> None:
        self.classes_ = template.classes_

    def _split(self, y: Any) -> tuple[Any, Any]:
        n_held = max(round(self.validation_fraction * len(y)), len(self.classes_))
        if np.unique(y, return_counts=True)[1].min() < 2 or n_held > len(y) - len(self.classes_):
            return super()._split(y)  # too few of a class to have some on both sides
        rows: tuple[Any, Any] = next(StratifiedShuffleSplit(1, test_size=n_held, random_state=self._seed).split(y, y))
        return rows


class TunedRegressor(RegressorMixin, _Tuned):
    """A regressor that searches its hyperparameters when it is fitted.

    Arguments and attributes are those of `TunedClassifier`, without `classes_`.
    """

    _kind = KerasRegressor

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _checked(self, X: Any, y: Any) -> Any:
        return validate_data(
            self, X, y, dtype=keras.config.floatx(), allow_nd=True, multi_output=True, y_numeric=True
        )  # fmt: skip


def _best_epochs(trial: Trial) -> int:
    """Return how many epochs a trial had trained at its score; where each training had its own, their mean."""
    counted = [epoch for epoch, _ in filter(None, trial.counted) if epoch is not None] or [trial.best_epoch or 0]
    return round(statistics.fmean(counted)) + 1


def _history(trial: Trial) -> dict[str, list[float]]:
    epochs = trial.curve.until((trial.best_epoch or 0) + 1)
    return {name: epochs.values(name) for name in dict.fromkeys(name for e in epochs.epochs for name in e)}
