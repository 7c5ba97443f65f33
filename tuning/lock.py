"""One driver a study: a lock on the study's folder that dies with its holder.

Owns the lock file. The operating system releases the lock when the process ends in whatever way, so nothing
needs heartbeats, clocks or clean-up. The file's content only says who holds it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from tuning.errors import StudyError

LOCK = "driver.lock"


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the study's lock.

    Args:
        path: the study's folder; it is made when it does not exist.

    Raises:
        StudyError: another driver holds it; names its host and process.
    """
    path.mkdir(parents=True, exist_ok=True)
    with open(path / LOCK, "a+", encoding="utf-8") as file:
        _take(file, path)
        file.seek(0)
        file.truncate()
        json.dump(holder(), file)
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def refuse_if_locked(path: Path) -> None:
    """Raise the error of `locked`, without taking the lock or making anything."""
    if (path / LOCK).is_file():
        with open(path / LOCK, "a+", encoding="utf-8") as file:
            _take(file, path)


def holder() -> dict[str, object]:
    """Return what a driver says of itself."""
    return {"host": socket.gethostname(), "pid": os.getpid()}


def held_by(path: Path, who: object) -> StudyError:
    """Return the error that refuses a second driver."""
    named = f"process {who['pid']} on {who['host']}" if isinstance(who, dict) else "another process"
    return StudyError(
        f"study '{path.name}' is being searched by {named}. Wait until it ends, or stop it, or choose another study name."
    )


def _take(file: object, path: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # type: ignore[arg-type]
    except BlockingIOError:
        file.seek(0)  # type: ignore[attr-defined]
        text = file.read()  # type: ignore[attr-defined]
        raise held_by(path, json.loads(text) if text else None) from None
