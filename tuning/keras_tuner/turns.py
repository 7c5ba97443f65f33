"""Places that every trial writes to, had by one trial at a time while several are trained.

Owns which callbacks of Keras's have such a place, and how a trial waits for it. Knows nothing of a program's own
callbacks, and of what it writes by hand.
"""

from __future__ import annotations

import fcntl
import os
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

_PLACES = {
    "BackupAndRestore": "backup_dir",
    "CSVLogger": "filename",
    "ModelCheckpoint": "filepath",
    "OrbaxCheckpoint": "directory",
}
"""Callbacks that write to the same place in every trial, and their attribute that says where."""


def kind_of(callback: Any) -> str | None:
    """Name the callback of Keras's that writes to the same place in every trial; None for any other."""
    return next((kind.__name__ for kind in type(callback).__mro__ if kind.__name__ in _PLACES), None)


def is_written_whole(callback: Any) -> bool:
    """Tell whether a callback leaves a whole file each time, so that trials need not wait for each other's ends."""
    return kind_of(callback) == "ModelCheckpoint" and callback.save_freq == "epoch"


class Turns:
    """The places that one trial has to itself.

    A place is a byte of one lock file, and the lock is the kernel's, which gives back what a killed process had.

    Args:
        lock: the file, the same one in all processes.
        is_read: whether code of the program's own may read what a training of the trial has written.
    """

    def __init__(self, lock: Path, is_read: bool) -> None:
        self._lock, self._is_read = lock, is_read
        self._file: BinaryIO | None = None
        self._had: set[int] = set()

    @contextmanager
    def taken(self, callbacks: Sequence[Any]) -> Iterator[None]:
        """Wait for the places of a training's callbacks, which are the trial's until it ends.

        What is written whole and read by nobody is waited for each time that it is written.
        """
        writers = sorted((_place_of(callback), index) for index, callback in enumerate(callbacks) if kind_of(callback))
        single = []
        for place, index in writers:  # in one order, so that no two trials wait for each other
            if is_written_whole(callbacks[index]) and not self._is_read:
                callbacks[index].on_epoch_end = self._alone(callbacks[index].on_epoch_end, place)
                single.append(callbacks[index])
            else:
                self._had |= self._take(place)
        try:
            yield
        finally:
            for callback in single:
                del callback.on_epoch_end

    def end(self) -> None:
        """Give all places back."""
        if self._file is not None:
            self._file.close()
        self._file = None
        self._had.clear()

    def _alone(self, genuine: Callable[..., None], place: str) -> Callable[..., None]:
        def on_epoch_end(epoch: int, logs: Any = None) -> None:
            taken = self._take(place)
            try:
                genuine(epoch, logs)
            finally:
                for byte in taken:
                    fcntl.lockf(self._opened(), fcntl.LOCK_UN, 1, byte)

        return on_epoch_end

    def _take(self, place: str) -> set[int]:
        """Wait until no other trial has a place; return the byte that was locked, or nothing."""
        byte = zlib.crc32(place.encode())
        if byte in self._had:
            return set()
        try:
            fcntl.lockf(self._opened(), fcntl.LOCK_EX, 1, byte)
        except OSError as error:  # trials wait for each other's places, or there are no locks on this disk
            warnings.warn(f"other trials may write to {place} at the same time: {error}", stacklevel=2)
            return set()
        return {byte}

    def _opened(self) -> BinaryIO:
        if self._file is None:
            self._file = self._lock.open("ab")
        return self._file


def _place_of(callback: Any) -> str:
    place: str | os.PathLike[str] = getattr(callback, _PLACES[str(kind_of(callback))])
    return os.path.abspath(place)
