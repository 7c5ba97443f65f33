"""Where things lie below a study's `tensorboard/` folder, and which of them are ours to delete.

Owns the folders' names, looking them over, and removing what was written here while leaving alone what a
user's own callbacks wrote. What the files say is not known here.

A session is one training of a trial. A trial that is trained once has one, in its own folder. Of one with folds
or repeats each training is a session: a folder within the trial's, named after it, that looks the same inside.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tuning.tensorboard.writer import SUFFIX, label_of

EXPERIMENT = "_experiment"
RUNNING = "running"
LOG = "log"
_TRIAL = re.compile(r"trial_(\d{4,})")


@dataclass(frozen=True)
class Found:
    """What a trial's folder holds at a glance: labels of finished sessions' files, and whether one is running."""

    labels: tuple[str, ...] = ()
    is_running: bool = False


class Layout:
    """The folders of one study.

    Args:
        root: the study's `tensorboard/` folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def experiment(self) -> Path:
        return self.root / EXPERIMENT

    def trial(self, number: int) -> Path:
        """Return the folder with everything about one trial."""
        return self.root / f"trial_{number:04d}"

    def session(self, number: int, training: str = "") -> Path:
        """Return the folder of one training of a trial."""
        return self.trial(number) / training

    def running(self, number: int, training: str = "") -> Path:
        """Return the folder that stands in for a session until it ends."""
        return self.session(number, training) / RUNNING

    def curves(self, number: int, split: str, training: str = "") -> Path:
        """Return the folder of a session's curves; `split` is train or validation."""
        return self.session(number, training) / split

    def log(self, number: int, training: str = "") -> Path:
        """Return the folder of what was asked for besides, and of what a space itself writes."""
        return self.session(number, training) / LOG

    def trials(self) -> dict[int, Found]:
        """Look over the folders of all trials; one short look into each."""
        return {number: _look(entry.path) for number, entry in self._trial_folders()}

    def look(self, number: int, training: str) -> Found:
        """Look over the folder of one session."""
        return _look(str(self.session(number, training)))

    def links(self) -> Iterator[tuple[str, Path]]:
        """Yield (name, folder) of every trial."""
        for _, entry in self._trial_folders():
            yield entry.name, Path(entry.path)

    def _trial_folders(self) -> Iterator[tuple[int, os.DirEntry[str]]]:
        for entry in _entries(self.root):
            match = _TRIAL.fullmatch(entry.name)
            if match and entry.is_dir():
                yield int(match[1]), entry


def remove_ours(folder: Path | str) -> None:
    """Delete the files written here below `folder`, and every folder that is empty then."""
    for entry in _entries(folder):
        if entry.is_dir(follow_symlinks=False):
            remove_ours(entry.path)
        elif entry.name.endswith(SUFFIX):
            os.unlink(entry.path)
    with contextlib.suppress(OSError):  # holds something of the user's, or is not there at all
        os.rmdir(folder)


def our_files(folder: Path) -> Iterator[Path]:
    """Yield the event files written here below `folder`."""
    for entry in _entries(folder):
        if entry.is_dir(follow_symlinks=False):
            yield from our_files(Path(entry.path))
        elif entry.name.endswith(SUFFIX) and "tfevents" in entry.name:
            yield Path(entry.path)


def _look(folder: str) -> Found:
    entries = _entries(folder)
    labels = tuple(label for entry in entries if (label := label_of(entry.name)) and entry.stat().st_size)
    return Found(labels, any(entry.name == RUNNING for entry in entries))


def _entries(folder: Path | str) -> Iterable[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []
