"""`param_grid` and `param_distributions`: a space for scikit-learn's own searches.

Owns finding a space's hyperparameters for them; `tuning.space.grids` translates.
"""

from __future__ import annotations

from typing import Any

from tuning.preflight import hyperparameters_of
from tuning.space import BoundSpace
from tuning.space.grids import Grid, distributions_of, grid_of


def param_grid(space: Any, levels: int = 3) -> Grid | list[Grid]:
    """Return a grid of a space for `GridSearchCV`, such as {"n_hidden": [1, 3, 5], "optimizer": ["sgd", "adam"]}.

    Args:
        space: a `SearchSpace`, a KerasTuner `HyperModel`, a function `build_model(hp)` or
            `build_model(hp, meta)`, or a space's name. What its
            `fit` asks for is found where the space has data of its own.
        levels: most values of a range; at equal distances on its scale, both ends included.

    Returns:
        A dict; with conditions a list of dicts, so that no hyperparameter is varied where it does not apply.
    """
    return grid_of(hyperparameters_of(BoundSpace(space)), levels)


def param_distributions(space: Any) -> Grid | list[Grid]:
    """Return distributions of a space for `RandomizedSearchCV`; log ranges are log-uniform.

    Args:
        space: as for `param_grid`.

    Returns:
        A dict of lists and of objects with `rvs`; for a space with conditions a list of dicts.
    """
    return distributions_of(hyperparameters_of(BoundSpace(space)))
