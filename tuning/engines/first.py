"""Configurations that a person has chosen, tried before the engine's own.

Owns which values they stand for, and the order: the first trials of a study are these, whatever the engine. The
engine takes them for trials of its own and learns from them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from tuning.engines.base import Answer, Engine
from tuning.errors import SpaceError, guess, must, raise_all
from tuning.hyperparameters import Hyperparameter
from tuning.records.definition import Definition
from tuning.records.trial import Run, Trial
from tuning.space import active_values


class Beginner(Engine, Protocol):
    """An engine that can take up configurations that others have chosen."""

    def begin_with(self, values: Mapping[str, Any]) -> Run:
        """Return a run of the next new trial with these values, and take it for an own one."""


class First(Engine):
    """An engine that tries given configurations, and then what another engine proposes.

    Args:
        engine: takes over after them.
        tries: configurations, complete.
        max_trials: number of trials in all; None for no limit.
    """

    def __init__(self, engine: Beginner, tries: Sequence[Mapping[str, Any]], max_trials: int | None) -> None:
        self._engine = engine
        self._tries = tries if max_trials is None else tries[:max_trials]
        self._begun = 0

    @property
    def thinks_long(self) -> bool:
        return self._engine.thinks_long

    def ask(self) -> Answer:
        if self._begun < len(self._tries):
            self._begun += 1
            return self._engine.begin_with(self._tries[self._begun - 1])
        return self._engine.ask()

    def tell(self, trial: Trial) -> None:
        self._engine.tell(trial)

    def should_stop(self, trial: Trial) -> bool:
        return self._engine.should_stop(trial)

    def may_continue(self, number: int) -> bool:
        return self._engine.may_continue(number)

    def dump(self) -> Any:
        return self._engine.dump()

    def restore(self, trials: Sequence[Trial], state: Any) -> None:
        self._begun = len(trials)
        self._engine.restore(trials, state)


def first_tries(definition: Definition) -> tuple[Mapping[str, Any], ...]:
    """Return all that is tried before the engine proposes anything: a person's own, then those of other studies."""
    others = [values for values in in_turn(definition.warm_start) if values not in definition.tries]
    return (*definition.tries, *others)


def in_turn(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Mapping[str, Any]]:
    """Return the best of each study, then the second of each, and so on; equal ones once."""
    listed: list[Mapping[str, Any]] = []
    for place in range(max(map(len, found.values()), default=0)):
        listed += [several[place] for several in found.values() if place < len(several)]
    return [values for i, values in enumerate(listed) if values not in listed[:i]]


def completed(space: Sequence[Hyperparameter], given: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], ...]:
    """Return each configuration with the defaults of what it leaves open; equal ones once.

    Raises:
        SpaceError: names every value that is not legal, and every name that does not apply.
    """
    mistakes: list[str] = []
    made = []
    for values in given:
        values = {name: _converted(space, name, value) for name, value in values.items()}
        complete = active_values(space, values)
        mistakes += _mistakes(space, values, complete)
        if complete not in made:
            made.append(complete)
    raise_all(mistakes, SpaceError)
    return tuple(made)


def fitting(space: Sequence[Hyperparameter], values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return a configuration of another space as this one has it, and what it does not have, "name=value".

    What is missing or not legal here has its default. What does not apply here is neither.
    """
    kept = {}
    for name, value in values.items():
        converted = _converted(space, name, value)
        if any(h.name == name and h.contains(converted) for h in space):
            kept[name] = converted
    complete = active_values(space, kept)
    for h in space:  # one name may have other values under other conditions
        if h.is_active(complete) and not h.contains(complete[h.name]):
            complete[h.name] = h.default
    known = {h.name for h in space}
    missing = [
        f"{name}={value}"
        for name, value in values.items()
        if name not in known or (name in complete and complete[name] != kept.get(name, _NOTHING))
    ]
    return active_values(space, complete), missing


_NOTHING = object()


def _converted(space: Sequence[Hyperparameter], name: str, value: Any) -> Any:
    """Return a value in the type of the first hyperparameter of that name which converts it."""
    converted = [h.converted(value) for h in space if h.name == name]
    return next((other for other in converted if type(other) is not type(value)), value)


def _mistakes(space: Sequence[Hyperparameter], values: Mapping[str, Any], complete: Mapping[str, Any]) -> list[str]:
    names, found = {h.name for h in space}, []
    for name, value in values.items():
        active = [h for h in space if h.name == name and h.is_active(complete)]
        if name not in names:
            found.append(must("try", "name hyperparameters of the space", name, guess(name, names)))
        elif not active:
            listed = " or ".join(c.describe() for h in space if h.name == name for c in h.conditions)
            found.append(f"`{name}` applies only where {listed}, which is not so in the configuration to try.")
        else:
            found += [must(name, f"be {h.describe()}", value) for h in active if not h.contains(value)]
    return found
