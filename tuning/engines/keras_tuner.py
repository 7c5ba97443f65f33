"""RandomSearch, Hyperband and BayesianOptimization, on KerasTuner's own oracles.

Owns the translation between runs and KerasTuner's trials. Of an oracle only `populate_space`, the algorithm,
is used; its locks, JSON files, display, retries and limits are not: the search has its own. Proposals equal
KerasTuner's for the same seed and results, with these differences: seed 0 is a seed, the last value of a
stepped float range is reached, and a Bayesian search goes on after a restart as if it had not stopped.
"""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy
import threadpoolctl

from tuning.engines.base import Answer, Done, Wait
from tuning.engines.gaussian_process import GaussianProcess
from tuning.engines.keras_tuner_import import import_keras_tuner
from tuning.engines.keras_tuner_space import Translation
from tuning.records.objective import Objective
from tuning.records.parts import best_of_run
from tuning.records.trial import Run, State, Trial
from tuning.space import Hyperparameter, active_values

keras_tuner = import_keras_tuner()
HyperbandOracle = keras_tuner.oracles.HyperbandOracle

_OWN = ("tuner/trial_id", "tuner/epochs", "tuner/initial_epoch", "tuner/bracket", "tuner/round")


class _BayesianOracle(keras_tuner.oracles.BayesianOptimizationOracle):  # type: ignore[name-defined]
    """Counts the random numbers drawn for the acquisition function, so that the stream can be taken up."""

    draws = 0

    def _make_gpr(self) -> Any:
        return GaussianProcess.like(super()._make_gpr())

    def populate_space(self, trial_id: str) -> Any:
        # The matrices are small: more than one thread costs time, and the order of sums varies with threads.
        with warnings.catch_warnings(), threadpoolctl.threadpool_limits(1):
            warnings.simplefilter("ignore")  # scikit-learn's remarks on how well a Gaussian process converged
            return super().populate_space(trial_id)

    def _get_hp_bounds(self) -> Any:
        bounds = super()._get_hp_bounds()
        self.draws += 50 * len(bounds)  # `populate_space` starts its search from 50 uniform points
        return bounds

    def skip(self, draws: int) -> None:
        """Take up the stream after `draws` numbers."""
        self._random_state = numpy.random.RandomState(self.seed)
        self._random_state.random_sample(draws)
        self.draws = draws


class KerasTunerEngine:
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
        self._numbers: dict[str, int] = {}  # KerasTuner's id of each run -> our trial's number
        self._exhausted = "every configuration of the search space has been tried"

    def ask(self) -> Answer:
        before = self.dump()
        run_id = f"{len(self._oracle.trials):04d}"
        proposal = self._populated(run_id)
        if proposal["status"] == "IDLE":
            return Wait()
        if proposal["status"] == "STOPPED":
            if self._oracle.ongoing_trials:
                return Wait()
            return Done("" if self._has_finished() else self._exhausted)
        run = self._run(run_id, proposal["values"])
        if run.parent is None and self._max_trials is not None and run.number >= self._max_trials:
            self._load(before)
            return Wait() if self._oracle.ongoing_trials else Done()
        self._register(run)
        return run

    def begin_with(self, values: Mapping[str, Any]) -> Run:
        """Return a run of the next new trial with given values; the oracle learns from it as from its own."""
        run = self._run(f"{len(self._oracle.trials):04d}", self._translation.to_oracle(values))
        self._register(run)
        return run

    def _populated(self, run_id: str) -> Mapping[str, Any]:
        """Return the oracle's proposal; what has been tried is not proposed again."""
        proposal = self._oracle.populate_space(run_id)
        values = proposal.get("values")
        if values and "tuner/trial_id" not in values and self._oracle._duplicate(values):
            values = self._oracle._random_values()  # the Gaussian process does not look at what was tried
            return {"status": "STOPPED" if values is None else "RUNNING", "values": values}
        return proposal

    def tell(self, trial: Trial) -> None:
        run = trial.run
        record = self._oracle.trials[run.note["id"]]
        self._oracle.update_space(self._translation.extended(trial.found))
        best = best_of_run(trial, self._objective)
        if trial.state is State.FAILED or best is None:
            record.status = "FAILED"
        else:
            record.status, (record.best_step, record.score) = "COMPLETED", best
        self._oracle._record_values(record)
        self._oracle.end_order.append(record.trial_id)
        self._oracle.ongoing_trials.pop(record.trial_id, None)

    def should_stop(self, trial: Trial) -> bool:
        return False

    def may_continue(self, number: int) -> bool:
        for bracket in getattr(self._oracle, "_brackets", ()):
            for index, entries in enumerate(bracket["rounds"][:-1]):
                later = bracket["rounds"][index + 1]
                if len(later) >= self._oracle._get_size(bracket["bracket_num"], index + 1):
                    continue
                promoted = {entry["past_id"] for entry in later}
                if any(self._numbers[e["id"]] == number and e["id"] not in promoted for e in entries):
                    return True
        return False

    def dump(self) -> dict[str, Any]:
        oracle, state = self._oracle, {"seed_state": self._oracle._seed_state}
        if isinstance(oracle, HyperbandOracle):
            state["brackets"] = copy.deepcopy(oracle._brackets)
            state["current"] = [oracle._current_bracket, oracle._current_iteration]
        if isinstance(oracle, _BayesianOracle):
            state["draws"] = oracle.draws
        return state

    def restore(self, trials: Sequence[Trial], state: Any) -> None:
        events: list[tuple[Any, Any, Any]] = []
        for trial in trials:
            self._oracle.update_space(self._translation.extended(trial.found))
            for index, run in enumerate(trial.runs):
                events.append((run.asked, self._register, run))
                if run.ended is not None:
                    events.append((run.ended, self.tell, _as_it_was(trial, index)))
        for _, replay, record in sorted(events, key=lambda event: event[0]):
            replay(record)
        if state is not None:
            self._load(state)

    def _load(self, state: Mapping[str, Any]) -> None:
        oracle = self._oracle
        oracle._seed_state = state["seed_state"]
        if isinstance(oracle, HyperbandOracle):
            oracle._brackets = copy.deepcopy(state["brackets"])
            oracle._current_bracket, oracle._current_iteration = state["current"]
        if isinstance(oracle, _BayesianOracle):
            oracle.skip(state["draws"])

    def _run(self, run_id: str, proposed: Mapping[str, Any]) -> Run:
        raw = {name: _plain(value) for name, value in proposed.items()}
        past = raw.get("tuner/trial_id")
        parent = None if past is None else self._numbers[past]
        own = {name: raw.pop(name) for name in _OWN if name in raw}
        return Run(
            number=len(set(self._numbers.values())) if parent is None else parent,
            values=active_values(self._translation.space, self._translation.from_oracle(raw)),
            start=own.get("tuner/initial_epoch", 0),
            stop=own.get("tuner/epochs", self._epochs),
            parent=parent,
            note={"id": run_id, "values": raw, "own": own},
        )

    def _register(self, run: Run) -> None:
        """Make the oracle know a run as its own ongoing trial."""
        hyperparameters = self._oracle.hyperparameters.copy()
        hyperparameters.values = {**run.note["values"], **run.note["own"]}
        record = keras_tuner.engine.trial.Trial(hyperparameters=hyperparameters, trial_id=run.note["id"])
        self._oracle._record_values(record)
        self._oracle.trials[record.trial_id] = record
        self._oracle.ongoing_trials[record.trial_id] = record  # keyed by worker in KerasTuner; one a run here
        self._oracle.start_order.append(record.trial_id)
        self._numbers[record.trial_id] = run.number

    def _has_finished(self) -> bool:
        """Tell whether Hyperband has been through all its brackets."""
        oracle = self._oracle
        return (
            isinstance(oracle, HyperbandOracle)
            and oracle._current_bracket == 0
            and oracle._current_iteration + 1 == oracle.hyperband_iterations
            and all(len(b["rounds"][0]) >= oracle._get_size(b["bracket_num"], 0) for b in oracle._brackets)
        )


def _as_it_was(trial: Trial, index: int) -> Trial:
    """Return the trial as it was told when its run `index` ended."""
    last = index == len(trial.runs) - 1
    state = trial.state if last else State.RUNNING
    return replace(trial, runs=trial.runs[: index + 1], state=state)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, numpy.generic) else value


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
        _BayesianOracle,
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
    oracle.seed = oracle._seed_state = seed
    if isinstance(oracle, _BayesianOracle):
        oracle.skip(0)
        oracle.gpr = oracle._make_gpr()
    return KerasTunerEngine(oracle, translation, objective, epochs, max_trials)
