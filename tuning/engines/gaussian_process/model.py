"""A Gaussian process over the trials of a study: the stopped ones too, and what other studies have come to.

Owns how these are brought together. What a trial had reached after a part of its training is a point beside the one of
the same configuration at the end, in a direction that is the epochs'; and a trial of another study is a point a step
away, in a direction that is that study's. How much such a point says is the length in its direction, which is fitted
like all others: a long one where early scores have the order of late ones, or where two studies agree, and a short one
where they do not. So what was seen there weighs less from the start, and nothing where the own trials' ends contradict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tuning.engines.gaussian_process.cube import Cube
from tuning.engines.gaussian_process.matern import GaussianProcess
from tuning.engines.gaussian_process.scores import standardised
from tuning.records.lesson import Lesson

SPREADS = (0.3, 1.0)
"""Least and largest deviation of the own scores, where those of each other study have 1."""


@dataclass(frozen=True)
class Model:
    """What is believed of configurations at the end of their training.

    Attributes:
        cube: of the space.
        process: over the configurations' coordinates, then one for each other study, then one for the epochs.
        n_beside: the number of those that are not the configurations'.
    """

    cube: Cube
    process: GaussianProcess
    n_beside: int

    def predict(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation of the score of each of `rows`."""
        return self.process.predict(_beside(self.cube.coordinates(rows), self.n_beside))

    def believing(self, rows: np.ndarray) -> Model:
        """Return the model that takes what it expects of `rows` for what came of them."""
        points = _beside(self.cube.coordinates(rows), self.n_beside)
        return replace(self, process=self.process.with_more(points, self.process.predict(points)[0]))


def fitted(
    cube: Cube,
    rows: np.ndarray,
    shares: np.ndarray,
    scores: np.ndarray,
    lessons: Sequence[Sequence[Lesson]] = (),
    theta: np.ndarray | None = None,
) -> Model:
    """Return the model of the own trials and the lessons.

    The first own trials are others' best ones, so their mean is no mean of configurations: the own scores get the mean
    that the others lead to expect of these configurations, and about the deviation.

    Args:
        cube: of the space.
        rows: of the own trials, float [n, hyperparameters].
        shares: of a whole training after which they had their scores, float [n].
        scores: of them, standardised, float [n].
        lessons: of each other study.
        theta: the process's parameters; None to fit them.

    References:
        K. Swersky, J. Snoek, R. P. Adams, "Multi-Task Bayesian Optimization", NeurIPS 2013; the same authors,
        "Freeze-Thaw Bayesian Optimization", 2014, for processes over curves.
    """
    n_beside = len(lessons) + 1
    points = [_beside(cube.coordinates(rows), n_beside)]
    points[0][:, -1] = np.log10(shares)
    groups = [*cube.groups, *range(max(cube.groups) + 1, max(cube.groups) + 1 + n_beside)]
    if lessons:
        for other, study in enumerate(lessons):
            points.append(_beside(cube.coordinates(np.array([cube.row(lesson.values) for lesson in study])), n_beside))
            points[-1][:, other - n_beside] = 1.0
        others = np.concatenate(points[1:])
        theirs = np.concatenate([standardised([lesson.score for lesson in study]) for study in lessons])
        expected = GaussianProcess.fit(others, theirs, groups).predict(_beside(cube.coordinates(rows), n_beside))[0]
        scores = np.concatenate([expected.mean() + np.clip(expected.std(), *SPREADS) * scores, theirs])
    every = np.concatenate(points)
    if theta is None:
        return Model(cube, GaussianProcess.fit(every, scores, groups), n_beside)
    return Model(cube, GaussianProcess(every, scores, groups, theta), n_beside)


def _beside(points: np.ndarray, n: int) -> np.ndarray:
    """Return points with `n` coordinates more, all 0."""
    return np.pad(points, ((0, 0), (0, n)))
