"""What trials in worker processes leave behind on objects of the program's own, brought back to the program.

Owns which objects these are, and what on them can be told apart from what other trials leave: what is added to lists,
dicts and sets, and attributes that are set for the first time. A number that has changed may be a count or a value, and
stays in the program as it was.
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FunctionType
from typing import Any

from tuning.files import replaced
from tuning.keras_tuner import private

_FILE = "left_behind.pickle"
_DEPTH = 3
"""Levels of dicts that are looked through, the attributes of an object being the first."""

_VALUE, _ITEMS, _ENTRIES = "value", "items", "entries"
"""A change of an entry: what it is now, what was added to its list or set, and the changes of its dict's entries."""


@contextmanager
def written(tuner: Any, trial: Any) -> Iterator[None]:
    """Write down what a trial leaves behind meanwhile, in a worker process."""
    before = {place: _seen(names) for place, names in _places(tuner).items()}
    try:
        yield
    finally:
        found: dict[tuple[str, str], bytes] = {}
        refused: dict[str, str] = {}
        for place, names in _places(tuner).items():
            for name, change in _changes(before.get(place, {}), names).items():
                if change[0] == _VALUE and not _is_left(before.get(place, {}), name):
                    continue
                try:
                    found[place, name] = pickle.dumps(change)
                except Exception as error:
                    refused[name] = f"{type(error).__name__}: {error}"
        if found or refused:
            with replaced(_file(tuner, trial), synced=False) as draft:
                draft.write_bytes(pickle.dumps((found, refused)))


def taken(tuner: Any, trial: Any) -> None:
    """Put what a trial has left behind in a worker process where the program looks for it."""
    path = _file(tuner, trial)
    if not path.is_file():
        return
    found, refused = pickle.loads(path.read_bytes())
    path.unlink()
    places = _places(tuner)
    for (place, name), pickled in found.items():
        try:
            _put(places[place], {name: pickle.loads(pickled)})
        except Exception as error:
            refused[name] = f"{type(error).__name__}: {error}"
    for name, reason in refused.items():
        warnings.warn(f"what a trial has left in `{name}` stays in its worker process: {reason}", stacklevel=2)


def dropped(tuner: Any, trial: Any) -> None:
    """Delete what an earlier attempt at a trial has left."""
    _file(tuner, trial).unlink(missing_ok=True)


def _file(tuner: Any, trial: Any) -> Any:
    return private.trial_folder(tuner.oracle, trial.trial_id) / _FILE


def _places(tuner: Any) -> dict[str, dict[str, Any]]:
    """Return the attributes and global variables that code of the program's own may change, by whose they are."""
    build = getattr(tuner.hypermodel, "build", None)
    owners = {"tuner": tuner, "hypermodel": tuner.hypermodel, "build": getattr(build, "__self__", None)}
    found: dict[str, dict[str, Any]] = {}
    functions = [build]
    for place, owner in owners.items():
        own = [kind for kind in type(owner).__mro__ if private.is_of_the_program(kind)]
        if own and hasattr(owner, "__dict__") and all(vars(owner) is not known for known in found.values()):
            found[place] = vars(owner)
        functions += [value for kind in own for value in vars(kind).values()]
    for function in functions:
        if isinstance(function, FunctionType) and function.__module__ == "__main__":
            found["program"] = function.__globals__
    return found


def _is_left(before: Mapping[str, Any], name: str) -> bool:
    """Tell whether a name has its first value now, or another container; KerasTuner's own and Python's are not told."""
    was, parts = before.get(name, (None, None))
    return not name.startswith("_") and (was is None or parts is not None)


def _seen(entries: Mapping[Any, Any], depth: int = _DEPTH) -> dict[Any, tuple[Any, Any]]:
    """Return the values of entries, and what is in those that are containers."""
    return {key: (value, _parts(value, depth - 1)) for key, value in list(entries.items())}


def _parts(value: Any, depth: int) -> Any:
    if isinstance(value, dict):
        return _seen(value, depth) if depth else None
    return value.copy() if isinstance(value, (list, set)) else None


def _changes(before: Mapping[Any, tuple[Any, Any]], entries: Mapping[Any, Any]) -> dict[Any, tuple[str, Any]]:
    found: dict[Any, tuple[str, Any]] = {}
    for key, value in list(entries.items()):
        was, parts = before.get(key, (None, None))
        added = _added(parts, value)
        if added is not None:
            found[key] = added
        elif key not in before or value is not was:
            found[key] = _VALUE, value
    return found


def _added(parts: Any, value: Any) -> tuple[str, Any] | None:
    """Return what was added to a container; None where nothing was, or it is another one."""
    if isinstance(parts, list) and isinstance(value, list):
        is_longer = len(value) > len(parts) and all(a is b for a, b in zip(parts, value, strict=False))
        return (_ITEMS, value[len(parts) :]) if is_longer else None
    if isinstance(parts, set) and isinstance(value, set):
        return (_ITEMS, list(value - parts)) if value > parts else None
    if isinstance(parts, dict) and isinstance(value, dict) and parts.keys() <= value.keys():
        entries = _changes(parts, value)
        return (_ENTRIES, entries) if entries else None
    return None


def _put(entries: dict[Any, Any], changes: Mapping[Any, tuple[str, Any]]) -> None:
    for key, (kind, what) in changes.items():
        known = entries.get(key)
        if kind == _ENTRIES and isinstance(known, dict):
            _put(known, what)
        elif kind == _ITEMS and isinstance(known, list):
            known.extend(what)
        elif kind == _ITEMS and isinstance(known, set):
            known.update(what)
        elif kind == _VALUE:
            entries[key] = what
