"""A search that begins with what was best in other studies, of the same space or a similar one.

Owns which configurations are taken from where, and what is said of values that the space does not have. What they were
on other data is no score on these, so they are tried anew, before the engine proposes anything; it learns from them as
from its own. They are part of the study from then on, which goes on without the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tuning.driver.request import Request
from tuning.engines.first import fitting, in_turn
from tuning.errors import OptionError, must
from tuning.hyperparameters import Hyperparameter
from tuning.records.definition import Definition
from tuning.records.ranking import pareto, ranked
from tuning.storage.folder import DATABASE
from tuning.storage.store import Store

MOST_EACH, MOST = 3, 5
"""Configurations that are taken of one study, and of all of them."""


def warmed(
    request: Request, stored: Definition | None, space: Sequence[Hyperparameter]
) -> tuple[Request, tuple[str, ...]]:
    """Return the request with the configurations of the other studies that it names, and what to say of them.

    A study that was begun with the same ones keeps what it took from them then.

    Args:
        request: a continued one.
        stored: the definition of the study that is continued; None for a new one.
        space: what is searched.

    Raises:
        OptionError: one of them is no study, or has nothing for this space.
    """
    if not request.warm_start or isinstance(request.warm_start, Mapping):
        return replace(request, warm_start=dict(request.warm_start or {})), ()
    paths = [_path_of(given, request) for given in request.warm_start]
    names = [path.name for path in paths]
    if len(set(names)) < len(names) or request.path.name in names:
        rule = "name each study once, and none of the search's own name"
        raise OptionError(must("warm_start", rule, ", ".join(names)))
    if stored is not None and list(stored.warm_start) == names:
        return replace(request, warm_start=dict(stored.warm_start)), ()
    found, said = {}, []
    for path in paths:
        found[path.name], left_out = _taken(path, request.storage, space)
        text = f"begins with the best {len(found[path.name])} of {path.name}"
        said.append(f"{text}; left out: {', '.join(left_out)}" if left_out else text)
    kept = in_turn(found)[:MOST]
    chosen = {name: [values for values in several if values in kept] for name, several in found.items()}
    return replace(request, warm_start=chosen), tuple(said)


def _path_of(given: Any, request: Request) -> Path:
    """Return the folder of a study that is given by name, by path or as an object."""
    if hasattr(given, "path"):
        return Path(given.path).absolute()
    beside = request.path.parent / str(given)
    for path in (beside, Path(given).absolute()):
        if (path / DATABASE).is_file():
            return path
    if request.storage is not None and Path(given).name == str(given):
        return beside
    raise OptionError(must("warm_start", f"name studies in '{request.path.parent}', or their folders", str(given)))


def _taken(
    path: Path, storage: str | None, space: Sequence[Hyperparameter]
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Return the best configurations of a study as this space has them, and which values it does not have."""
    store = Store.of(path, None if (path / DATABASE).is_file() else storage)
    try:
        definition = store.definition()
        trials = [] if definition is None else store.read()[0]
    finally:
        store.close()
    if definition is None:
        raise OptionError(must("warm_start", "name studies", path.name))
    best = pareto(trials, definition.objectives) if definition.several else ranked(trials, definition.objective)
    taken: list[dict[str, Any]] = []
    left_out: dict[str, None] = {}
    for trial in best:
        complete, missing = fitting(space, trial.values)
        if len(missing) == len(trial.values):
            continue
        if complete not in taken:
            taken.append(complete)
            left_out |= dict.fromkeys(missing)
        if len(taken) == MOST_EACH:
            break
    if not taken:
        why = "has no trial with a score" if not best else "has no hyperparameter in common with this space"
        raise OptionError(f"`warm_start` must name studies to learn from, but '{path.name}' {why}.")
    return taken, tuple(left_out)
