"""Files of a study between the driver and machines that do not see its folder.

Owns which files go where, and finding out who sees the folder. What a machine has written is here before the message is
handled that speaks of it; what a training goes on from is there before it begins.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from tuning.errors import StudyError
from tuning.executors.cluster import files
from tuning.executors.cluster.link import Link
from tuning.executors.cluster.slots import Slot
from tuning.executors.cluster.wire import Put, Tidy
from tuning.files import replaced
from tuning.training import checkpoints
from tuning.training.messages import Report, Task


class Transfer:
    """What one search sends and gets.

    Args:
        link: to the machines.
        path: the study's folder, which need not exist; None where tasks write no files.
    """

    def __init__(self, link: Link, path: Path | None) -> None:
        self._link, self._path = link, path
        self.probe = None if path is None else probe_of(path)

    def close(self) -> None:
        if self.probe is not None:
            Path(self.probe[0]).unlink(missing_ok=True)

    def seen_from(self, slot: Slot, task: Task) -> Task:
        """Return the task with the paths that its machine is to use."""
        if slot.sees or self._path is None:
            return task
        names = ("folder", "files", "log_folder", "output")
        given = {name: Path(value) for name in names if (value := getattr(task, name)) is not None}
        there: dict[str, Any] = {n: str(Path(slot.folder) / p.relative_to(self._path)) for n, p in given.items()}
        return replace(task, **there)

    def push(self, slot: Slot, task: Task) -> None:
        """Send the checkpoint that a task goes on from, and what its callbacks have written before."""
        if slot.sees or self._path is None:
            return
        self._link.tell(slot.name, Tidy())
        if task.trained and task.folder is not None:
            found = [
                checkpoints.epoch_path(task.folder, task.stem, task.trained),
                *checkpoints.best_paths(task.folder, task.stem),
                *([] if task.output is None else [Path(task.output)]),
                *(Path(task.files).rglob("*") if task.files is not None else ()),
            ]
            there = [path for path in found if path.is_file()]
            self._link.tell_all(slot.name, lambda: self._puts(there))

    def _puts(self, paths: Iterable[Path]) -> Iterator[Put]:
        for path in paths:
            with contextlib.suppress(OSError), path.open("rb") as file:
                for position, content in files.pieces(file):
                    yield Put(path.relative_to(self._path or path).as_posix(), position, content)

    def pull(self, slot: Slot, found: Iterable[tuple[str, int]]) -> None:
        """Fetch files of an agent's into the study.

        Raises:
            OSError: they cannot be had from there.
            StudyError: they cannot be written here.
        """
        if slot.sees or self._path is None:
            return
        for name, size in found:
            self._pull(slot, name, size, files.inside(self._path, name))

    def _pull(self, slot: Slot, name: str, size: int, path: Path) -> None:
        try:
            with replaced(path) as draft, draft.open("wb") as file:
                try:
                    self._link.fetch(slot.name, name, size, file)
                except OSError as error:
                    raise _NotThere(str(error)) from error
        except _NotThere as error:
            raise OSError(str(error)) from error
        except OSError as error:
            raise StudyError(
                f"{path} could not be written: {error}. What was trained before is stored; free some space, and the "
                "same command goes on where it was."
            ) from error

    def recorded(self, slot: Slot, task: Task, message: Report) -> None:
        """Delete what a checkpoint has replaced, now that it is recorded, as the machine does with its own files."""
        if message.checkpoint and not slot.sees and self._path is not None and task.folder is not None:
            checkpoints.is_recorded(task.folder, task.stem, message.epoch + 1)


class _NotThere(Exception):
    """A file cannot be had from a machine."""


def probe_of(path: Path) -> tuple[str, str] | None:
    """Write a file by which machines find out whether they see the folder of a study; None where that cannot be done.

    The folder need not exist yet, so it lies in the first one above it that does.
    """
    folder = next((one for one in (path.parent, *path.parents) if one.is_dir()), None)
    text = os.urandom(16).hex()
    if folder is None:
        return None
    probe = folder / f".tuning-probe-{text[:8]}"
    try:
        probe.write_text(text, encoding="utf-8")
    except OSError:
        return None
    return str(probe), text
