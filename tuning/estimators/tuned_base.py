"""What tuned estimators have in common: the order of events in `fit`, and what is made of the best trial.

Owns how data are prepared for a search. The search itself is `tuning.search`.
"""

from __future__ import annotations

import copy
import logging
import shutil
import statistics
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.model_selection import ShuffleSplit
from sklearn.utils import check_random_state
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from tuning.api import search
from tuning.data import Data
from tuning.driver.observer import Observer
from tuning.driver.opening import stored_definition
from tuning.driver.seeds import seed_of_trial
from tuning.engines.registry import DEFAULT, engine_kind
from tuning.errors import OptionError, SearchFailedError, must
from tuning.estimators import inputs
from tuning.estimators.base import is_indicator, sample_weights
from tuning.estimators.keras_estimators import KerasClassifier, KerasRegressor
from tuning.estimators.parameters import ONE_THREAD, plain
from tuning.estimators.problem import Problem
from tuning.estimators.results import cv_results, signed
from tuning.estimators.scores import is_several, scorers_of
from tuning.executors.machine import shared
from tuning.records.trial import Trial
from tuning.space import BoundSpace
from tuning.study import Study

REFITS = ("retrain", True, "weights", False)

_log = logging.getLogger("tuning")


_OF_SEARCH = (
    *("engine", "trials", "epochs", "options", "fix", "study", "patience", "compiled", "repeats", "tries"),
    *("anneal", "time_limit", "verbose", "observers"),
)
"""Arguments that are those of `tuning.search`."""


def has_model(tuned: Any) -> bool:
    """Tell whether there will be a model; where there is none, there is no `predict`.

    Raises:
        AttributeError: `refit` is False.
    """
    if not tuned.refit:
        raise AttributeError('`refit` must be "retrain" or "weights" for predictions, but got False.')
    return True


class Tuned(BaseEstimator):
    """What both have in common; see `tuned`."""

    _kind: type[KerasClassifier] | type[KerasRegressor]
    _of_estimator: tuple[str, ...] = ("compiled", "batch_size", "callbacks")

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
        scoring: Any = None,
        class_weight: Any = None,
        scale_targets: bool | None = None,
        repeats: int | None = None,
        tries: Sequence[Mapping[str, Any]] | None = None,
        anneal: bool | None = None,
        batch_size: int | None = None,
        callbacks: Any = None,
        time_limit: float | None = None,
        verbose: int = 0,
        observers: Sequence[Observer] = (),
        return_train_score: bool = False,
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
        self.scoring = scoring
        self.class_weight = class_weight
        self.scale_targets = scale_targets
        self.repeats = repeats
        self.tries = tries
        self.anneal = anneal
        self.batch_size = batch_size
        self.callbacks = callbacks
        self.time_limit = time_limit
        self.verbose = verbose
        self.observers = observers
        self.return_train_score = return_train_score

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.three_d_array = tags.input_tags.sparse = True
        return tags

    def get_metadata_routing(self) -> Any:
        """Return what scikit-learn routes to `fit`: groups, too, for a `cv` that keeps them together."""
        request = super().get_metadata_routing()
        if request.fit.requests.get("groups") is None:
            wanted = get_routing_for_object(self.cv).split.requests if hasattr(self.cv, "split") else {}
            request.fit.add_request(param="groups", alias=bool(wanted.get("groups")))
        return request

    # Searching --------------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> Any:
        """Search; then train or load the best model, as `refit` says.

        Args:
            X: samples, [n, n_features] or with more axes.
            y: targets, [n], [n, 1], rows of 0 and 1 for labels or, for regression, [n, n_outputs].
            sample_weight: weight of each sample in the loss, [n]; validation weighs with them too.
            groups: of each sample, [n], for a `cv` that keeps groups together.

        Raises:
            TuningError: an argument does not fit, preflight refuses, or every trial failed.
        """
        self._check_arguments()
        given = X
        X, y = self._checked(X, y)
        if sample_weight is not None:
            sample_weight = sample_weights(sample_weight, len(y))
        with ONE_THREAD:
            template = self._template(X, y)
            self._take_over(template)
            self._seed = self._chosen_seed()
            self._scorers = scorers_of(self.scoring)
            data = self._data(template, X, y, sample_weight)
            problem = Problem(self.space, template, data, self._scorers, self.return_train_score)
            self.study_ = self._searched(problem, y, groups)
            best = self.study_._best()
            self.best_params_ = dict(best.values)
            self.best_index_ = self.study_.trials.index(best)
            self.best_score_ = signed(self.study_.objective, best.score)
            self.n_splits_ = len(self.study_.definition.training_names)
            self.cv_results_ = cv_results(self.study_, list(self._scorers), self.return_train_score)
            self._refit(best, given, y, sample_weight)
        return self

    def _template(self, X: Any, y: Any) -> Any:
        """Return an estimator that knows samples and targets, whether or not the default is a model for them.

        Raises:
            ValueError: samples, targets or parameters do not fit, whatever the configuration.
        """
        template = self._estimator(self.fix or {})
        try:
            template.initialize(X, y).check_model()
        except Exception as error:  # a user's code, or what it has built
            if not hasattr(template, "_sample") or isinstance(error, OptionError):
                raise
            _log.info("the default configuration cannot be built: %s", error)
        vars(template).pop("model_", None)  # it has been looked at
        return template

    def _objective(self) -> Any:
        """Return what decides: the objective, or a scorer."""
        if not self._scorers:
            return self.objective
        name = self.refit if self.refit in self._scorers else next(iter(self._scorers))
        return f"{name}:max"

    def _check_arguments(self) -> None:
        for name in {"class_weight", "scale_targets"} - {*self._of_estimator}:
            if getattr(self, name) is not None:
                raise OptionError(must(name, f"be left out for a {type(self).__name__}", getattr(self, name)))
        if self.refit not in REFITS and not (is_several(self.scoring) and self.refit in self.scoring):
            raise OptionError(
                must("refit", 'be "retrain", "weights", False or the name of one of several scorers', self.refit)
            )
        if self.scoring is not None and (self.objective is not None or self.patience is not None):
            raise OptionError(
                must("scoring", "be the only thing that decides", self.scoring, "Leave out `objective` and `patience`.")
            )
        has_folds = self.cv is not None or engine_kind(self.engine).folds is not None
        if self.refit == "weights" and has_folds:
            raise OptionError(
                must("refit", 'be "retrain" with folds, because each of them has a model of its own', "weights")
            )
        objective = BoundSpace(self.space).objective if self.objective is None else self.objective
        if isinstance(objective, (list, tuple)):
            raise OptionError(must("objective", "be one metric, because an estimator has one score", objective))
        if self.cv is None and not (isinstance(self.validation_fraction, Real) and 0 < self.validation_fraction < 1):
            raise OptionError(must("validation_fraction", "be a number between 0 and 1", self.validation_fraction))

    def _checked(self, X: Any, y: Any) -> Any:
        return inputs.checked(self, X, y, reset=True, multi_output=is_indicator(y))

    def _estimator(self, values: Mapping[str, Any], seed: int = 0) -> Any:
        given = {name: getattr(self, name) for name in self._of_estimator}
        estimator = self._kind(self.space, random_state=seed, **given)
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
        x, targets = template.numbered(X, y)
        if self.cv is not None:
            return Data(x, targets, sample_weight=weight)
        train, held = self._split(y)
        validation = (inputs.chosen(x, held), targets[held], *(() if weight is None else (weight[held],)))
        return Data(inputs.chosen(x, train), targets[train], validation, None if weight is None else weight[train])

    def _split(self, y: Any) -> tuple[Any, Any]:
        """Return the rows to train on and those to validate on."""
        if len(y) < 2:
            raise OptionError(must("X", "have at least 2 samples, one to validate on", "1 sample"))
        n_held = max(1, round(self.validation_fraction * len(y)))
        rows: tuple[Any, Any] = next(ShuffleSplit(1, test_size=n_held, random_state=self._seed).split(y))
        return rows

    def _searched(self, problem: Problem, y: Any, groups: Any) -> Study:
        is_kept = self.logs is not None or self.study is not None
        logs = self._logs() if is_kept else Path(tempfile.mkdtemp(prefix="tuning-"))
        try:
            study = search(
                problem,
                objective=self._objective(),
                logs=logs,
                seed=self._seed,
                cv=self._folds(problem.load_data(), y, groups),
                **{name: plain(getattr(self, name)) for name in _OF_SEARCH},
                workers=shared(plain(self.workers)),
                **self._fit_options(),
            )
        except SearchFailedError as error:
            if not is_kept:
                shutil.rmtree(logs, ignore_errors=True)
            advice = self._advice(y) if "diverged" in str(error) else ""
            raise SearchFailedError(f"{error} {advice}".strip()) from None
        except BaseException:
            if not is_kept:
                shutil.rmtree(logs, ignore_errors=True)
            raise
        if not is_kept:  # the files live as long as the study that reads them
            weakref.finalize(study, shutil.rmtree, logs, ignore_errors=True)
        return study

    def _folds(self, data: Data, y: Any, groups: Any) -> Any:
        """Return `cv`; with groups the rows that it gives."""
        if groups is None:
            return plain(self.cv)
        if not hasattr(self.cv, "split"):
            rule = "be a splitter of scikit-learn's that keeps groups together"
            raise OptionError(must("cv", rule, self.cv, "GroupKFold() is one."))
        return list(self.cv.split(np.zeros(len(y)), y if data.y is None else data.y, groups))

    def _fit_options(self) -> dict[str, Any]:
        """Return what else trials are trained with."""
        given = {"batch_size": self.batch_size, "callbacks": self.callbacks}
        return {name: plain(value) for name, value in given.items() if value is not None}

    def _advice(self, y: Any) -> str:
        """Return what may help where training diverged."""
        return ""

    # What is made of the best trial -----------------------------------------------------------------------

    def _refit(self, best: Trial, X: Any, y: Any, sample_weight: Any) -> None:
        self.n_epochs_ = _best_epochs(best)
        if not self.refit:
            self.refit_ = "no model: refit is False"
            return
        estimator = self._estimator(best.values, seed_of_trial(self._seed, best.number))
        if self.refit == "weights":
            estimator.initialize(X, y)
            estimator.model_ = self.study_.best_model()
            estimator.history_ = _history(best)
            self.refit_ = f"the weights of trial {best.number} after {self.n_epochs_} epochs, those of its score"
        else:
            estimator._anneal = self.n_epochs_ if self.study_.definition.anneal else None
            estimator.fit(X, y, sample_weight, epochs=self.n_epochs_)
            self.refit_ = (
                f"the values of trial {best.number} trained again on all {len(y)} samples for {self.n_epochs_} epochs, "
                "as many as the trial needed for its score"
            )
        _log.info("study %s: best model is %s", self.study_.name, self.refit_)
        self.best_estimator_ = estimator

    @available_if(has_model)  # type: ignore[untyped-decorator]
    def predict(self, X: Any) -> Any:
        """Return predictions of the best model, [n] or [n, n_outputs]."""
        return self._best().predict(X)

    def _best(self) -> Any:
        check_is_fitted(self, "study_")
        return self.best_estimator_

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if "study_" in state:  # without the data
            state["study_"] = copy.copy(state["study_"])
            state["study_"]._data = None
        return state


def _best_epochs(trial: Trial) -> int:
    """Return how many epochs a trial had trained at its score; where each training had its own, their mean."""
    counted = [epoch for epoch, _ in filter(None, trial.counted) if epoch is not None] or [trial.best_epoch or 0]
    return round(statistics.fmean(counted)) + 1


def _history(trial: Trial) -> dict[str, list[float]]:
    epochs = trial.curve.until((trial.best_epoch or 0) + 1)
    return {name: epochs.values(name) for name in dict.fromkeys(name for e in epochs.epochs for name in e)}
