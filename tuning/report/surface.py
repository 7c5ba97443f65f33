"""The map of an objective over two hyperparameters, smoothed over the trials that were tried.

Owns the smoothing. Values of a choice have a row or column each and are not mixed; where no trial is near, nothing is
said.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tuning.report.axes import Axis

N_CELLS = 36
"""Along an axis of numbers."""

WIDTH = 0.07
"""Of the kernel, in parts of an axis."""

NEAR = 0.16
"""Distance within which a trial must lie for a cell to be coloured."""


def surface(x: Axis, y: Axis, trials: Sequence[tuple[Any, Any, float]]) -> dict[str, Any]:
    """Return the shades of cells.

    Args:
        x, y: the axes.
        trials: the value on each axis, and the shade, of each trial.

    Returns:
        `nx` and `ny` cells along the axes, and as `cells` [row, first column, last column + 1, shade] of neighbouring
        cells of one shade.
    """
    nx, squares_x = _squares(x, [trial[0] for trial in trials])
    ny, squares_y = _squares(y, [trial[1] for trial in trials])
    shades = np.asarray([trial[2] for trial in trials], np.float64)
    distances = squares_x[None, :, :] + squares_y[:, None, :]  # [ny, nx, trials]
    weights = np.exp(-distances / (2 * WIDTH**2))
    total = weights.sum(axis=2)
    mean = (weights * shades).sum(axis=2) / np.maximum(total, 1e-12)
    is_near = distances.min(axis=2) <= NEAR**2
    levels = np.where(is_near, np.round(mean), -1).astype(int)
    return {"nx": nx, "ny": ny, "cells": [run for row in range(ny) for run in _runs(row, levels[row].tolist())]}


def _squares(axis: Axis, values: Sequence[Any]) -> tuple[int, np.ndarray]:
    """Return the number of cells along an axis, and the squared distance [cells, trials] of each to each trial."""
    places = np.asarray([axis.unit(value) for value in values], np.float64)
    n = len(axis.labels) or N_CELLS
    middles = (np.arange(n) + 0.5) / n
    squares: np.ndarray = (middles[:, None] - places[None, :]) ** 2
    if axis.labels:
        squares = np.where(np.abs(middles[:, None] - places[None, :]) < 0.5 / n, 0.0, np.inf)
    return n, squares


def _runs(row: int, levels: Sequence[int]) -> list[list[int]]:
    """Return a row as runs of equal shades, without what has none."""
    runs: list[list[int]] = []
    for column, level in enumerate(levels):
        if runs and runs[-1][3] == level and runs[-1][2] == column:
            runs[-1][2] += 1
        elif level >= 0:
            runs.append([row, column, column + 1, level])
    return runs
