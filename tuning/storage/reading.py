"""What a database holds, read as data: checked, and refused in one line where it cannot be understood.

Owns the check of types, which is what a record that something else has written, or damaged, breaks first, and of what
types do not show.
"""

from __future__ import annotations

import contextlib
import gc
import json
import math
import types
import typing
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import fields
from functools import cache
from typing import Any, TypeVar, Union, cast

from tuning.errors import StudyError, writable
from tuning.hyperparameters import Hyperparameter
from tuning.records.definition import Definition
from tuning.records.trial import Trial

LATEST = 9e9
"""Seconds: a time that calendars cannot tell, those of tables end in the year 2262, is none."""

MOST_TRAININGS = 100_000
"""Folds or repeats of a trial that are believed."""

_Record = TypeVar("_Record")


@contextlib.contextmanager
def understood(study: str) -> Iterator[None]:
    """Turn what goes wrong in reading a record into an error that says whose it is."""
    try:
        yield
    except StudyError:
        raise
    except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        what = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise StudyError(
            f"study '{study}' must be one that this version can read, but its record cannot be understood ({what}). "
            "It is damaged, or another version or program has written it."
        ) from None


@contextlib.contextmanager
def unswept() -> Iterator[None]:
    """Keep Python from looking for what can be freed while much is read, and shown, of which nothing can be freed."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def parsed(documents: Sequence[str]) -> list[Any]:
    """Return what JSON documents hold.

    They are read as one list: that takes less time, and all of them share the names in them.

    Raises:
        ValueError: one is no JSON.
    """
    text = f"[{','.join(documents)}]"
    found: list[Any] = json.loads(text)
    if len(found) != len(documents):
        raise ValueError(f"{len(documents)} records hold {len(found)} objects")
    if "\\ud" in text or "\\uD" in text:  # half a pair of these can be read, and not be written
        found = list(map(_writable, found))
    return found


def _writable(value: Any) -> Any:
    if isinstance(value, str):
        return writable(value)
    if isinstance(value, dict):
        return {writable(name): _writable(one) for name, one in value.items()}
    return list(map(_writable, value)) if isinstance(value, list) else value


def sound(trial: Trial) -> Trial:
    """Return a trial in which everything can be shown, as far as types do not tell: numbers, times, places, names.

    Raises:
        TypeError, ValueError, LookupError, SpaceError: it cannot.
    """
    for at in (trial.started_at, trial.ended_at):
        if at is not None and not 0 <= at < LATEST:
            raise ValueError(f"a time is {at}")
    for training in trial.trainings if trial.joint is None else (*trial.trainings, trial.joint):
        best = training.best_epoch
        if best is not None and not 0 <= best < len(training.curve.epochs):
            raise ValueError(f"the best epoch is {best} of {len(training.curve)}")
        if not math.isfinite(training.seconds) or training.score != training.score:
            raise ValueError(f"a training has {training.seconds} seconds and a score of {training.score}")
    for counted in trial.counted:
        epoch, value = (0, 0.0) if counted is None else counted
        if not math.isfinite(value) or (epoch is not None and epoch < 0):
            raise ValueError(f"the score has {value} of epoch {epoch}")
    for other in (*trial.scores, *trial.resources.values(), *trial.limited.values()):
        math.isnan(0.0 if other is None else other)  # raises of what is no number
    for record in trial.found:
        Hyperparameter.from_json(record)
    return trial


def sound_definition(definition: Definition) -> Definition:
    """Return a definition with a number of trainings a trial that can be.

    Raises:
        TypeError, ValueError, LookupError: it has not.
    """
    for n in (definition.n_folds, definition.repeats):
        if n is not None and not 0 < n <= MOST_TRAININGS:
            raise ValueError(f"it has {n} folds or repeats")
    return definition


def made(kind: type[_Record], values: Mapping[str, Any]) -> _Record:
    """Return a dataclass without defaults to fill in, as its constructor does, which takes three times as long.

    Raises:
        TypeError: fields are missing that have no default, or there are others.
    """
    if values.keys() != _names_of(cast(Hashable, kind)):
        return kind(**values)
    record = object.__new__(kind)
    vars(record).update(values)
    return record


@cache
def _names_of(kind: Hashable) -> frozenset[str]:
    return frozenset(f.name for f in fields(kind))  # type: ignore[arg-type]


def checked(record: _Record) -> _Record:
    """Return a dataclass whose fields are of the types that they are declared with, as far as the outside shows.

    Raises:
        TypeError: one is not.
    """
    allowed, seen = _types_of(cast(Hashable, type(record)))
    pattern = tuple(map(type, vars(record).values()))
    if pattern not in seen:  # thousands of records have the same few patterns
        for name, kinds in allowed.items():
            value = getattr(record, name)
            if type(value) not in kinds and (isinstance(value, bool) or not isinstance(value, kinds)):
                raise TypeError(f"{name} is {value!r}")
        seen.add(pattern)
    return record


@cache
def _types_of(kind: Hashable) -> tuple[dict[str, tuple[type, ...]], set[tuple[type, ...]]]:
    """Return what the fields that are checked may be, and the patterns of types that were found good."""
    hints = typing.get_type_hints(kind)
    allowed = {f.name: kinds for f in fields(kind) if (kinds := _allowed(hints[f.name]))}  # type: ignore[arg-type]
    return allowed, set()


def _allowed(hint: Any) -> tuple[type, ...]:
    """Return the types that values of a hint may have; none when it does not say."""
    origin = typing.get_origin(hint)
    if origin in (Union, types.UnionType):
        parts = [_allowed(part) for part in typing.get_args(hint)]
        return tuple(one for part in parts for one in part) if all(parts) else ()
    kind = origin or hint
    if kind is Any or not isinstance(kind, type):
        return ()
    return (int, float) if kind is float else (dict,) if kind is Mapping else (kind,)
