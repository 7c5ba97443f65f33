"""Optuna's samplers by name, and which of them proposes which trial.

Owns what each sampler needs of a space, of the number of objectives and of what is installed, and how samplers
are seeded: before every proposal, from the study's seed and the trial's number, so that a proposal depends on
what is known of the trials and on nothing that happened in this process.
"""

from __future__ import annotations

import copy
import importlib.util
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from optuna import samplers
from optuna.samplers import BaseSampler

from tuning.engines.gaussian_process.sampler import GaussianProcessSampler, proposal_seconds
from tuning.engines.optuna.private import constrained, is_in_grid, is_of_optuna, reseed, set_sequence
from tuning.errors import must
from tuning.hyperparameters import Hyperparameter
from tuning.records.lesson import Lesson
from tuning.space.distributions import parameter_names, to_sampled

OURS = "gaussian_process"
"""The sampler that is ours and not one of Optuna's."""

MAX_MODELLED = 150
"""Trials after which `auto` asks TPE: the process is not much better then, and its time grows with their cube."""

MAX_SHARE = 0.1
"""The part of a trial's time that a proposal of `auto` may take."""

AUTO_STARTUP = 3
"""Scores that the model of `auto` needs; the trials before it are its start-up, so it starts at once."""

MAX_GRID = 10_000
"""Most configurations of a grid, all of which Optuna's grid sampler makes at once."""

EXTRAS = {"gp": "torch", "cmaes": "cmaes"}
"""Samplers that need a package which is not installed with ours; the extra has the sampler's name."""


@dataclass(frozen=True)
class Request:
    """What a sampler is made for.

    Attributes:
        space: the hyperparameters, parents before children.
        seed: the study's.
        n_objectives: number of objectives.
        n_startup_trials: trials before a model proposes.
        population_size: of the evolutionary samplers.
        is_constrained: whether trials have constraints to keep.
        lessons: of other studies, for a sampler that can learn from them.
    """

    space: tuple[Hyperparameter, ...]
    seed: int
    n_objectives: int
    n_startup_trials: int
    population_size: int
    is_constrained: bool = False
    lessons: tuple[tuple[Lesson, ...], ...] = ()

    @property
    def constraints(self) -> dict[str, Any]:
        """What a sampler of Optuna's that knows constraints is told of them."""
        return constrained() if self.is_constrained else {}

    @property
    def varying(self) -> list[Hyperparameter]:
        return [h for h in self.space if not h.is_fixed]

    @property
    def is_conditional(self) -> bool:
        return any(h.conditions for h in self.varying)

    @property
    def categories(self) -> list[str]:
        """Names of the hyperparameters whose values have no order."""
        return [h.name for h in self.varying if not h.is_ordered]

    @property
    def suits_gp(self) -> bool:
        """Whether Optuna's Gaussian process has a scale for everything: the space is flat and numeric."""
        return not self.is_conditional and not self.categories


def _tpe(request: Request) -> BaseSampler:
    return samplers.TPESampler(
        n_startup_trials=request.n_startup_trials,
        multivariate=True if request.n_objectives == 1 or request.is_conditional else None,
        group=request.is_conditional,
        constant_liar=True,  # what is being trained is not proposed again by those that are asked meanwhile
        **request.constraints,
    )


def _gp(request: Request) -> BaseSampler:
    return samplers.GPSampler(
        n_startup_trials=request.n_startup_trials, independent_sampler=_tpe(request), **request.constraints
    )


def _cmaes(request: Request) -> BaseSampler:
    return samplers.CmaEsSampler(n_startup_trials=request.n_startup_trials, warn_independent_sampling=False)


def _qmc(request: Request) -> BaseSampler:
    return samplers.QMCSampler(scramble=True, seed=request.seed % 2**32, warn_independent_sampling=False)


def _grid(request: Request) -> BaseSampler:
    names = parameter_names(request.space)
    return samplers.GridSampler({names[h]: _drawable(h) for h in request.varying}, seed=request.seed % 2**32)


MAKERS: dict[str, Callable[[Request], BaseSampler]] = {
    OURS: lambda request: GaussianProcessSampler(request.space, request.lessons),
    "tpe": _tpe,
    "gp": _gp,
    "cmaes": _cmaes,
    "qmc": _qmc,
    "random": lambda request: samplers.RandomSampler(),
    "grid": _grid,
    "brute_force": lambda request: samplers.BruteForceSampler(),
    "nsga2": lambda request: samplers.NSGAIISampler(population_size=request.population_size, **request.constraints),
    "nsga3": lambda request: samplers.NSGAIIISampler(population_size=request.population_size, **request.constraints),
}


@dataclass(frozen=True)
class Plan:
    """Which sampler proposes which trial.

    Attributes:
        model: the sampler; of `auto` the one that learns.
        first: the sampler of the trials before number `until`; None when there is no other.
        until: see `first`.
        last: the sampler that follows on the model, where it has become slow; None when there is none.
        defaults_first: whether trial 0 has the default values.
        is_given: whether a person has made the sampler.
        keeps_state: whether its class is not Optuna's, so that it may remember things itself.
        n_lessons: number of trials of other studies that the model computes with.
    """

    model: BaseSampler
    first: BaseSampler | None = None
    until: int = 0
    last: BaseSampler | None = None
    defaults_first: bool = False
    is_given: bool = False
    keeps_state: bool = False
    n_lessons: int = 0

    def sampler(self, number: int, draw: int, seed: int, space: Sequence[Hyperparameter], is_slow: bool) -> BaseSampler:
        """Return the sampler of a trial, seeded.

        Args:
            number: of the trial.
            draw: counts the attempts to find something new.
            seed: the study's.
            space: all hyperparameters, those found after trial 0 too.
            is_slow: whether the model is too slow for the study.
        """
        chosen = self.first if self.first is not None and number < self.until else self.model
        if chosen is self.model and is_slow and self.last is not None:
            chosen = self.last
        if isinstance(chosen, GaussianProcessSampler):
            chosen.space = tuple(space)  # it remembers nothing that it could not work out again
        elif not self.keeps_state:
            chosen = copy.deepcopy(chosen)  # a Gaussian process, for one, starts its fit from the one before
        reseed(chosen, f"{seed}/{number}/{draw}")
        return chosen

    def is_slow(self, number: int, space: Sequence[Hyperparameter], mean_seconds: float) -> bool:
        """Tell whether the model would be too slow for trial `number`, where trials take `mean_seconds` (0: unknown).

        What a proposal takes is estimated and not measured, so that the answer does not depend on the machine's load.
        """
        if self.last is None or number < self.until:
            return False
        seconds = proposal_seconds(number + self.n_lessons, len(space))
        return number >= MAX_MODELLED or 0 < mean_seconds * MAX_SHARE < seconds

    def can_draw(self, h: Hyperparameter, parameter: str) -> bool:
        """Tell whether the sampler can draw a hyperparameter that may have been found after trial 0."""
        if isinstance(self.model, samplers.GridSampler):
            return is_in_grid(self.model, parameter)
        return not isinstance(self.model, samplers.BruteForceSampler) or h.count() < math.inf


def make_plan(name: str, model: str | None, request: Request) -> Plan:
    """Make the samplers that a study's options name.

    Args:
        name: a key of `MAKERS`, or "auto".
        model: of "auto": "tpe" or "gp".
        request: what they are made for.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # remarks that a sampler is experimental
        if name != "auto":
            return Plan(MAKERS[name](request))
        learning = replace(request, n_startup_trials=AUTO_STARTUP)
        return Plan(
            MAKERS[model or "tpe"](learning),
            first=_qmc(request),
            until=request.n_startup_trials,
            last=_tpe(learning) if model == OURS else None,
            defaults_first=True,
            n_lessons=sum(map(len, request.lessons)),
        )


def given_plan(sampler: BaseSampler, seed: int) -> Plan:
    """Return the plan of a sampler that a person has made."""
    sampler = copy.deepcopy(sampler)
    if isinstance(sampler, samplers.QMCSampler):
        set_sequence(sampler, seed)
    return Plan(sampler, is_given=True, keeps_state=not is_of_optuna(sampler))


# What samplers need ---------------------------------------------------------------------------------------


def is_installed(name: str) -> bool:
    """Tell whether what the sampler `name` needs is installed."""
    return name not in EXTRAS or importlib.util.find_spec(EXTRAS[name]) is not None


def best_model(request: Request) -> str:
    """Choose what proposes for `auto` after its first trials.

    Our process is ahead on flat spaces and TPE on conditional ones, but only the process learns from other studies.
    """
    if request.n_objectives > 1:
        return "gp" if is_installed("gp") and request.suits_gp else "tpe"
    return "tpe" if request.is_conditional and not request.lessons else OURS


def default_startup(sampler: str, model: str | None) -> int:
    """Return the trials before a sampler's model proposes: our process makes something of five."""
    return 5 if OURS in (sampler, model) else 10


def mistakes(name: str, model: str | None, request: Request) -> list[str]:
    """Say why the sampler of that name cannot search the space."""
    found = []
    for wanted in [name] if name != "auto" else [model]:
        if wanted is not None and not is_installed(wanted):
            found.append(
                f"`sampler` must be one whose packages are installed, but '{wanted}' needs {EXTRAS[wanted]}. "
                f"Install it with: pip install 'keras-tuning[{wanted}]'."
            )
    if request.n_objectives > 1:
        if name in ("cmaes", OURS):
            found.append(must("sampler", "be one for several objectives, such as tpe, gp, nsga2 or nsga3", name))
        elif name == "auto" and model == OURS:
            found.append(must("model", "be one for several objectives, tpe or gp", model))
    if name in ("grid", "brute_force"):
        endless = [h.name for h in request.varying if h.count() == math.inf]
        if endless:
            found.append(
                f"`sampler` must be one for ranges, but '{name}' tries all values and there is no end of them in "
                f"{', '.join(endless)}. Give them a step, fix them, or use another sampler, such as qmc."
            )
    if name == "grid" and request.is_conditional:
        found.append(
            "`sampler` must be one for conditional hyperparameters, but got 'grid'. Use sampler=brute_force, which "
            "tries every combination that there is."
        )
    elif name == "grid" and math.prod(h.count() for h in request.varying) > MAX_GRID:
        found.append(
            f"`sampler` must be one for large spaces, but 'grid' makes all combinations at once and there are more "
            f"than {MAX_GRID}. Use sampler=brute_force."
        )
    return found


def _drawable(h: Hyperparameter) -> Sequence[Any]:
    """Return all that can be drawn for a hyperparameter with finitely many values."""
    return [to_sampled(h, h.value_at(index)) for index in range(int(h.count()))]
