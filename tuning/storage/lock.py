"""One driver a study: locks that die with their holder.

Owns the two kinds there are: a lock on a file, released by the operating system, and a lock in a PostgreSQL
database, released by the server when the connection that took it is gone. Either way the end of the holder, however
it comes, is the end of the lock, so nothing needs heartbeats, clocks or clean-up. Who holds a lock is written beside
it, only so that the driver that is refused can say.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from tuning.errors import StudyError

LOCK = "driver.lock"

_GRACE_SECONDS = 0.2
"""How long to wait for a lock: whoever only looks whether it is held has it for a moment."""


def holder() -> dict[str, Any]:
    """Return what a driver says of itself; `token` tells it from any other."""
    return {"host": socket.gethostname(), "pid": os.getpid(), "token": os.urandom(8).hex()}


def held_by(study: str, who: Any) -> StudyError:
    """Return the error that refuses a second driver."""
    known = isinstance(who, dict) and {"pid", "host"} <= who.keys()
    named = f"process {who['pid']} on {who['host']}" if known else "another process"
    return StudyError(
        f"study '{study}' is being searched by {named}. Wait until it ends, or stop it, or choose another study name."
    )


# Files ------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def locked(path: Path, name: str = LOCK, study: str | None = None) -> Iterator[None]:
    """Hold the lock of the study in a folder.

    Args:
        path: the folder; it is made when it does not exist.
        name: of the lock's file.
        study: the study's name; default: the folder's.

    Raises:
        StudyError: another driver holds it, and the error names its host and process; or the folder cannot be
            written to.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        # A link that somebody has put there is not followed: what it leads to would be cleared.
        file = open(os.open(path / name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666), "r+b", buffering=0)  # noqa: SIM115
    except OSError as error:
        raise StudyError(f"'{path}' must be a folder that can be written to, but got: {error}.") from None
    with file, _folder(path) if name == LOCK else contextlib.nullcontext() as folder:
        _take(file, path.name if study is None else study)
        if folder is not None:  # the file may be a new one, in place of another that is held and was deleted
            _take_folder(folder, path.name)
        with contextlib.suppress(OSError):  # a disk that is full does not matter here
            file.truncate(0)
            file.write(json.dumps(holder()).encode())
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                file.truncate(0)


def refuse_if_locked(path: Path) -> None:
    """Raise the error of `locked` when another driver has the lock; take and make nothing."""
    with contextlib.suppress(OSError), open(path / LOCK, "rb", opener=_at_once) as file:  # or it is no lock of ours
        _take(file, path.name, shared=True)


def _at_once(path: str, flags: int) -> int:
    """Open a file without waiting for what a pipe in its place would wait for."""
    return os.open(path, flags | os.O_NONBLOCK)


@contextlib.contextmanager
def _folder(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _take_folder(folder: int, study: str) -> None:
    """Lock the folder itself, which cannot be deleted under its holder; some file systems have no such locks."""
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise held_by(study, None) from None
    except OSError:
        pass


def _take(file: IO[bytes], study: str, shared: bool = False) -> None:
    deadline = time.monotonic() + _GRACE_SECONDS
    while True:
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                file.seek(0)
                raise held_by(study, _read(file.read())) from None
        except OSError as error:
            raise StudyError(
                f"study '{study}' must lie where files can be locked, but got: {error}. Some network file systems have "
                "no locks: choose a folder on another one with --logs (logs=...); a study can be copied back."
            ) from None
        time.sleep(0.02)


def _read(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:  # not written yet, or cleared just now
        return None


# PostgreSQL -------------------------------------------------------------------------------------------


def key_of(study: str) -> int:
    """Return the number under which a database locks a study: a signed 64-bit integer."""
    return int.from_bytes(hashlib.sha256(f"tuning/{study}".encode()).digest()[:8], "big", signed=True)


def take_in_database(connection: Any, study: str) -> bool:
    """Take the study's lock for as long as `connection` lives; return False when another connection has it.

    Args:
        connection: of psycopg. It must be the connection that writes the study, so that a driver that has lost its
            lock has lost its way to write, too.
        study: name of the study.
    """
    with connection.cursor() as cursor:
        # Should the driver's machine vanish without a word, the server notices within a minute or so.
        for name, seconds in (("idle", 30), ("interval", 10), ("count", 3)):
            cursor.execute(f"SET tcp_keepalives_{name} = {seconds}")
        cursor.execute("SELECT pg_try_advisory_lock(%s)", (key_of(study),))
        (taken,) = cursor.fetchone()
    connection.commit()
    return bool(taken)
