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
from tuning.hyperparameters import Float, Hyperparameter, Int, Number
from tuning.hyperparameters.integer import MAX_LISTED

Grid = dict[str, Any]


@dataclass(frozen=True)
class Range:
    """A distribution of a range's numbers, uniform on its scale, for those that SciPy has none for.

    Attributes:
        of: the range; its step is not looked at.
    """

    of: Number

    def rvs(self, size: int | None = None, random_state: Any = None) -> Any:
        """Return one number, or an array of `size` numbers.

        Args:
            size: None for one number.
            random_state: a seed or a `numpy.random.RandomState`.
        """
        from sklearn.utils import check_random_state

        places = check_random_state(random_state).uniform(size=1 if size is None else size)
        drawn = [float(self.of.scale.at(place)) for place in places]
        drawn = [self.of.rounded(value) for value in drawn] if isinstance(self.of, Int) else drawn
        return drawn[0] if size is None else np.array(drawn)


@dataclass(frozen=True)
class Drawn:
    """A distribution that a person gave, whose numbers are those of a hyperparameter.

    Attributes:
        of: the hyperparameter.
        distribution: a frozen one of SciPy's.
    """

    of: Number
    distribution: Any

    def rvs(self, random_state: Any = None) -> Any:
        """Return one number; of a range with a step its nearest one."""
        drawn = np.asarray(self.distribution.rvs(random_state=random_state)).item()
        if self.of.step is not None:
            return min(self.of.values() or (drawn,), key=lambda value: abs(value - drawn))
        return self.of.converted(drawn)


def grid_of(hyperparameters: Iterable[Hyperparameter], levels: int = 3) -> Grid | list[Grid]:
    """Return a `param_grid` for `GridSearchCV`: a dict, or with conditions a list of dicts.

    Args:
        hyperparameters: parents before children.
        levels: most values of a range. One level is the default; more lie at equal distances on the range's scale,
            its ends included. Choices and booleans have all their values.
    """
    return _by_case(hyperparameters, lambda h: h.levels(levels))


def distributions_of(hyperparameters: Iterable[Hyperparameter]) -> Grid | list[Grid]:
    """Return `param_distributions` for `RandomizedSearchCV`: a dict, or with conditions a list of dicts.

    What has a limited number of values is a list; any other range is a distribution of SciPy or a `Range`. Where there
    are conditions, the list has one dict for each combination of the values that they ask about, all equally likely.
    """
    return _by_case(hyperparameters, _distribution)


def checked_grid(given: Any, hyperparameters: Sequence[Hyperparameter], draws: bool = False) -> list[Grid]:
    """Return a grid that a person gave, as a list of dicts, with whole numbers made floats where floats are meant.

    Args:
        given: {name: values} or a list of such. Values are a list, or a distribution: {"distribution": a name of
            `scipy.stats`, "args": [...], "kwds": {...}}.
        hyperparameters: of the space.
        draws: whether the search draws values, and may be given distributions.

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
            if isinstance(values, Mapping):
                checked[-1][name], wrong = _distribution_given(name, values, kinds, draws)
                mistakes += wrong
                continue
            checked[-1][name] = [_converted(kinds, value) for value in values]
            rule = " or ".join(dict.fromkeys(h.describe() for h in kinds))
            mistakes += [
                must(f"{name} in grid", f"be {rule}", value)
                for value in checked[-1][name]
                if not any(h.contains(value) for h in kinds)
            ]
    raise_all(mistakes, OptionError)
    return checked


def _distribution_given(
    name: str, given: Mapping[str, Any], kinds: Sequence[Hyperparameter], draws: bool
) -> tuple[Any, list[str]]:
    """Return a distribution that a person gave, and what is wrong with it."""
    from scipy import stats

    h, what = kinds[0], f"{name} in grid"
    shown = f"{given['distribution']}({', '.join(map(str, [*given['args'], *given['kwds'].values()]))})"
    if not draws:
        return None, [must(what, "be a list of values, because every one of them is tried", shown)]
    make: Any = getattr(stats, given["distribution"], None)
    if not hasattr(make, "rvs"):
        return None, [must(what, "name a distribution of scipy.stats", given["distribution"])]
    try:
        distribution = make(*given["args"], **given["kwds"])
        low, high = distribution.support()
    except TypeError as error:
        return None, [must(what, "have the arguments of its distribution", shown, f"SciPy says: {error}.")]
    if len(kinds) > 1 or not isinstance(h, Number):
        rule = " or ".join(dict.fromkeys(kind.describe() for kind in kinds))
        return None, [must(what, f"be a list of values ({rule})", shown)]
    if isinstance(h, Int) and not isinstance(make, stats.rv_discrete):
        return None, [must(what, "be a distribution of whole numbers, such as scipy.stats.randint", shown)]
    if not (h.bounds[0] <= low <= high <= h.bounds[1]):
        return None, [must(what, f"draw nothing but {h.describe()}", shown, f"It draws from {low} to {high}.")]
    return Drawn(h, distribution), []


def _converted(kinds: Sequence[Hyperparameter], value: Any) -> Any:
    """Return a value in the type that all hyperparameters of a name agree on, else as it is."""
    converted = [h.converted(value) for h in kinds]
    return converted[0] if len(set(map(type, converted))) == 1 else value


def _by_case(
    hyperparameters: Iterable[Hyperparameter], values_of: Callable[[Hyperparameter], Any]
) -> Grid | list[Grid]:
    space = list(hyperparameters)
    parents = {condition.name for h in space for condition in h.conditions}
    cases: list[dict[str, Any]] = [{}]
    for h in space:
        if h.name in parents:
            values = values_of(h)
            if not isinstance(values, list):
                rule = f"have at most {MAX_LISTED} values, because others have conditions on it"
                raise SpaceError(must(h.name, rule, h.describe()))
            chosen = [[{**case, h.name: v} for v in values] if h.is_active(case) else [case] for case in cases]
            cases = [case for group in chosen for case in group]
    fixed = {h.name for h in space if h.is_fixed}
    grids = [
        {h.name: [case[h.name]] if h.name in case else values_of(h) for h in space if h.is_active(case)}
        for case in cases
    ]
    grids = [{name: values for name, values in grid.items() if name not in fixed} for grid in grids]
    return grids[0] if len(grids) == 1 else grids


def _distribution(h: Hyperparameter) -> Any:
    """Return a list of all values, or a distribution where they are too many, or not equally likely."""
    listed = h.values()
    is_log_int = isinstance(h, Int) and h.scale.is_logarithmic and h.step is None
    if not isinstance(h, Number) or (listed is not None and not is_log_int):
        return list(listed or ())
    from scipy import stats

    low, high = h.bounds
    if isinstance(h, Float) and h.sampling == "log":
        return stats.loguniform(low, high)
    if h.scale.is_logarithmic:
        return Range(h)
    return stats.randint(int(low), int(high) + 1) if isinstance(h, Int) else stats.uniform(low, high - low)
