"""What a trial prints in a worker process: shown as ever, and kept in a file of the study.

Owns that file's form. What other programs print, or libraries past Python, is shown and not kept.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def kept(path: str | None, heading: str) -> Iterator[None]:
    """Append what is printed to a file, which is made when there is something; None keeps nothing.

    Args:
        path: of the file.
        heading: of what follows; time and machine are added.
    """
    if path is None:
        yield
        return
    file = _File(Path(path), f"--- {heading}, {time.strftime('%Y-%m-%d %H:%M:%S')}, {socket.gethostname()}\n")
    with (
        contextlib.closing(file),
        contextlib.redirect_stdout(_Both(sys.stdout, file)),
        contextlib.redirect_stderr(_Both(sys.stderr, file)),
    ):
        yield


class _File:
    """The file, opened with the first text. A disk that is full is no reason to end a training."""

    def __init__(self, path: Path, heading: str) -> None:
        self._path, self._heading = path, heading
        self._descriptor: int | None = None

    def add(self, text: str) -> None:
        with contextlib.suppress(OSError):
            if self._descriptor is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
                self._descriptor = os.open(self._path, flags, 0o666)
                text = self._heading + text
            os.write(self._descriptor, text.encode("utf-8", "replace"))

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class _Both:
    """A stream that also writes to the file; in all else it is the stream."""

    def __init__(self, stream: Any, file: _File) -> None:
        self._stream, self._file = stream, file

    def write(self, text: str) -> int:
        self._file.add(text)
        return int(self._stream.write(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
