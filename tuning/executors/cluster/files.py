"""Files that go from one machine to another, in pieces, and how an open file is found by another process.

Owns reading and writing of both sides. What a machine says of a file is not trusted: it stays in the folder that it is
meant for.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from tuning.errors import StudyError
from tuning.executors.cluster.wire import Place

PIECE = 8_000_000
"""Bytes of a piece."""


def holds(path: str, text: str) -> bool:
    """Tell whether there is a file with that text."""
    try:
        return Path(path).read_text(encoding="utf-8") == text
    except (OSError, UnicodeDecodeError):
        return False


def place_of(file: BinaryIO) -> Place:
    """Return where other processes find a file that this one holds open."""
    status = os.fstat(file.fileno())
    return Place(f"/proc/{os.getpid()}/fd/{file.fileno()}", status.st_dev, status.st_ino)


def opened(place: Place | None) -> BinaryIO | None:
    """Open a file that another process holds open; None where it is not to be had."""
    if place is None:
        return None
    try:
        file = open(place.path, "r+b")  # noqa: SIM115
    except OSError:
        return None
    status = os.fstat(file.fileno())
    if (status.st_dev, status.st_ino) == (place.device, place.inode):
        return file
    file.close()
    return None


def put(file: BinaryIO, position: int, content: bytes) -> None:
    """Write a piece of a file; the first one begins it anew."""
    file.seek(position)
    if position == 0:
        file.truncate()
    file.write(content)
    file.flush()


def piece(path: Path, position: int) -> bytes:
    """Return a piece of a file."""
    with path.open("rb") as file:
        file.seek(position)
        return file.read(PIECE)


def pieces(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield (position, content) of each piece of an open file; an empty file has one."""
    position = 0
    while True:
        content = os.pread(file.fileno(), PIECE, position)
        if content or position == 0:
            yield position, content
        position += len(content)
        if len(content) < PIECE:
            return


def write(folder: Path, path: str, position: int, content: bytes) -> None:
    """Write a piece of a file in a folder; the first one begins it anew."""
    target = inside(folder, path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("r+b" if position else "wb") as file:
        put(file, position, content)


def inside(folder: Path, path: str) -> Path:
    """Return a path in a folder.

    Raises:
        StudyError: it leads out of it.
    """
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or not parts.parts:
        raise StudyError(f"a machine of the cluster must name files of the study, but named '{path}'.")
    return folder / path


def fresh(folder: Path, known: dict[str, tuple[int, int]]) -> tuple[tuple[str, int], ...]:
    """Return path and bytes of the files in a folder that have changed since the last call.

    Args:
        folder: of the agent; drafts, whose names say so, are left out.
        known: what was there then, which is brought up to date.
    """
    found = []
    for path in sorted(folder.rglob("*")):
        with contextlib.suppress(FileNotFoundError):
            status = path.stat()
            if not path.is_file() or path.name.startswith(".unfinished") or ".tmp." in path.name:
                continue
            name, state = path.relative_to(folder).as_posix(), (status.st_mtime_ns, status.st_size)
            if known.get(name) != state:
                known[name] = state
                found.append((name, status.st_size))
    return tuple(found)


def empty(folder: Path) -> None:
    """Delete all that is in a folder."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
