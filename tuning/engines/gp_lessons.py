"""A Gaussian process that knows what other studies have come to, beside the trials of its own.

Owns how the two are brought together. A trial of another study is a point beside the own one of the same configuration,
a step away in a direction that is that study's; how much it says is the length in that direction, which is fitted like
all others: a long one where the studies agree, a short one where they do not. So the others' weight is lower from the
start, and none where the own trials contradict them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tuning.engines.cube import Cube
from tuning.engines.gp_scores import standardised
from tuning.engines.matern import GaussianProcess
from tuning.records.lesson import Lesson

SPREADS = (0.3, 1.0)
"""Least and largest deviation of the own scores, where those of each other study have 1."""


def fitted(
    cube: Cube, rows: np.ndarray, scores: np.ndarray, lessons: Sequence[Sequence[Lesson]] = ()
) -> GaussianProcess:
    """Return the process over the own trials and the lessons.

    The first own trials are others' best ones, so their mean is no mean of configurations: the own scores get the mean
    that the others lead to expect of these configurations, and about the deviation.

    Args:
        cube: of the space, for as many other studies as there are `lessons`.
        rows: of the own trials, float [n, hyperparameters].
        scores: of them, standardised, float [n].
        lessons: of each other study.

    References:
        K. Swersky, J. Snoek, R. P. Adams, "Multi-Task Bayesian Optimization", NeurIPS 2013.
    """
    points = cube.coordinates(rows)
    if not lessons:
        return GaussianProcess.fit(points, scores, cube.groups)
    placed = [np.array([cube.row(lesson.values) for lesson in study]) for study in lessons]
    others = np.concatenate([cube.coordinates(study, other) for other, study in enumerate(placed)])
    theirs = np.concatenate([standardised([lesson.score for lesson in study]) for study in lessons])
    expected = GaussianProcess.fit(others, theirs, cube.groups).predict(points)[0]
    scores = expected.mean() + np.clip(expected.std(), *SPREADS) * scores
    return GaussianProcess.fit(np.concatenate([points, others]), np.concatenate([scores, theirs]), cube.groups)
