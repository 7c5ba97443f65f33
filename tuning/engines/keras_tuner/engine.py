"""RandomSearch, Hyperband and BayesianOptimization, on KerasTuner's own oracles.

Owns the translation between runs and KerasTuner's trials. Of an oracle only `populate_space`, the algorithm,
is used; its locks, JSON files, display, retries and limits are not: the search has its own. Proposals equal
KerasTuner's for the same seed and results, with these differences: seed 0 is a seed, the last value of a
stepped float range is reached, and a Bayesian search goes on after a restart as if it had not stopped.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tuning.engines.base import Answer, Done, Engine, Wait
from tuning.engines.configurations import count_up_to
from tuning.engines.keras_tuner import private
from tuning.engines.keras_tuner.private import BayesianOracle, HyperbandOracle, keras_tuner
from tuning.engines.keras_tuner.space import Translation
from tuning.engines.refusals import Refusals
from tuning.hyperparameters import Hyperparameter
from tuning.records.objective import Objective
from tuning.records.trainings import best_of_run
from tuning.records.trial import Run, State, Trial
from tuning.space import active_values

MAX_COUNTED = 10_000
"""Most configurations of a space that is searched until each has been tried."""

DRAWS_A_CONFIGURATION = 20
"""Draws after which the last configuration has been missed by chance once in five hundred million times."""

_OWN = ("tuner/trial_id", "tuner/epochs", "tuner/initial_epoch", "tuner/bracket", "tuner/round")


class KerasTunerEngine(Engine):
    """An engine around one oracle.

    Args:
        oracle: with the space's hyperparameters registered.
        translation: between the space and the oracle's hyperparameters.
        objective: what is optimised.
        epochs: budget of a trial for oracles that set none.
        max_trials: number of trials in all; None for no limit.
    """

    def __init__(
        self,
        oracle: Any,
        translation: Translation,
        objective: Objective,
        epochs: int,
        max_trials: int | None,
    ) -> None:
        self._oracle, self._translation, self._objective = oracle, translation, objective
        self._epochs, self._max_trials = epochs, max_trials
        self._known_space: Any = None  # the oracle's, as it is known by now; None where it has to be copied again
        self._numbers: dict[str, int] = {}  # KerasTuner's id of each run -> our trial's number
        self._n_trials = 0
        self._last_id = -1  # of all runs
        self._n_configurations = count_up_to(MAX_COUNTED, translation.space)
        self._refusals = Refusals()
        self._is_restoring = False
        self._is_done = False  # whether nothing will ever be proposed again
        self._exhausted = "every configuration of the search space has been tried"

    def ask(self) -> Answer:
        if self._refusals.end:
            return Wait() if self._oracle.ongoing_trials else self._refusals.end
        if isinstance(self._oracle, BayesianOracle) and self._has_all_trials():
            # It would be a new trial, and to find that out again and again, while others are trained, takes seconds.
            return Wait() if self._oracle.ongoing_trials else Done()
        before = self.dump()
        run_id = self._next_id
        proposal = self._populated(run_id)
        if proposal["status"] == "IDLE":
            return Wait()
        if proposal["status"] == "STOPPED":
            if self._oracle.ongoing_trials:
                return Wait()
            self._is_done = True
            return Done("" if private.has_finished(self._oracle) else self._exhausted)
        run = self._run(run_id, proposal["values"])
        if run.number == self._n_trials and self._has_all_trials():
            private.load(self._oracle, before)
            return Wait() if self._oracle.ongoing_trials else Done()
        self._register(run)
        return run

    def _has_all_trials(self) -> bool:
        return self._max_trials is not None and self._n_trials - self._refusals.n >= self._max_trials

    @property
    def _next_id(self) -> str:
        """The id after the last, which is not how many there are: rows of a database may have been deleted."""
        return f"{self._last_id + 1:04d}"

    def begin_with(self, values: Mapping[str, Any]) -> Run:
        """Return a run of the next new trial with given values; the oracle learns from it as from its own."""
        run = self._run(self._next_id, self._translation.to_oracle(values))
        self._register(run)
        return run

    def _populated(self, run_id: str) -> Mapping[str, Any]:
        """Return the oracle's proposal; what has been tried is not proposed again."""
        private.draw_until(self._oracle, self._draws())
        proposal: Mapping[str, Any] = self._oracle.populate_space(run_id)
        values = proposal.get("values")
        if values and "tuner/trial_id" not in values and private.is_known(self._oracle, values):
            values = private.random_values(self._oracle)  # the Gaussian process does not look at what was tried
            return {"status": "STOPPED" if values is None else "RUNNING", "values": values}
        return proposal

    def _draws(self) -> int | None:
        """Return how many draws may fail while something is left to be found; None where that is not known."""
        n = self._n_configurations
        return None if n is None or self._n_trials >= n else DRAWS_A_CONFIGURATION * n

    def _learn(self, found: Sequence[Mapping[str, Any]]) -> None:
        """Let the oracle know hyperparameters that a trial has met first."""
        if found:
            self._oracle.update_space(self._translation.extended(found))
            self._known_space = None
            self._n_configurations = count_up_to(MAX_COUNTED, self._translation.space)

    def tell(self, trial: Trial) -> None:
        run = trial.run
        record = self._oracle.trials[run.note["id"]]
        self._learn(trial.found)
        self._refusals.learn(trial)
        best = best_of_run(trial, self._objective)
        if trial.state is State.FAILED or best is None or not trial.is_feasible:
            record.status = "FAILED"
        else:
            record.status, (record.best_step, record.score) = "COMPLETED", best
        self._oracle.ongoing_trials.pop(record.trial_id, None)
        if not self._is_restoring:
            self._forget()

    def should_stop(self, trial: Trial) -> bool:
        return False

    def may_continue(self, number: int) -> bool:
        may = private.unpromoted(self._oracle)
        return not self._is_done and any(self._numbers[run_id] == number for run_id in may)

    def dump(self) -> dict[str, Any]:
        return private.state(self._oracle)

    def restore(self, trials: Sequence[Trial], state: Any) -> None:
        events: list[tuple[Any, Any, Any]] = []
        self._is_restoring = True  # which runs can still be promoted is in the state
        for trial in trials:
            self._learn(trial.found)
            for index, run in enumerate(trial.runs):
                events.append((run.asked, self._register, run))
                if run.ended is not None:
                    events.append((run.ended, self.tell, _as_it_was(trial, index)))
        for _, replay, record in sorted(events, key=lambda event: event[0]):
            replay(record)
        if state is not None:
            private.load(self._oracle, state)
            private.give_up_missing(self._oracle)
        self._is_restoring = False
        self._forget()

    def _forget(self) -> None:
        """Let go of the runs that decide nothing any more: a search may have thousands of them."""
        for run_id in private.forget(self._oracle):
            self._numbers.pop(run_id, None)

    def _run(self, run_id: str, proposed: Mapping[str, Any]) -> Run:
        raw = {name: _plain(value) for name, value in proposed.items()}
        past = raw.get("tuner/trial_id")
        own = {name: raw.pop(name) for name in _OWN if name in raw}
        return Run(
            number=self._n_trials if past is None else self._numbers[past],
            values=active_values(self._translation.space, self._translation.from_oracle(raw)),
            start=own.get("tuner/initial_epoch", 0),
            stop=own.get("tuner/epochs", self._epochs),
            note={"id": run_id, "values": raw, "own": own},
        )

    def _register(self, run: Run) -> None:
        """Make the oracle know a run as its own ongoing trial."""
        if self._known_space is None:
            self._known_space = self._oracle.hyperparameters.copy()
        hyperparameters = copy.copy(self._known_space)  # the trials between two findings share it: it is large
        hyperparameters.values = {**run.note["values"], **run.note["own"]}
        record = private.new_trial(hyperparameters, run.note["id"])
        private.record(self._oracle, record)
        self._oracle.trials[record.trial_id] = record
        self._oracle.ongoing_trials[record.trial_id] = record  # keyed by worker in KerasTuner; one a run here
        self._numbers[record.trial_id], self._last_id = run.number, max(self._last_id, int(record.trial_id))
        self._n_trials = max(self._n_trials, run.number + 1)


def _as_it_was(trial: Trial, index: int) -> Trial:
    """Return the trial as it was told when its run `index` ended."""
    if index == len(trial.runs) - 1:
        return trial
    return replace(trial, runs=trial.runs[: index + 1], state=State.RUNNING)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def random_search(
    space: Sequence[Hyperparameter], objective: Objective, seed: int, epochs: int, max_trials: int | None
) -> KerasTunerEngine:
    """Random search: every trial is drawn anew, without repeats."""
    return _engine(keras_tuner.oracles.RandomSearchOracle, space, objective, seed, epochs, max_trials)


def hyperband(
    space: Sequence[Hyperparameter],
    objective: Objective,
    seed: int,
    epochs: int,
    max_trials: int | None,
    max_epochs: int | None,
    factor: int,
    hyperband_iterations: int,
) -> KerasTunerEngine:
    """Hyperband: many trials with few epochs, the best of them continued with more.

    References:
        L. Li et al., "Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization",
        JMLR 18 (2018), algorithm 1.
    """
    budget = epochs if max_epochs is None else max_epochs
    return _engine(
        HyperbandOracle,
        space,
        objective,
        seed,
        budget,
        max_trials,
        max_epochs=budget,
        factor=factor,
        hyperband_iterations=hyperband_iterations,
    )


def bayesian(
    space: Sequence[Hyperparameter],
    objective: Objective,
    seed: int,
    epochs: int,
    max_trials: int | None,
    alpha: float,
    beta: float,
    num_initial_points: int | None,
) -> KerasTunerEngine:
    """Bayesian optimisation: a Gaussian process over past scores, its lower confidence bound minimised.

    References:
        J. Snoek et al., "Practical Bayesian Optimization of Machine Learning Algorithms", NIPS 2012.
    """
    return _engine(
        BayesianOracle,
        space,
        objective,
        seed,
        epochs,
        max_trials,
        alpha=alpha,
        beta=beta,
        num_initial_points=num_initial_points,
    )


def _engine(
    kind: Any,
    space: Sequence[Hyperparameter],
    objective: Objective,
    seed: int,
    epochs: int,
    max_trials: int | None,
    **options: Any,
) -> KerasTunerEngine:
    translation = Translation(space, keras_tuner.engine.hyperparameters)
    oracle = kind(
        objective=keras_tuner.Objective(objective.name, objective.direction),
        hyperparameters=translation.hyperparameters(),
        seed=1,  # the oracle takes 0 for "no seed"
        max_consecutive_failed_trials=math.inf,
        **options,
    )
    private.seed(private.checked(oracle), seed)
    return KerasTunerEngine(oracle, translation, objective, epochs, max_trials)
