"""What the engine `grid` says of itself; `grid` makes it.

Owns the names of scikit-learn's searches, and the options. Loads no library.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tuning.engines.kind import EngineKind, Lazily, whole_trials
from tuning.engines.options import Option, more_than, name_option, whole, whole_option, yes_or_no
from tuning.records.definition import Definition

SCORES = ("common", "last", "own")
"""Rules of scoring; see `tuning.records.trainings`."""

SEARCHES = ("grid", "random", "halving-grid", "halving-random")


def is_halving(search: str) -> bool:
    """Tell whether a search begins with few epochs and goes on with the best candidates."""
    return search.startswith("halving")


def _planned_epochs(definition: Definition, max_trials: int | None) -> int | None:
    return None if is_halving(definition.options["search"]) else whole_trials(definition, max_trials)


def _grid(value: Any) -> Any:
    """Read a grid, with JSON's own types for NumPy's, ranges and SciPy's distributions."""
    value = json.loads(value) if isinstance(value, str) else value
    grids = [value] if isinstance(value, Mapping) else value
    if not isinstance(grids, (list, tuple)) or not grids:
        raise ValueError
    read = [{str(name): _values(values) for name, values in dict(grid).items()} for grid in grids]
    return read[0] if isinstance(value, Mapping) else read


def _values(given: Any) -> Any:
    """Return a list of values, or a record of a distribution, from which `tuning.space.grids` makes it again."""
    if isinstance(given, Mapping):
        if given.keys() - {"distribution", "args", "kwds"} or not isinstance(given.get("distribution"), str):
            raise ValueError
        return {"args": [], "kwds": {}, **given}
    if hasattr(given, "rvs"):  # of SciPy, frozen
        kwds = {name: _plain(value) for name, value in given.kwds.items()}
        return {"distribution": given.dist.name, "args": [_plain(value) for value in given.args], "kwds": kwds}
    if isinstance(given, (str, bytes)):
        raise ValueError
    values = [_plain(value) for value in given]
    if not values:
        raise ValueError
    return values


def _plain(value: Any) -> Any:
    """Return a number of NumPy's as Python's."""
    return value.item() if hasattr(value, "item") else value


def _scored(definition: Definition, objects: Mapping[str, Any]) -> Definition:
    """Return the definition with the rule of scoring that the options name."""
    return replace(definition, scoring=definition.options["score"])


def _resources(value: Any) -> Any:
    return value if value in ("smallest", "exhaust") else whole(1)(value)


GRID = EngineKind(
    "grid",
    Lazily("tuning.engines.grid.engine:grid"),
    "scikit-learn's GridSearchCV, RandomizedSearchCV and halving searches, with cross-validation",
    trials=None,
    options={
        "search": name_option("grid", SEARCHES, " or ".join(SEARCHES)),
        "grid": Option(
            None,
            'be {"NAME": [VALUE, ...], ...} or a list of such; for random searches also a frozen distribution of SciPy '
            'for the values, or {"distribution": NAME, "args": [...]}',
            _grid,
            "the values to try, as JSON; default: derived from the space",
        ),
        "levels": whole_option(3, 1, "most values of a range in a derived grid"),
        "factor": Option(3.0, "be a number > 1", more_than(1), "halving: one candidate in `factor` is kept"),
        "min_resources": Option(
            None,
            "be a whole number >= 1, smallest or exhaust",
            _resources,
            "halving: epochs of the first candidates; default: scikit-learn's",
        ),
        "aggressive_elimination": Option(
            False, "be true or false", yes_or_no, "halving: begin with more rounds of the fewest epochs"
        ),
        "score": name_option(
            "common",
            SCORES,
            "common: folds by the best epoch of their mean curve; last: by their last epoch, as in GridSearchCV; own: "
            "each by its own best epoch, as earlier versions did",
        ),
    },
    continues=True,
    settle=_scored,
    planned_epochs=_planned_epochs,
    folds=5,
    own_results=Lazily("tuning.engines.grid.engine:finished_search"),
)
