"""A space and its data on other machines: its code travels, its data are loaded there.

Owns what is pickled by value, and the proof that a machine has loaded the same data.
"""

from __future__ import annotations

import contextlib
import sys
import sysconfig
from dataclasses import replace
from pathlib import Path
from typing import Any

from tuning.data import Data
from tuning.data.join import with_validation
from tuning.errors import DataError, TuningError
from tuning.executors.channel import by_value, write_payload
from tuning.space import SearchSpace, pickling, resolve
from tuning.training.fit import data_of

_OURS = ("tuning", "search_spaces")


def is_file(source: str | None) -> bool:
    """Tell whether a space is known by its file, which other machines do not have."""
    return source is not None and source.endswith(".py")


def code_by_value(source: str | None) -> contextlib.AbstractContextManager[None]:
    """Have code pickled by value that other machines cannot import: of a space's file, and of modules beside it.

    Args:
        source: of the space; None for one that a program has made, beside whose own file modules may lie.
    """
    folder = Path(source).resolve().parent if source is not None and is_file(source) else _folder_of_program()
    return by_value([] if folder is None else _modules_in(folder))


def _folder_of_program() -> Path | None:
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    return None if file is None else Path(file).resolve().parent


def _modules_in(folder: Path) -> list[Any]:
    """Return the modules that were imported from a folder, but for what is installed, and for ours."""
    libraries = tuple(f"{path}/" for name, path in sysconfig.get_paths().items() if name.endswith("lib"))
    installed = [Path(path).resolve() for path in libraries]
    found = []
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file is None or name == "__main__" or name.partition(".")[0] in _OURS:
            continue
        if file.startswith(libraries):  # nearly all are, and to resolve a path takes its time
            continue
        path = Path(file).resolve()
        if folder in path.parents and not any(root in path.parents for root in installed):
            found.append(module)
    return found


def order(source: str | None, space: SearchSpace, data: Data) -> bytes:
    """Return what `gathered` needs to load a space's own data.

    Args:
        source: the name by which the space is found elsewhere; None for one that travels.
        space: the space.
        data: as they were loaded here, divided into folds where there are any.
    """
    given = None if source is not None else space
    return pickling.dumps((source, given, data.fingerprint(), data.folds))


def gathered(_space: Any, _data: Any, pickled: bytes, path: str) -> None:
    """Load a space's own data, and write them with it as the payload; called in a worker process.

    Args:
        pickled: what `order` returned.
        path: of the payload.

    Raises:
        DataError: they cannot be loaded, or are other data than the driver's.
    """
    source, given, fingerprint, folds = pickling.loads(pickled)
    space = resolve(source) if source is not None else given
    try:
        data = data_of(space)
        data = data if folds is None else replace(with_validation(data), folds=folds)
    except TuningError as error:
        raise DataError(
            f"on this machine {error}. Put the data where load_data finds them, or give them to `search` as x and y, "
            "which are sent."
        ) from error
    found = data.fingerprint()
    if found != fingerprint:
        places = sorted(n for n in {*found, *fingerprint} if found.get(n) != fingerprint.get(n))
        said = "; ".join(f"{n} is {found.get(n, 'absent')} instead of {fingerprint.get(n, 'absent')}" for n in places)
        raise DataError(f"the data of '{space.name}' must be the same on all machines, but on this one {said}.")
    with open(path, "r+b") as file:
        file.truncate()
        write_payload(file, (source, given, data))
