"""What an engine says of itself: the record that its adapter exports beside what does the work.

Owns the record, and the way to a function whose module loads a library that nobody needs before it is called. A kind
stands in a module that loads no library, so that commands list engines at once.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tuning.engines.base import Engine
from tuning.engines.options import Option
from tuning.records.definition import Definition


@dataclass(frozen=True)
class Lazily:
    """A function, "module:function", whose module is imported when it is called."""

    name: str

    def load(self) -> Callable[..., Any]:
        """Import the module, and return the function itself."""
        module, _, function = self.name.partition(":")
        found: Callable[..., Any] = getattr(importlib.import_module(module), function)
        return found

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self.load()(*arguments, **named)


def _as_it_is(definition: Definition, objects: Mapping[str, Any]) -> Definition:
    return definition


def _nothing(definition: Definition, max_trials: int | None) -> str:
    return ""


def whole_trials(definition: Definition, max_trials: int | None) -> int | None:
    """Return the epochs of a search that gives each trial its whole budget; None when their number is not known."""
    return None if max_trials is None else max_trials * definition.epochs


@dataclass(frozen=True)
class EngineKind:
    """An engine that can be asked for by name.

    Attributes:
        name: as a person writes it.
        make: makes the engine, of (hyperparameters, objective or objectives, seed, epochs, number of trials or None,
            and its options by name).
        description: one line for `tune engines`.
        trials: default number of trials; None when the space decides, or the engine knows when it is done.
        trials_for: default number of trials of a definition, where the space decides.
        options: its options by name.
        continues: whether trials rest and are continued.
        settle: completes a definition once the space is known, and refuses what cannot be searched; gets it and the
            options that were given as objects.
        remark: says what a person should know about a search, of its settled definition and number of trials.
        planned_epochs: number of epochs that a whole search trains if no run ends early, of the same two; None when
            that is not known.
        many_objectives: whether it can optimise several objectives. Such an engine is made with a sequence of them.
        folds: number of folds when none is asked for; None for no folds. Such an engine is told the number of a trial's
            trainings, `n_trainings`.
        changes: whether values change while a trial is trained. Such an engine has an option `change`, the names of
            what may, which is found out where it is not given.
        constrains: whether it proposes what is likely to keep the constraints. Such an engine is given them,
            `constraints`; others find out.
        learns_from_others: whether it can learn from trials of other studies. Such an engine is given `lessons`.
        own_results: returns the search object that the engine's library would have left behind, of a definition and
            its trials; None where there is none.
    """

    name: str
    make: Lazily
    description: str
    trials: int | None
    options: Mapping[str, Option]
    trials_for: Callable[[Definition], int] | None = None
    continues: bool = False
    settle: Callable[[Definition, Mapping[str, Any]], Definition] = _as_it_is
    remark: Callable[[Definition, int | None], str] = _nothing
    planned_epochs: Callable[[Definition, int | None], int | None] = whole_trials
    many_objectives: bool = False
    folds: int | None = None
    changes: bool = False
    constrains: bool = False
    learns_from_others: bool = False
    own_results: Callable[..., Any] | None = None

    def default_trials(self, definition: Definition) -> int | None:
        """Return the number of trials of a search that is given none; None when the engine knows when it is done."""
        return self.trials if self.trials_for is None else self.trials_for(definition)

    def load(self) -> Callable[..., Engine]:
        """Import what makes the engine, and the library behind it."""
        return self.make.load()
