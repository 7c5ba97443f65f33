"""GridSearchCV, RandomizedSearchCV and the two halving searches: scikit-learn decides, the search trains.

Owns the way between them. scikit-learn's own search object is run on a stand-in for the space, whose scores are those
that trials have got. Where it wants a score that there is none of yet, it is abandoned; the candidates of that moment
become runs, and when they have ended it is run again from its beginning. That costs milliseconds, needs no thread, and
makes resuming nothing special. A candidate is a trial, one of its splits a training; halving, whose resource are
epochs, continues the trials that it keeps instead of training them anew.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from tuning.engines.base import Answer, Done, Engine, Wait
from tuning.engines.grid.kind import is_halving as is_halving_search
from tuning.engines.grid.scikit_learn import SEARCHES, MissingError, replayed
from tuning.errors import OptionError, StudyError
from tuning.hyperparameters import Hyperparameter
from tuning.records.definition import Definition
from tuning.records.objective import Objective
from tuning.records.trainings import counted_in
from tuning.records.trial import Run, State, Trial
from tuning.space import active_values
from tuning.space.grids import checked_grid, distributions_of, grid_of

RESOURCE = "epochs"
"""scikit-learn's name for what halving gives a candidate more of."""

N_ITER = 10
"""Candidates of a random search, as in scikit-learn."""

MAX_CANDIDATES = 100_000
"""Most candidates of a search that tries them all: scikit-learn lists them in memory."""

Candidate = Mapping[str, Any]
Recorded = Callable[[Candidate], Sequence[float] | None]
"""Gives the scores of a candidate's splits, greater is better; None while there are none."""


class _StandIn(BaseEstimator):
    """Takes any parameters, learns nothing, and scores what was recorded."""

    def __init__(self, recorded: Recorded) -> None:
        self.recorded = recorded
        self.candidate: dict[str, Any] = {}

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        return {RESOURCE: None, **self.candidate}

    def set_params(self, **candidate: Any) -> _StandIn:
        self.candidate = {**self.candidate, **candidate}
        return self

    def __sklearn_clone__(self) -> _StandIn:
        return _StandIn(self.recorded).set_params(**self.candidate)

    def fit(self, X: Any, y: Any = None) -> _StandIn:
        return self

    def score(self, X: Any, y: Any = None) -> float:
        scores = self.recorded(self.candidate)
        return math.nan if scores is None else scores[int(X[0, 0])]


_KINDS = {name: replayed(kind) for name, kind in SEARCHES.items()}


class GridEngine(Engine):
    """An engine around one of scikit-learn's searches.

    Args:
        search: makes the search on an estimator and its splits; called again and again.
        space: the hyperparameters.
        objective: whose scores the search sees; negated where it is minimised.
        epochs: budget of a trial; what halving gives its last candidates at most.
        n_trainings: of each trial.
        is_halving: whether the search gives candidates epochs.
        n_candidates: of a random search.
        max_trials: number of trials in all; None for as many as the search wants.
        total: number of different candidates there are; None when they cannot be counted.
    """

    def __init__(
        self,
        search: Callable[[_StandIn, Any], Any],
        space: Sequence[Hyperparameter],
        objective: Objective,
        epochs: int,
        n_trainings: int,
        is_halving: bool,
        n_candidates: int | None,
        max_trials: int | None,
        total: int | None,
    ) -> None:
        self._search, self._space, self._objective, self._epochs = search, space, objective, epochs
        self._n_splits, self._is_halving, self._n_candidates = n_trainings, is_halving, n_candidates
        self._max_trials, self._total = max_trials, total
        self._trials: dict[int, Trial] = {}
        self._numbers: dict[str, int] = {}  # of the trials, by their values
        self._under_way: set[int] = set()
        self._queue: list[tuple[dict[str, Any], int]] = []  # values and epochs
        self._batch: set[str] = set()  # the values of the candidates that scikit-learn waits for
        self._batch_epochs = 0
        self._is_stale = True  # scikit-learn must be asked what comes next
        self.result: Any = None
        self._ask_scikit_learn()  # now, so that options that do not fit are refused before anything is stored

    def ask(self) -> Answer:
        if self._is_stale:
            self._ask_scikit_learn()
        if self._queue:
            values, epochs = self._queue[0]
            number = self._numbers.get(_key(values))
            if number is not None or not self._is_full:
                del self._queue[0]
                return self._begun(values, epochs, number)
        if self._under_way:
            return Wait()
        return Done("every configuration of the grid has been tried" if self._is_exhausted else "")

    def tell(self, trial: Trial) -> None:
        self._trials[trial.number] = trial
        self._under_way.discard(trial.number)
        self._is_stale |= not self._queue and not self._under_way

    def should_stop(self, trial: Trial) -> bool:
        return False

    def may_continue(self, number: int) -> bool:
        trial = self._trials.get(number)
        if not self._is_halving or (trial is not None and trial.state is State.FAILED):
            return False
        if self._is_stale:
            self._ask_scikit_learn()
        if self.result is not None or not any(self._numbers.get(key) == number for key in self._batch):
            return False
        return self._batch_epochs < self._epochs or trial is None or not _has_ended(trial, self._batch_epochs)

    def dump(self) -> Any:
        return None  # it all follows from the trials

    def restore(self, trials: Sequence[Trial], state: Any) -> None:
        for trial in trials:
            self._trials[trial.number] = trial
            self._numbers[_key(trial.runs[0].values)] = trial.number
            if trial.is_training:
                self._under_way.add(trial.number)
        self._is_stale = True

    def _begun(self, values: Mapping[str, Any], epochs: int, number: int | None) -> Run:
        note = {} if self._n_candidates is None else {"candidates": self._n_candidates}
        if number is None:
            run = Run(len(self._numbers), values, 0, epochs, note=note)
            self._numbers[_key(values)] = run.number
        else:
            run = Run(number, values, self._trials[number].epochs, epochs, note=note)
        self._under_way.add(run.number)
        return run

    @property
    def _is_full(self) -> bool:
        return self._max_trials is not None and len(self._numbers) >= self._max_trials

    @property
    def _is_exhausted(self) -> bool:
        wanted = self._max_trials if self._n_candidates is None else self._n_candidates
        return self._total is not None and wanted is not None and len(self._numbers) == self._total < wanted

    # scikit-learn -----------------------------------------------------------------------------------------

    def _ask_scikit_learn(self) -> None:
        """Run its search on the scores that there are: to its end, or to the candidates that it wants next."""
        self._is_stale, self._queue = False, []
        splits = [(np.setdiff1d(range(self._n_splits), [i]), np.array([i])) for i in range(self._n_splits)]
        search = self._search(_StandIn(self._recorded), splits)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # remarks on scores that are NaN: trials that failed
                search.fit(np.arange(self._n_splits).reshape(-1, 1))
        except MissingError as missing:
            wanted = {_key(values): (values, epochs) for values, epochs in map(self._as_run, missing.candidates)}
            self._batch, self._batch_epochs = set(wanted), max(epochs for _, epochs in wanted.values())
            for key, (values, epochs) in wanted.items():
                number = self._numbers.get(key)
                if number not in self._under_way and self._scores(number, epochs) is None:
                    self._queue.append((values, epochs))
        except (ValueError, OverflowError) as error:
            raise OptionError(f"scikit-learn refuses the options of the grid engine: {error}") from None
        else:
            self.result = search

    def _as_run(self, candidate: Candidate) -> tuple[dict[str, Any], int]:
        """Return a candidate's values and epochs."""
        given = {name: value.item() if isinstance(value, np.generic) else value for name, value in candidate.items()}
        epochs = given.pop(RESOURCE) if self._is_halving else self._epochs
        return active_values(self._space, given), epochs

    def _recorded(self, candidate: Candidate) -> list[float] | None:
        values, epochs = self._as_run(candidate)
        return self._scores(self._numbers.get(_key(values)), epochs)

    def _scores(self, number: int | None, epochs: int) -> list[float] | None:
        """Return the scores of a trial's trainings after so many epochs; None before it has trained so long."""
        trial = None if number is None else self._trials.get(number)
        if trial is None or not (_has_ended(trial, epochs) or trial.state.is_finished):
            return None
        index = next((i for i, run in enumerate(trial.runs) if run.stop >= epochs), len(trial.runs))
        ended = [i for i, training in enumerate(trial.trainings) if index < len(training.untils)]
        if not ended:
            return [math.nan] * len(trial.trainings)
        alike = replace(trial, trainings=tuple(trial.trainings[i] for i in ended))
        counted = dict(zip(ended, counted_in(alike, 0, index + 1, self._objective), strict=True))
        return [self._signed(counted.get(i)) for i in range(len(trial.trainings))]

    def _signed(self, counted: tuple[int | None, float] | None) -> float:
        """Return what a training gives to the score, greater is better; NaN for one that failed."""
        if counted is None:
            return math.nan
        return counted[1] if self._objective.direction == "max" else -counted[1]

    def seconds(self, candidate: Candidate) -> list[float]:
        """Return what training a candidate on each split has taken; of a continued trial, all of its training."""
        values, _ = self._as_run(candidate)
        trial = self._trials[self._numbers[_key(values)]]
        return [training.seconds for training in trial.trainings]


def _has_ended(trial: Trial, epochs: int) -> bool:
    return any(run.ended is not None and run.stop >= epochs for run in trial.runs)


def _key(values: Mapping[str, Any]) -> str:
    return json.dumps(values, sort_keys=True)


def grid(
    space: Sequence[Hyperparameter],
    objective: Objective,
    seed: int,
    epochs: int,
    max_trials: int | None,
    n_trainings: int = 1,
    search: str = "grid",
    grid: Any = None,
    levels: int = 3,
    factor: float = 3.0,
    min_resources: Any = None,
    **others: Any,
) -> GridEngine:
    """scikit-learn's searches.

    Of the other options, `aggressive_elimination` is halving's; `score` is the trials' own, by their definition.

    References:
        K. Jamieson and A. Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter Optimization",
        AISTATS 2016: successive halving.
    """
    draws, is_halving = search in ("random", "halving-random"), is_halving_search(search)
    given = None if grid is None else checked_grid(grid, space, draws)
    choices: Any = given if given is not None else distributions_of(space) if draws else grid_of(space, levels)
    total = _size(choices)
    if not draws:
        _refuse_if_too_large(total, len(space), levels)
    options: dict[str, Any] = {"param_distributions" if draws else "param_grid": choices}
    n_candidates = None
    if is_halving:
        options |= {"resource": RESOURCE, "max_resources": epochs, "random_state": seed, "factor": factor}
        options |= {"aggressive_elimination": others.get("aggressive_elimination", False), "return_train_score": False}
        options |= {} if min_resources is None else {"min_resources": min_resources}
    if draws:
        exhausting = max(1, epochs // (min_resources if isinstance(min_resources, int) else 1))
        n_candidates = max_trials if max_trials is not None else exhausting if is_halving else N_ITER
        options |= {"n_candidates" if is_halving else "n_iter": n_candidates, "random_state": seed}
    return GridEngine(
        lambda stand_in, splits: _KINDS[search](stand_in, cv=splits, refit=False, **options),
        space,
        objective,
        epochs,
        n_trainings,
        is_halving,
        n_candidates,
        None if draws else max_trials,
        total,
    )


def _refuse_if_too_large(total: int | None, n_hyperparameters: int, levels: int) -> None:
    if total is not None and total > MAX_CANDIDATES:
        raise OptionError(
            f"the grid must have at most {MAX_CANDIDATES:,} candidates, but {n_hyperparameters} hyperparameters make "
            f"{total:,}. Draw some of them (search=random), take fewer levels={levels}, fix some hyperparameters, or "
            "give a grid of those values that matter (grid={name: values})."
        )


def _size(choices: Any) -> int | None:
    grids = [choices] if isinstance(choices, Mapping) else choices
    if any(hasattr(values, "rvs") for grid in grids for values in grid.values()):
        return None
    return sum(math.prod(map(len, grid.values())) for grid in grids)


def finished_search(definition: Definition, trials: Sequence[Trial]) -> Any:
    """Return scikit-learn's search object of a study as its `fit` leaves it, with the times of real training.

    Scoring is part of each epoch, so there is no time for it alone: `mean_score_time` is 0.

    Raises:
        StudyError: not all its candidates have been trained.
    """
    last = max((run for trial in trials for run in trial.runs), key=lambda run: run.asked or 0, default=None)
    limit = None if last is None else last.note.get("candidates")
    engine = grid(
        definition.hyperparameters,
        definition.objective,
        definition.seed,
        definition.epochs,
        limit,
        len(definition.training_names),
        **definition.options,
    )
    engine.restore(trials, None)
    answer = engine.ask()
    if engine.result is None:
        left = "some are being trained" if isinstance(answer, Wait) else "others are still to be trained"
        raise StudyError(
            f"study '{definition.study}' must have trained all the candidates that scikit-learn wants, but {left}. "
            "The same search goes on with them; without --trials it trains them all."
        )
    results = engine.result.cv_results_
    seconds = np.array([engine.seconds(candidate) for candidate in results["params"]])
    results["mean_fit_time"], results["std_fit_time"] = seconds.mean(axis=1), seconds.std(axis=1)
    results["mean_score_time"] = results["std_score_time"] = np.zeros(len(seconds))
    return engine.result
