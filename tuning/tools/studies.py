"""Studies as things: renamed, cleaned up, removed.

Owns what is done to a study as a whole when nobody searches it; its folder is locked meanwhile.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from tuning.errors import StudyError, raise_all, whole_number
from tuning.records.trial import State
from tuning.storage.folder import CHECKPOINTS, delete_files
from tuning.storage.lock import LOCK, locked, refuse_if_locked
from tuning.storage.store import Store
from tuning.study import Study
from tuning.training import checkpoints


def remove(path: Path, storage: str | None = None) -> None:
    """Delete a study: what it has written into its folder, and its rows in a database elsewhere.

    Raises:
        StudyError: it is being searched.
    """
    with locked(path):
        if storage is not None:
            with contextlib.closing(Store.of(path, storage, exclusive=True)) as store:
                store.delete()
        delete_files(path)
    with contextlib.suppress(OSError):  # what others have put there stays
        (path / LOCK).unlink(missing_ok=True)
        path.rmdir()


def rename(path: Path, name: str) -> Path:
    """Give a study another name, that of its folder; return where it is.

    Raises:
        StudyError: it is being searched, or there is something of that name.
    """
    if not name or name in (".", "..") or Path(name).name != name:
        raise StudyError(f"`name` must be the name of a folder, but got {name!r}.")
    target = path.with_name(name)
    if target.exists():
        raise StudyError(f"`name` must be new, but {target} exists. Choose another, or remove that one.")
    refuse_if_locked(path)
    path.rename(target)
    return target


def clean(path: Path, keep: int, storage: str | None = None) -> list[int]:
    """Delete the weights of all but the best trials; what unfinished trials go on from stays.

    Args:
        path: the study's folder.
        keep: number of best trials whose weights stay; those of the Pareto set stay besides.
        storage: URL of its database, where it is not the file in the folder.

    Returns:
        The trials whose weights were deleted.

    Raises:
        StudyError: it is being searched.
    """
    raise_all(whole_number("keep", keep, 0))
    with locked(path):
        study = Study(path, storage=storage)
        starts = {
            (trial.number, index): training.checkpoint
            for trial in study.trials
            if trial.state is State.RUNNING
            for index, training in enumerate(trial.trainings)
        }
        best = [trial.number for trial in [*(study.top(keep) if keep else []), *study.pareto]]
        before = checkpoints.kept_trials(path / CHECKPOINTS)
        checkpoints.prune(path / CHECKPOINTS, best, lambda number, training: starts.get((number, training)))
        kept = checkpoints.kept_trials(path / CHECKPOINTS)
        weights = (path / CHECKPOINTS).glob("*.best.weights.h5")
        for whole in {*(path / CHECKPOINTS).glob("*.keras")} - {*map(checkpoints.whole_path, weights)}:
            whole.unlink(missing_ok=True)
        return sorted({*before} - {*kept})
