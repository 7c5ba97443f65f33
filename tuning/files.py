"""Files that are written wholly or not at all.

Owns how: into a draft beside the file, on the disk before it takes the file's place. Whoever is killed, or loses power,
leaves the old file or the new one. A draft is made anew with the permissions that the umask leaves, so a symbolic link
that somebody has planted under its name is removed and not followed; one under the file's own name is replaced. Knows
nothing of what is written.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replaced(path: Path, draft: Path | None = None, synced: bool = True) -> Iterator[Path]:
    """Yield an empty draft to be written; it takes the place of `path` at the end, or is deleted after an error.

    Args:
        path: the file, or a folder if `draft` is made one by whoever writes it; folders above it are made.
        draft: beside `path`; default: a hidden file with the same ending.
        synced: whether to wait for the disk. Without, a loss of power may leave an empty file.

    Raises:
        OSError: it cannot be written, or the draft has become a symbolic link.
    """
    draft = path.with_name(f".unfinished.{path.name}") if draft is None else draft
    path.parent.mkdir(parents=True, exist_ok=True)
    remove(draft)
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    try:
        yield draft
        if draft.is_symlink():
            raise OSError(errno.ELOOP, "a symbolic link was put in the draft's place", str(draft))
        if synced:
            for file in _files(draft):
                _sync(file)
        if path.is_dir() and not path.is_symlink():
            remove(path)
        os.replace(draft, path)
        if synced:
            _sync(path.parent)
    finally:
        with contextlib.suppress(OSError):
            remove(draft)


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8, wholly or not at all."""
    with replaced(path) as draft:
        draft.write_text(text, encoding="utf-8")


def digest(path: Path) -> str:
    """Return the SHA-256 of a file's content."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            found.update(block)
    return found.hexdigest()


def remove(path: Path) -> None:
    """Delete a file or a folder with all that it holds, if it is there; of a symbolic link the link alone."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _files(path: Path) -> Iterator[Path]:
    """Yield a file, or the files and folders in a folder and itself."""
    if path.is_dir():
        for folder, _, names in os.walk(path):
            yield from (Path(folder, name) for name in names)
            yield Path(folder)
    else:
        yield path


def _sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
