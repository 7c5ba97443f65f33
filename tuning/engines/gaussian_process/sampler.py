"""A sampler of our own: a Gaussian process that needs nothing but scipy, where Optuna's needs torch.

Owns how the next configuration is chosen. It is one of Optuna's samplers, so that studies can be searched with it like
with any other; all that it knows it reads in the study, and chance comes from one generator, which is seeded anew for
each proposal.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.pruners import WilcoxonPruner
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from scipy.spatial.distance import cdist
from scipy.special import log_ndtr, ndtr
from threadpoolctl import ThreadpoolController

from tuning.engines.gaussian_process.cube import Cube
from tuning.engines.gaussian_process.matern import GaussianProcess
from tuning.engines.gaussian_process.model import Model, fitted
from tuning.engines.gaussian_process.scores import excesses_of, scored, told_of
from tuning.engines.optuna.private import LazyRandomState
from tuning.hyperparameters import Hyperparameter
from tuning.records.lesson import Lesson
from tuning.space.distributions import from_sampled, parameter_names, sampled_distribution, to_sampled

LEAST_SCORES = 3
LIKELY_ENOUGH = math.log(0.5)
"""Logarithm of the probability from which on a configuration counts as one that keeps the constraints."""
SAME = 0.01
"""Rows that differ by less, everywhere, are as good as the same configuration: what would be learned is the noise."""

GROWTH = 1.1
"""Times as many scores as at the last fit of the process's parameters lead to the next one."""

N_RANDOM, N_BEST, N_AROUND = 500, 4, 30
"""Candidates at random, and how many around how many of the best trials, near and further away."""

N_STARTS, N_ROUNDS, N_STEPS = 4, 5, 16
"""Candidates that are improved, how often, and with how many attempts each time."""


def proposal_seconds(n_trials: int, n_hyperparameters: int) -> float:
    """Return what a proposal takes after so many trials, on one core of the year 2020, in seconds."""
    return 0.025 + 3e-6 * n_trials**2 * (0.5 + n_hyperparameters / 20)


class GaussianProcessSampler(BaseSampler):
    """Proposes where the expected improvement is largest.

    Attributes:
        space: the hyperparameters, parents before children; may be replaced by one with more of them.
        lessons: what other studies have come to, for each of them.

    References:
        D. R. Jones, M. Schonlau, W. J. Welch, "Efficient Global Optimization of Expensive Black-Box Functions",
        Journal of Global Optimization 13, 1998.
        D. Ginsbourger, R. Le Riche, L. Carraro, "Kriging is well-suited to parallelize optimization", 2010: trials
        under way are believed to come to what is expected of them.
    """

    def __init__(self, space: Sequence[Hyperparameter], lessons: Sequence[Sequence[Lesson]] = ()) -> None:
        self.space, self.lessons = tuple(space), tuple(lessons)
        self._cube, self._rows = Cube(self.space), dict[Any, np.ndarray]()
        self._rng = LazyRandomState()
        self._at_random = RandomSampler()

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        names = parameter_names(self.space)
        return {names[h]: sampled_distribution(h) for h in self._known_cube().varying}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._at_random.sample_independent(study, trial, param_name, param_distribution)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        cube, names = self._known_cube(), parameter_names(self.space)
        others = [t for t in study.get_trials(deepcopy=False) if t.number != trial.number]
        with_score = scored(others)
        limits = [(known, beyond) for known, beyond in excesses_of(others) if len(known) >= LEAST_SCORES]
        if (len(with_score) < LEAST_SCORES and not limits) or not cube.varying:
            return {}
        rows = {t.number: self._row(cube, names, t) for t in others}
        running = [rows[t.number] for t in others if t.state is TrialState.RUNNING]
        with _libraries().limit(limits=1, user_api="blas"):  # faster for so little, and the same on every machine
            told = [(np.array([rows[number] for number in known]), beyond) for known, beyond in limits]
            keeping = Keeping.fit(cube, told) if told else None
            model = None
            if len(with_score) >= LEAST_SCORES:
                model = self._learned(study, cube, with_score, rows)
            if running and model is not None:
                model = model.believing(np.array(running))
            row = _best_row(cube, model, keeping, np.array(list(rows.values())), self._rng.rng)
        return {
            names[h]: to_sampled(h, h.from_unit(max(float(place), 0.0)))
            for h, place in zip(cube.varying, row, strict=True)
        }

    def _learned(
        self, study: Study, cube: Cube, trials: Sequence[FrozenTrial], rows: Mapping[int, np.ndarray]
    ) -> Model:
        """Return what trials with a score teach; the parameters are those of the first ones, but for the last few."""

        def taught(some: Sequence[FrozenTrial], theta: np.ndarray | None = None) -> Model:
            is_max = study.direction is StudyDirection.MAXIMIZE
            told = told_of(some, is_max, by_epochs=not isinstance(study.pruner, WilcoxonPruner))
            seen = np.array([rows[number] for number in told.numbers])
            return fitted(cube, seen, told.shares, told.scores, self.lessons, theta)

        n = fitted_at(len(trials))
        earlier = taught(trials[:n])
        return earlier if n == len(trials) else taught(trials, earlier.process.theta)

    def _known_cube(self) -> Cube:
        """Return the cube of the space as it is now."""
        if self._cube.space != self.space:
            self._cube, self._rows = Cube(self.space), {}
        return self._cube

    def _row(self, cube: Cube, names: Mapping[Hyperparameter, str], trial: FrozenTrial) -> np.ndarray:
        """Return a trial's row, which takes longer to find than to remember."""
        key = tuple(trial.params.items())
        if key not in self._rows:
            self._rows[key] = cube.row(_values(cube.space, names, trial.params))
        return self._rows[key]


def fitted_at(n_trials: int) -> int:
    """Return after how many of the trials the parameters were fitted last: then again with each tenth part more."""
    n = LEAST_SCORES
    while (following := max(n + 1, int(n * GROWTH))) <= n_trials:
        n = following
    return n


@functools.cache
def _libraries() -> ThreadpoolController:
    """Return the hold on linear algebra's threads; finding the libraries takes longer than a proposal."""
    return ThreadpoolController()


def _best_row(
    cube: Cube,
    model: Model | None,
    keeping: Keeping | None,
    tried: np.ndarray,
    rng: np.random.RandomState,
) -> np.ndarray:
    """Return the row with the largest expected improvement: the best of many, improved from several starts.

    Args:
        cube, model: of the space and of the trials; None while too few have a score.
        keeping: how likely constraints are kept; None without constraints.
        tried: rows of all trials, which must not be proposed again.
        rng: for the candidates.
    """
    best = None if model is None else _best_mean(cube, model, keeping, tried)

    def worth(rows: np.ndarray) -> np.ndarray:
        worths = np.zeros(len(rows))
        if model is not None and best is not None:
            mean, deviation = model.predict(rows)
            worths = log_expected_improvement(mean - best, deviation)
        if keeping is not None:
            # Nothing that keeps them is known yet: anything that likely does is as good as any other.
            likely = keeping.log_probability(cube.coordinates(rows))
            worths = worths + likely if best is not None else np.minimum(likely, LIKELY_ENOUGH)
        is_new = cdist(rows, tried, "chebyshev").min(1) > SAME
        return np.where(is_new, worths, -np.inf)

    around = tried if model is None else tried[np.argsort(-model.predict(tried)[0], kind="stable")]
    candidates = [cube.legal(rng.uniform(size=(N_RANDOM, len(cube.varying))))]
    candidates += [cube.neighbours(row, N_AROUND, width, rng) for row in around[:N_BEST] for width in (0.2, 0.05)]
    rows = np.concatenate(candidates)
    worths = worth(rows)
    chosen = np.argsort(-worths, kind="stable")[:N_STARTS]
    starts, reached = rows[chosen], worths[chosen]
    for number in range(N_ROUNDS):
        steps = np.array([cube.neighbours(row, N_STEPS, 0.2 * 0.5**number, rng) for row in starts])
        worths = worth(steps.reshape(-1, rows.shape[1])).reshape(len(starts), -1)
        best_step = worths.argmax(1)
        higher = worths.max(1)
        starts = np.where((higher > reached)[:, None], steps[np.arange(len(starts)), best_step], starts)
        reached = np.maximum(higher, reached)
    return np.asarray(starts[int(reached.argmax())])


def _best_mean(cube: Cube, model: Model, keeping: Keeping | None, tried: np.ndarray) -> float | None:
    """Return the best that is predicted where something was tried; None where nothing there keeps the constraints.

    It is not the best score, which has been lucky.
    """
    if keeping is not None:
        tried = tried[keeping.log_probability(cube.coordinates(tried)) >= LIKELY_ENOUGH]
    return float(model.predict(tried)[0].max()) if len(tried) else None


@dataclass(frozen=True)
class Keeping:
    """How likely a configuration keeps all constraints: a process for each, over how far trials were beyond it.

    Attributes:
        models: of the constraints.
        zeros: what a process calls the bound.

    References:
        J. R. Gardner et al., "Bayesian Optimization with Inequality Constraints", ICML 2014.
    """

    models: Sequence[GaussianProcess]
    zeros: Sequence[float]

    @classmethod
    def fit(cls, cube: Cube, told: Sequence[tuple[np.ndarray, np.ndarray]]) -> Keeping:
        """Return what trials teach.

        Args:
            cube: of the space.
            told: for each constraint the rows of the trials, float [n, hyperparameters], and how far each of them is
                beyond it, float [n].
        """
        models, zeros = [], []
        for rows, values in told:
            mean, deviation = float(values.mean()), float(values.std()) or 1.0
            models.append(GaussianProcess.fit(cube.coordinates(rows), (values - mean) / deviation, cube.groups))
            zeros.append(-mean / deviation)
        return cls(models, zeros)

    def log_probability(self, points: np.ndarray) -> np.ndarray:
        """Return the logarithm of the probability that all constraints are kept at each point."""
        total = np.zeros(len(points))
        for model, zero in zip(self.models, self.zeros, strict=True):
            mean, deviation = model.predict(points)
            total += log_ndtr((zero - mean) / deviation)
        return total


def log_expected_improvement(gain: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Return the logarithm of the expected improvement, also where that is too small for a number.

    Args:
        gain: predicted improvement.
        deviation: its standard deviation.
    """
    z = gain / deviation
    density = np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    with np.errstate(divide="ignore", invalid="ignore"):
        near = np.log(density + z * ndtr(z))
        far = -0.5 * z**2 - 0.5 * math.log(2 * math.pi) - 2 * np.log(np.abs(z))
    return np.asarray(np.where(z > -5, near, far) + np.log(deviation))


def _values(
    space: Sequence[Hyperparameter], names: Mapping[Hyperparameter, str], params: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the values of a trial in Optuna's study; what is fixed has its default."""
    values: dict[str, Any] = {}
    for h in space:
        if h.name in values or not h.is_active(values):
            continue
        if h.is_fixed:
            values[h.name] = h.default
        elif names[h] in params:
            values[h.name] = from_sampled(h, params[names[h]])
    return values
