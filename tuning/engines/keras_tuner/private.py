"""KerasTuner's private names: the state of its oracles, which its algorithms read and this module alone touches.

Owns what of an oracle is kept between two proposals, and checks that a release still has all of it: `checked` refuses
an oracle that lacks a name, before anything is searched, because an oracle whose state cannot be set would propose
something else without a word.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import threadpoolctl

from tuning.engines.keras_tuner.importing import import_keras_tuner
from tuning.errors import moved

keras_tuner = import_keras_tuner()

_COLLISIONS = 20
"""Draws in vain after which KerasTuner gives a space up."""

_OF_HYPERBAND = ("_brackets", "_current_bracket", "_current_iteration", "_get_size")
_NEEDED = {
    "Oracle": (
        *("_duplicate", "_max_collisions", "_random_values", "_record_values", "_seed_state"),
        *("trials", "ongoing_trials", "_id_to_hash"),
    ),
    "HyperbandOracle": _OF_HYPERBAND,
    "BayesianOptimizationOracle": ("_make_gpr", "_get_hp_bounds", "_random_state", "gpr"),
}
"""What each class of oracles must have: methods, and attributes once it is made."""


def _oracles(name: str) -> Any:
    found = getattr(keras_tuner.oracles, name, None) or getattr(keras_tuner, name, None)
    if found is None:
        raise moved("keras-tuner", f"keras_tuner.oracles.{name}")
    return found


HyperbandOracle, _Bayesian = _oracles("HyperbandOracle"), _oracles("BayesianOptimizationOracle")


class BayesianOracle(_Bayesian):  # type: ignore[misc, valid-type]
    """Counts the random numbers drawn for the acquisition function, so that the stream can be taken up."""

    draws = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # What KerasTuner's module looks for when it is imported, and is imported here without.
        import scipy.optimize
        import sklearn.exceptions
        import sklearn.gaussian_process

        _Bayesian.__init__.__globals__.update(scipy=scipy, sklearn=sklearn)
        super().__init__(*args, **kwargs)

    def _make_gpr(self) -> Any:
        from tuning.engines.keras_tuner.predictor import GaussianProcess

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
        self._random_state = np.random.RandomState(self.seed)
        self._random_state.random_sample(draws)
        self.draws = draws


def checked(oracle: Any) -> Any:
    """Return an oracle that has all that is needed of it.

    Raises:
        MovedError: the installed KerasTuner has it elsewhere.
    """
    for kind, names in _NEEDED.items():
        if isinstance(oracle, _oracles(kind)):
            # A method is looked for in KerasTuner's class: one of ours by that name would not be called any more.
            theirs = [c for c in type(oracle).__mro__ if c is not BayesianOracle]
            missing = [n for n in names if n not in vars(oracle) and not any(n in vars(c) for c in theirs)]
            if missing:
                raise moved("keras-tuner", f"{kind}.{', '.join(missing)}")
    return oracle


def seed(oracle: Any, value: int) -> None:
    """Seed an oracle that was made with another seed: KerasTuner's constructor takes 0 for none."""
    oracle.seed = oracle._seed_state = value
    if isinstance(oracle, BayesianOracle):
        oracle.skip(0)
        oracle.gpr = oracle._make_gpr()


def state(oracle: Any) -> dict[str, Any]:
    """Return what an oracle needs, besides its trials, to go on from here (JSON)."""
    found = {"seed_state": oracle._seed_state}
    if isinstance(oracle, HyperbandOracle):
        found["brackets"] = copy.deepcopy(oracle._brackets)
        found["current"] = [oracle._current_bracket, oracle._current_iteration]
    if isinstance(oracle, BayesianOracle):
        found["draws"] = oracle.draws
    return found


def load(oracle: Any, stored: Mapping[str, Any]) -> None:
    """Put an oracle into a state that `state` returned."""
    oracle._seed_state = stored["seed_state"]
    if isinstance(oracle, HyperbandOracle):
        oracle._brackets = copy.deepcopy(stored["brackets"])
        oracle._current_bracket, oracle._current_iteration = stored["current"]
    if isinstance(oracle, BayesianOracle):
        oracle.skip(stored["draws"])


def is_known(oracle: Any, values: Mapping[str, Any]) -> bool:
    """Tell whether a configuration has been tried."""
    return bool(oracle._duplicate(values))


def random_values(oracle: Any) -> Any:
    """Return a configuration that has not been tried, drawn at random; None when there is none left."""
    return oracle._random_values()


def draw_until(oracle: Any, n_draws: int | None) -> None:
    """Let an oracle give its space up after so many draws in vain; None for as many as KerasTuner has."""
    oracle._max_collisions = _COLLISIONS if n_draws is None else n_draws


def record(oracle: Any, trial: Any) -> None:
    """Let an oracle know the values of one of its trials."""
    oracle._record_values(trial)


def new_trial(hyperparameters: Any, trial_id: str) -> Any:
    """Return a trial of KerasTuner's."""
    try:
        kind = keras_tuner.engine.trial.Trial
    except AttributeError as error:
        raise moved("keras-tuner", "keras_tuner.engine.trial.Trial") from error
    return kind(hyperparameters=hyperparameters, trial_id=trial_id)


def give_up_missing(oracle: Any) -> None:
    """Count runs of Hyperband's brackets whose trials are gone from the database as failed."""
    for bracket in oracle._brackets if isinstance(oracle, HyperbandOracle) else ():
        for entry in (entry for entries in bracket["rounds"] for entry in entries):
            if entry["id"] not in oracle.trials:
                oracle.trials[entry["id"]] = new_trial(oracle.hyperparameters.copy(), entry["id"])
                oracle.trials[entry["id"]].status = "FAILED"


def forget(oracle: Any) -> list[str]:
    """Let an oracle forget the runs that it looks at no more, and return their ids.

    Which configurations were tried it knows all the same. Hyperband looks at the brackets that are not full yet, the
    Gaussian process at everything.
    """
    if isinstance(oracle, BayesianOracle):
        return []
    brackets = oracle._brackets if isinstance(oracle, HyperbandOracle) else ()
    needed = {entry["id"] for bracket in brackets for entries in bracket["rounds"] for entry in entries}
    over = [run_id for run_id in oracle.trials if run_id not in needed and run_id not in oracle.ongoing_trials]
    for run_id in over:
        del oracle.trials[run_id]
        oracle._id_to_hash.pop(run_id, None)
    return over


def unpromoted(oracle: Any) -> Iterator[str]:
    """Yield the ids of Hyperband's runs whose trials may still be continued; none for other oracles.

    A round takes the best of the round before as long as more of those are left than it is to throw out. One that has
    failed is not among them, so a round may be full before it has its size, and those that are left stay behind.
    """
    for bracket in oracle._brackets if isinstance(oracle, HyperbandOracle) else ():
        rounds, number = bracket["rounds"], bracket["bracket_num"]
        sizes = [oracle._get_size(number, index) for index in range(len(rounds))]
        room = sizes[0]  # runs that the round may come to have
        for index, entries in enumerate(rounds[:-1]):
            able = [entry["id"] for entry in entries if oracle.trials[entry["id"]].status != "FAILED"]
            later = rounds[index + 1]
            room = room - (len(entries) - len(able)) - (sizes[index] - sizes[index + 1])
            if len(later) < room:
                promoted = {entry["past_id"] for entry in later}
                yield from (id_ for id_ in able if id_ not in promoted)
            room = max(room, len(later))


def has_finished(oracle: Any) -> bool:
    """Tell whether Hyperband has been through all its brackets; False for other oracles."""
    return (
        isinstance(oracle, HyperbandOracle)
        and oracle._current_bracket == 0
        and oracle._current_iteration + 1 == oracle.hyperband_iterations
        and all(len(b["rounds"][0]) >= oracle._get_size(b["bracket_num"], 0) for b in oracle._brackets)
    )
