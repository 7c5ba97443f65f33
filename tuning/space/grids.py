"""Hyperparameters as scikit-learn's parameter grids and distributions.

Owns the translation: which levels stand for a range, which distribution draws from it, and how conditions become a
list of grids, one for each combination of the values that conditions ask about. Scales are kept: the levels of a
log range lie at equal ratios, and its distribution is log-uniform. Fixed hyperparameters are no parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tuning.errors import OptionError, SpaceError, must, raise_all
from tuning.hyperparameters import Hyperparameter

MAX_LISTED = 1000
"""Most values of a range that are listed one by one; longer ranges are drawn from."""

Grid = dict[str, Any]


@dataclass(frozen=True)
class Range:
    """A distribution of numbers, uniform on a scale, for those scales that SciPy has none for.

    Attributes:
        low, high: inclusive bounds.
        sampling: linear, log or reverse_log, as in `Hyperparameter`.
        is_whole: whether the numbers are whole: those of the scale, rounded.
    """

    low: float
    high: float
    sampling: str = "linear"
    is_whole: bool = False

    def rvs(self, size: int | None = None, random_state: Any = None) -> Any:
        """Return one number, or an array of `size` numbers.

        Args:
            size: None for one number.
            random_state: a seed or a `numpy.random.RandomState`.
        """
        from sklearn.utils import check_random_state

        drawn = [self.at(u) for u in check_random_state(random_state).uniform(size=1 if size is None else size)]
        return drawn[0] if size is None else np.array(drawn)

    def at(self, place: float) -> Any:
        """Return the number at a place of [0, 1]."""
        low, high = self.low, self.high
        if self.sampling == "linear":
            value = low + place * (high - low)
        else:
            value = low * (high / low) ** (place if self.sampling == "log" else 1 - place)
            value = value if self.sampling == "log" else high + low - value
        value = min(max(value, low), high)
        return round(value) if self.is_whole else float(value)


def grid_of(hyperparameters: Iterable[Hyperparameter], levels: int = 3) -> Grid | list[Grid]:
    """Return a `param_grid` for `GridSearchCV`: a dict, or with conditions a list of dicts.

    Args:
        hyperparameters: parents before children.
        levels: most values of a range. One level is the default; more lie at equal distances on the range's scale,
            its ends included. Choices and booleans have all their values.
    """
    return _by_case(hyperparameters, lambda h: levels_of(h, levels))


def distributions_of(hyperparameters: Iterable[Hyperparameter]) -> Grid | list[Grid]:
    """Return `param_distributions` for `RandomizedSearchCV`: a dict, or with conditions a list of dicts.

    What has a limited number of values is a list; any other range is a distribution of SciPy or a `Range`. Where there
    are conditions, the list has one dict for each combination of the values that they ask about, all equally likely.
    """
    return _by_case(hyperparameters, _distribution)


def levels_of(h: Hyperparameter, levels: int) -> list[Any]:
    """Return the values that stand for a hyperparameter in a grid."""
    listed = _all_values(h)
    if h.kind in ("choice", "boolean", "fixed") or (listed is not None and len(listed) <= levels):
        return listed or []
    if levels == 1:
        return [h.default]
    places = [i / (levels - 1) for i in range(levels)]
    if listed is not None and h.step is not None:  # on a grid of its own
        return list(dict.fromkeys(listed[round(place * (len(listed) - 1))] for place in places))
    low, high = h.bounds
    values = [Range(low, high, h.sampling, h.kind == "int").at(place) for place in places]
    return list(dict.fromkeys(value if h.kind == "int" else float(f"{value:.12g}") for value in values))


def checked_grid(given: Any, hyperparameters: Sequence[Hyperparameter]) -> list[Grid]:
    """Return a grid that a person gave, as a list of dicts, with whole numbers made floats where floats are meant.

    Args:
        given: {name: values} or a list of such.
        hyperparameters: of the space.

    Raises:
        OptionError: names every hyperparameter and value that the space does not have.
    """
    grids, mistakes = [given] if isinstance(given, Mapping) else list(given), []
    names = dict.fromkeys(h.name for h in hyperparameters)
    checked: list[Grid] = []
    for grid in grids:
        checked.append({})
        for name, values in grid.items():
            kinds = [h for h in hyperparameters if h.name == name]
            if not kinds:
                mistakes.append(must("grid", f"name hyperparameters ({', '.join(names)})", name))
                continue
            floats = all(h.kind == "float" for h in kinds)
            checked[-1][name] = [float(v) if floats and type(v) is int else v for v in values]
            rule = " or ".join(dict.fromkeys(h.describe() for h in kinds))
            mistakes += [
                must(f"{name} in grid", f"be {rule}", value)
                for value in checked[-1][name]
                if not any(h.contains(value) for h in kinds)
            ]
    raise_all(mistakes, OptionError)
    return checked


def _by_case(
    hyperparameters: Iterable[Hyperparameter], values_of: Callable[[Hyperparameter], Any]
) -> Grid | list[Grid]:
    space = list(hyperparameters)
    parents = {condition.name for h in space for condition in h.conditions}
    cases: list[dict[str, Any]] = [{}]
    for h in space:
        if h.name in parents:
            values = [h.default] if h.kind == "fixed" else values_of(h)
            if not isinstance(values, list):
                rule = f"have at most {MAX_LISTED} values, because others have conditions on it"
                raise SpaceError(must(h.name, rule, h.describe()))
            chosen = [[{**case, h.name: v} for v in values] if h.is_active(case) else [case] for case in cases]
            cases = [case for group in chosen for case in group]
    fixed = {h.name for h in space if h.kind == "fixed"}
    grids = [
        {h.name: [case[h.name]] if h.name in case else values_of(h) for h in space if h.is_active(case)}
        for case in cases
    ]
    grids = [{name: values for name, values in grid.items() if name not in fixed} for grid in grids]
    return grids[0] if len(grids) == 1 else grids


def _all_values(h: Hyperparameter) -> list[Any] | None:
    """Return all values of a hyperparameter in order; None where there are too many."""
    if h.kind == "fixed":
        return [h.default]
    if h.kind == "boolean":
        return [False, True]
    if h.kind == "choice":
        return list(h.choices)
    if h.count() > MAX_LISTED and h.step in (None, 1):
        return None
    low, high = h.bounds
    n = int(h.count())
    if h.step is None:
        return list(range(int(low), int(high) + 1)) if h.kind == "int" else [low]
    if h.sampling == "linear":
        values = [low + i * h.step for i in range(n)]
    else:
        values = [low * h.step**i for i in range(n)]
        values = values if h.sampling == "log" else [high + low - value for value in reversed(values)]
    return [int(value) for value in values] if h.kind == "int" else [float(value) for value in values]


def _distribution(h: Hyperparameter) -> Any:
    listed = _all_values(h)
    is_log_int = h.kind == "int" and h.sampling != "linear" and h.step is None
    if listed is not None and not is_log_int:
        return listed
    from scipy import stats

    low, high = h.bounds
    if h.kind == "int":
        linear = h.sampling == "linear"
        return stats.randint(int(low), int(high) + 1) if linear else Range(low, high, h.sampling, is_whole=True)
    if h.sampling == "reverse_log":
        return Range(low, high, h.sampling)
    return stats.loguniform(low, high) if h.sampling == "log" else stats.uniform(low, high - low)
