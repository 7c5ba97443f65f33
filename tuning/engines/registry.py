"""Engines by name: how their options are read, and how one is made.

Owns the list of engines, and the check of options, which reports all mistakes at once. What an engine is, it says
itself: see its kind. Importing this module loads no engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from tuning.engines.base import Engine
from tuning.engines.first import Beginner, First, first_tries
from tuning.engines.grid.kind import GRID
from tuning.engines.keras_tuner.kinds import BAYESIAN, HYPERBAND, PROGRAM, RANDOM
from tuning.engines.kind import EngineKind
from tuning.engines.options import INSTANCE
from tuning.engines.optuna.kind import OPTUNA
from tuning.engines.pbt.kind import PBT
from tuning.errors import OptionError, guess, must, raise_all
from tuning.records.definition import Definition

ENGINES: dict[str, EngineKind] = {kind.name: kind for kind in (RANDOM, HYPERBAND, BAYESIAN, OPTUNA, GRID, PBT)}

DEFAULT = OPTUNA.name
"""The engine of a search that names none."""


def engine_kind(name: str) -> EngineKind:
    """Return the engine of that name.

    Raises:
        OptionError: there is none.
    """
    if name == PROGRAM.name:
        return PROGRAM
    if name not in ENGINES:
        raise OptionError(must("engine", f"be one of {', '.join(ENGINES)}", name, guess(name, ENGINES)))
    return ENGINES[name]


def engines_that(ability: str) -> list[str]:
    """Return the names of the engines that have an ability: a field of `EngineKind`."""
    return [name for name, kind in ENGINES.items() if getattr(kind, ability)]


def read_options(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return all options of an engine: the given ones, read and checked, and the defaults.

    Raises:
        OptionError: names every option that is unknown or does not fit.
    """
    read, mistakes = _read(name, given)
    raise_all(mistakes)
    return read


def option_mistakes(name: str, given: Mapping[str, Any]) -> list[str]:
    """Name every option that is unknown or does not fit."""
    return _read(name, given)[1]


def _read(name: str, given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    known = engine_kind(name).options
    read: dict[str, Any] = {key: option.default for key, option in known.items()}
    mistakes = []
    for key, value in given.items():
        if key not in known:
            has = f"be one of {', '.join(known)}" if known else "not be given: this engine has none"
            mistakes.append(must(f"option of {name}", has, key, guess(key, known)))
            continue
        try:
            read[key] = None if value is None else known[key].read(value)
        except (TypeError, ValueError):
            mistakes.append(must(key, known[key].rule, value))
    return read, mistakes


def stored_options(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part options into what is stored, with a text for each object, and the objects."""
    objects = {k: v for k, v in options.items() if not isinstance(v, (bool, int, float, str, list, dict, type(None)))}
    named = {k: f"{INSTANCE}{type(v).__module__.partition('._')[0]}.{type(v).__qualname__}" for k, v in objects.items()}
    return {**options, **named}, objects


def settle(definition: Definition, objects: Mapping[str, Any]) -> Definition:
    """Return the definition of a search, complete: with what its engine's options leave to the space.

    Args:
        definition: its options are those of `read_options`, stored as `stored_options` says.
        objects: options that are given as objects.

    Raises:
        OptionError: the engine cannot search the space in this way.
    """
    kind = engine_kind(definition.engine)
    if len(definition.objectives) > 1 and not kind.many_objectives:
        able = " or ".join(engines_that("many_objectives"))
        raise OptionError(
            must("engine", "be one for several objectives", definition.engine, f"Use engine {able}, or one objective.")
        )
    return kind.settle(definition, objects)


def make_engine(definition: Definition, max_trials: int | None, objects: Mapping[str, Any] | None = None) -> Engine:
    """Make the engine of a study.

    Args:
        definition: a settled one, which names the engine.
        max_trials: number of trials in all; None for as many as the engine wants.
        objects: options that are given as objects.

    Raises:
        OptionError: the engine cannot begin with the configurations to try first.
    """
    kind = engine_kind(definition.engine)
    more: dict[str, Any] = {} if kind.folds is None else {"n_trainings": len(definition.training_names)}
    more |= {"constraints": definition.constraints} if kind.constrains else {}
    more |= {"lessons": tuple(definition.lessons.values())} if kind.learns_from_others else {}
    engine: Engine = kind.make(
        definition.hyperparameters,
        definition.objectives if kind.many_objectives else definition.objective,
        definition.seed,
        definition.epochs,
        max_trials,
        **more,
        **{**definition.options, **(objects or {})},
    )
    tries = first_tries(definition)
    if not tries:
        return engine
    if not hasattr(engine, "begin_with"):
        raise OptionError(must("engine", "be one that can begin with given configurations", definition.engine))
    return First(cast(Beginner, engine), tries, max_trials)
