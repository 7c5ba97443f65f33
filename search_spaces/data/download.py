"""Run another library's download with a bounded wait.

Owns the bound and the quiet: loaders of Keras and scikit-learn wait without end for a network that swallows
packets, and Keras reports its progress on standard output, where `--json` must print alone.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from tuning.errors import DataError

STALL_SECONDS = 30.0
"""A download ends in an error when nothing has arrived for so long, however many addresses are left to try."""

SOCKET_SECONDS = 15.0
"""A single connection or read may take so long; the loader then removes its half of a file itself."""


def download(load: Callable[[], Any], folders: Iterable[Path], stall_seconds: float | None = None) -> Any:
    """Return `load()`; a slow download may take its time, one that stands still may not.

    Args:
        load: downloads into one of `folders` and returns the data.
        folders: where files grow while data arrives.
        stall_seconds: seconds without growth after which to give up; None for `STALL_SECONDS`.

    Raises:
        DataError: `load` failed or stood still; the text is the reason alone, for a sentence of the caller.
    """
    limit = STALL_SECONDS if stall_seconds is None else stall_seconds
    outcome: list[tuple[Any, BaseException | None]] = []

    def run() -> None:
        try:
            outcome.append((load(), None))
        except BaseException as error:  # raised again below, in the thread that waits
            outcome.append((None, error))

    # A daemon, because a thread that hangs in the network cannot be ended: it must not keep the program open.
    thread = threading.Thread(target=run, name="tuning-download", daemon=True)
    with _quiet_and_impatient():
        thread.start()
        if not _wait(thread, list(folders), limit):
            raise DataError(f"no data arrived for {limit:g} seconds")
    result, error = outcome[0]
    if isinstance(error, Exception):
        raise DataError(" ".join(f"{type(error).__name__}: {error}".split())) from error
    if error is not None:
        raise error
    return result


def _wait(thread: threading.Thread, folders: list[Path], limit: float) -> bool:
    """Wait for the thread; return False when the folders have not grown for `limit` seconds."""
    size, since = _size(folders), time.monotonic()
    while thread.is_alive():
        thread.join(min(0.2, limit))
        if (now := _size(folders)) != size:
            size, since = now, time.monotonic()
        elif time.monotonic() - since > limit and thread.is_alive():
            return False
    return True


def _size(folders: list[Path]) -> int:
    """Return the bytes of the files that lie directly in the folders."""
    total = 0
    for folder in folders:
        with contextlib.suppress(OSError):  # files are renamed and removed meanwhile
            total += sum(entry.stat().st_size for entry in os.scandir(folder))
    return total


@contextlib.contextmanager
def _quiet_and_impatient() -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SOCKET_SECONDS)
    try:
        with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "Retry downloading from ..."; the error says it all
            yield
    finally:
        socket.setdefaulttimeout(before)
