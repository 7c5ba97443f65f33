"""A search that begins with what was best in other studies, of the same space or a similar one.

Owns which configurations are taken from where, and what is said of values that the space does not have. What they were
on other data is no score on these, so they are tried anew, before the engine proposes anything; it learns from them as
from its own. Of studies on the same data an engine that can learn from others is told more: many of their trials, with
their scores. All of it is part of the study from then on, which goes on without the others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tuning.driver.request import Request
from tuning.engines.first import fitting, in_turn
from tuning.engines.registry import engine_kind
from tuning.errors import OptionError, must
from tuning.hyperparameters import Hyperparameter
from tuning.records.definition import Definition
from tuning.records.lesson import Lesson
from tuning.records.ranking import pareto, ranked
from tuning.records.trial import Trial
from tuning.storage.folder import DATABASE
from tuning.storage.store import Store

MOST_EACH, MOST = 3, 5
"""Configurations that are taken of one study, and of all of them."""

MOST_LESSONS, LEAST_LESSONS = 50, 3
"""Trials that are told of all studies, and the least of one: fewer show nothing of how configurations compare."""


def warmed(
    request: Request, stored: Definition | None, space: Sequence[Hyperparameter], data: Mapping[str, Any]
) -> tuple[Request, tuple[str, ...]]:
    """Return the request with the configurations of the other studies that it names, and what to say of them.

    A study that was begun with the same ones keeps what it took from them then.

    Args:
        request: a continued one.
        stored: the definition of the study that is continued; None for a new one.
        space: what is searched.
        data: the fingerprint of the data.

    Raises:
        OptionError: one of them is no study, or has nothing for this space.
    """
    if not request.warm_start or isinstance(request.warm_start, Mapping):
        lessons = {} if stored is None else stored.lessons
        return replace(request, warm_start=dict(request.warm_start or {}), lessons=lessons), ()
    paths = [_path_of(given, request) for given in request.warm_start]
    names = [path.name for path in paths]
    if len(set(names)) < len(names) or request.path.name in names:
        rule = "name each study once, and none of the search's own name"
        raise OptionError(must("warm_start", rule, ", ".join(names)))
    if stored is not None and list(stored.warm_start) == names:
        return replace(request, warm_start=dict(stored.warm_start), lessons=stored.lessons), ()
    found, lessons, said = {}, {}, []
    for path in paths:
        definition, best = _read(path, request.storage)
        found[path.name], left_out = _taken(path.name, best, space)
        if engine_kind(request.engine).learns_from_others and not definition.several and definition.data == data:
            lessons[path.name] = _lessons(definition, best, space, max(MOST_LESSONS // len(paths), 1))
        text = f"begins with the best {len(found[path.name])} of {path.name}"
        said.append(f"{text}; left out: {', '.join(left_out)}" if left_out else text)
    kept = in_turn(found)[:MOST]
    chosen = {name: [values for values in several if values in kept] for name, several in found.items()}
    lessons = {name: told for name, told in lessons.items() if len(told) >= LEAST_LESSONS}
    return replace(request, warm_start=chosen, lessons=lessons), tuple(said)


def _path_of(given: Any, request: Request) -> Path:
    """Return the folder of a study that is given by name, by path or as an object."""
    if hasattr(given, "path"):
        return request.folder / Path(given.path)
    beside = request.path.parent / str(given)
    for path in (beside, request.folder / given):
        if (path / DATABASE).is_file():
            return path
    if request.storage is not None and Path(given).name == str(given):
        return beside
    raise OptionError(must("warm_start", f"name studies in '{request.path.parent}', or their folders", str(given)))


def _read(path: Path, storage: str | None) -> tuple[Definition, list[Trial]]:
    """Return the definition of a study, and its trials with a score, the best first."""
    store = Store.of(path, None if (path / DATABASE).is_file() else storage)
    try:
        definition = store.definition()
        trials = [] if definition is None else store.read()[0]
    finally:
        store.close()
    if definition is None:
        raise OptionError(must("warm_start", "name studies", path.name))
    best = pareto(trials, definition.objectives) if definition.several else ranked(trials, definition.objective)
    return definition, best


def _lessons(
    definition: Definition, best: Sequence[Trial], space: Sequence[Hyperparameter], most: int
) -> tuple[Lesson, ...]:
    """Return what a study teaches: of many trials some from each rank, for what is bad is worth knowing too."""
    step = math.ceil(len(best) / most)
    found: dict[str, Lesson] = {}
    for trial in best[:: max(step, 1)]:
        complete, missing = fitting(space, trial.values)
        if trial.score is not None and len(missing) < len(trial.values):
            score = -definition.objective.sort_key(trial.score)
            found.setdefault(repr(sorted(complete.items())), Lesson(complete, score))  # equal here: the better one's
    return tuple(found.values())


def _taken(
    name: str, best: Sequence[Trial], space: Sequence[Hyperparameter]
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Return the best configurations of a study as this space has them, and which values it does not have."""
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
        raise OptionError(f"`warm_start` must name studies to learn from, but '{name}' {why}.")
    return taken, tuple(left_out)
