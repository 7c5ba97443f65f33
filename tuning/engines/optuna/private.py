"""Optuna's private names: where samplers and pruners keep what has no public way to it. This module alone knows them.

A release that moves one ends a search before anything is proposed with it, in an error that names it and the version:
a sampler that could not be seeded would propose something else after each restart without a word.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner, PatientPruner
from optuna.samplers import BaseSampler, GridSampler, QMCSampler
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, Trial

from tuning.errors import moved

try:
    from optuna.samplers._lazy_random_state import LazyRandomState as LazyRandomState
except ImportError as error:
    raise moved("optuna", "optuna.samplers._lazy_random_state.LazyRandomState") from error

_SAMPLERS = "optuna.samplers"

_CONSTRAINTS, _BEYOND = "constraints", "tuning:beyond"
"""Attributes of a trial that say how far it is beyond each constraint: a list, 0 or less where one is kept. The first
is Optuna's, which has no word for what is not known."""


def attributes_of(beyond: Sequence[float | None]) -> dict[str, list[float | None]]:
    """Return the attributes of a trial that is so far beyond each constraint; none where nothing is known."""
    if all(value is None for value in beyond):
        return {}
    return {_CONSTRAINTS: [0.0 if value is None else value for value in beyond], _BEYOND: list(beyond)}


def beyond_of(trial: FrozenTrial) -> list[float | None]:
    """Return how far a trial is beyond each constraint, None of one that is not known; empty where nothing is."""
    return list(trial.system_attrs.get(_BEYOND, ()))


def constrained() -> dict[str, Any]:
    """Return the argument that a sampler needs to look at constraints; from Optuna 5 on it looks by itself."""
    return {} if hasattr(Trial, "set_constraint") else {"constraints_func": _constraints_of}


def _constraints_of(trial: FrozenTrial) -> list[float]:
    return list(trial.system_attrs.get(_CONSTRAINTS, ()))


def is_of_optuna(sampler: Any) -> bool:
    """Tell whether the class of a sampler, or of a part of one, is Optuna's."""
    return type(sampler).__module__.startswith(_SAMPLERS)


def reseed(sampler: Any, text: str) -> None:
    """Seed every random generator of a sampler, and of the samplers and strategies inside it.

    Raises:
        MovedError: a sampler of Optuna's has none where they are looked for.
    """
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
    generators = _generators(sampler, set())
    if not generators and is_of_optuna(sampler):
        raise moved("optuna", f"random generator in {type(sampler).__name__}")
    for index, generator in enumerate(generators):
        generator.rng.seed((seed + index) % 2**32)


def _generators(thing: Any, seen: set[int]) -> list[LazyRandomState]:
    if id(thing) in seen:
        return []
    seen.add(id(thing))
    if isinstance(thing, LazyRandomState):
        return [thing]
    if not is_of_optuna(thing) and not isinstance(thing, BaseSampler):
        return []
    return [g for part in vars(thing).values() if hasattr(part, "__dict__") for g in _generators(part, seen)]


def set_sequence(sampler: QMCSampler, seed: int) -> None:
    """Set the seed from which a quasi-random sampler's whole sequence follows."""
    _of(sampler, "_seed")
    sampler._seed = seed % 2**32


def is_in_grid(sampler: GridSampler, parameter: str) -> bool:
    """Tell whether a grid has a parameter."""
    return parameter in _of(sampler, "_search_space")


def wrapped_pruner(pruner: PatientPruner) -> BasePruner | None:
    """Return the pruner that is asked once patience is over; None where patience alone decides."""
    wrapped: BasePruner | None = _of(pruner, "_wrapped_pruner")
    return wrapped


def storage_of(study: Study) -> Any:
    """Return where a study keeps its trials."""
    return _of(study, "_storage")


def replace_finished(storage: InMemoryStorage, trial: FrozenTrial) -> None:
    """Put a finished trial in the place of the one with its id."""
    _of(storage, "_set_trial")(trial._trial_id, trial)


def contains(distribution: BaseDistribution, value: Any) -> bool:
    """Tell whether a distribution has a value, given as Optuna gives it out."""
    return bool(_of(distribution, "_contains")(distribution.to_internal_repr(value)))


def _of(thing: Any, name: str) -> Any:
    try:
        return getattr(thing, name)
    except AttributeError:
        raise moved("optuna", f"{type(thing).__name__}.{name}") from None
