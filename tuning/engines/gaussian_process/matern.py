"""A Gaussian process over few points of many kinds: what is left of regression when there are a hundred trials.

Owns the kernel (Matern 5/2, one length a group of coordinates), the fit of its parameters, and the prediction. Knows
nothing of trials: points are rows of numbers in which a step of 1 is a long way.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from scipy.linalg import cho_solve, solve_triangular
from scipy.linalg.lapack import dpotrf, dpotri
from scipy.optimize import minimize

ROOT_5 = math.sqrt(5.0)
JITTER = 1e-8
MAX_STEPS = 30
"""Steps of the search for the kernel's parameters from one start."""

SIGNAL = (0.0, 0.7)
NOISE = (math.log(0.02), 1.2)
"""Priors of the logarithms of both variances, of values whose own variance is about 1: mean, standard deviation."""

LENGTH_SPREAD = 0.9


def length_prior(n_groups: int) -> tuple[float, float]:
    """Return the prior of the logarithm of a length: the more groups there are, the less one of them matters.

    References:
        C. Hvarfner, E. O. Hellsten, L. Nardi, "Vanilla Bayesian Optimization Performs Great in High Dimensions",
        ICML 2024.
    """
    return math.log(0.45 * math.sqrt(n_groups)), LENGTH_SPREAD


@dataclass(frozen=True)
class GaussianProcess:
    """A fitted process.

    Attributes:
        points: the points it has seen, float [n, coordinates].
        values: their values, float [n], with a mean of about 0 and a variance of about 1.
        groups: the group of each coordinate, from 0.
        theta: logarithms of the groups' lengths, of the signal's variance and of the noise's.

    References:
        Rasmussen and Williams 2006, Gaussian Processes for Machine Learning, algorithm 2.1 and section 5.4.1.
    """

    points: np.ndarray
    values: np.ndarray
    groups: Sequence[int]
    theta: np.ndarray

    @classmethod
    def fit(cls, points: np.ndarray, values: np.ndarray, groups: Sequence[int]) -> GaussianProcess:
        """Return the process whose parameters are the most likely ones under the priors."""
        theta = _likely(points.tobytes(), points.shape, values.tobytes(), tuple(groups))
        return cls(points, values, groups, np.array(theta))

    @cached_property
    def _scale(self) -> np.ndarray:
        return np.asarray(np.exp(-self.theta[list(self.groups)]))

    @cached_property
    def _factor(self) -> tuple[np.ndarray, np.ndarray]:
        """The Cholesky factor of the covariance of the values, and the weights of the predicted mean."""
        covariance = self._kernel(self.points, self.points)
        covariance[np.diag_indices_from(covariance)] += np.exp(self.theta[-1]) + JITTER
        lower = np.linalg.cholesky(covariance)
        return lower, cho_solve((lower, True), self.values)

    def _kernel(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        left, right = left * self._scale, right * self._scale
        squares = (left**2).sum(1)[:, None] + (right**2).sum(1)[None] - 2 * left @ right.T
        distances = ROOT_5 * np.sqrt(np.maximum(squares, 0.0))
        return np.asarray(np.exp(self.theta[-2]) * (1 + distances + distances**2 / 3) * np.exp(-distances))

    def predict(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation, without noise, at each of `points`."""
        lower, weights = self._factor
        to_seen = self._kernel(points, self.points)
        solved = solve_triangular(lower, to_seen.T, lower=True, check_finite=False)
        variance = np.exp(self.theta[-2]) - np.einsum("ij,ij->j", solved, solved)
        return to_seen @ weights, np.sqrt(np.maximum(variance, 1e-12))

    def with_more(self, points: np.ndarray, values: np.ndarray) -> GaussianProcess:
        """Return the process with further values, and the parameters that it has."""
        seen = np.concatenate([self.points, points])
        return GaussianProcess(seen, np.concatenate([self.values, values]), self.groups, self.theta)


@lru_cache(maxsize=256)
def _likely(points: bytes, shape: tuple[int, int], values: bytes, groups: Sequence[int]) -> Sequence[float]:
    """Return the most likely parameters, which are asked for again while few values are added."""
    likelihood = _Likelihood(np.frombuffer(points).reshape(shape), np.frombuffer(values), groups)
    prior, spread = likelihood.prior
    bounds = list(zip(prior - 4 * spread, prior + 4 * spread, strict=True))
    best = minimize(likelihood, prior, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": MAX_STEPS})
    return tuple(np.round(best.x, 3))  # the last digits differ between processes


class _Likelihood:
    """The negative logarithm of likelihood times prior, with its gradient, as a function of the parameters."""

    def __init__(self, points: np.ndarray, values: np.ndarray, groups: Sequence[int]) -> None:
        self._values = values
        n_groups = max(groups) + 1
        squares = np.zeros((n_groups, len(points), len(points)))
        for column, group in enumerate(groups):
            squares[group] += (points[:, None, column] - points[None, :, column]) ** 2
        self._squares = squares.reshape(n_groups, -1)
        mean, spread = length_prior(n_groups)
        self.prior = (
            np.array([mean] * n_groups + [SIGNAL[0], NOISE[0]]),
            np.array([spread] * n_groups + [SIGNAL[1], NOISE[1]]),
        )

    def __call__(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        n = len(self._values)
        scales, signal, noise = np.exp(-2 * theta[:-2]), np.exp(theta[-2]), np.exp(theta[-1])
        distances = ROOT_5 * np.sqrt(scales @ self._squares).reshape(n, n)
        decay = signal * np.exp(-distances)
        kernel = (1 + distances + distances**2 / 3) * decay
        covariance = kernel.copy()
        covariance[np.diag_indices(n)] += noise + JITTER
        factor, _ = dpotrf(covariance, lower=1)
        inverse, _ = dpotri(factor, lower=1)  # its lower half
        inverse = inverse + np.tril(inverse, -1).T
        weights = inverse @ self._values
        outer = np.outer(weights, weights) - inverse
        mean, spread = self.prior
        off = (theta - mean) / spread
        value = 0.5 * self._values @ weights + np.log(np.diag(factor)).sum() + 0.5 * off @ off
        by_length = self._squares @ (outer * (1 + distances) * decay).ravel() * scales * 5 / 3
        slopes = np.array([*by_length, (outer * kernel).sum(), noise * np.trace(outer)])
        return float(value), -0.5 * slopes + off / spread
