"""Finding the studies of a folder."""

from __future__ import annotations

from pathlib import Path

from tuning.errors import StudyError
from tuning.storage.folder import DATABASE


def find_studies(logs: str | Path) -> list[Path]:
    """Return the folders of all studies below `logs`, by name; those that cannot be looked into are among them.

    Raises:
        StudyError: `logs` is there, but cannot be read.
    """
    try:
        folders = sorted(path for path in Path(logs).iterdir() if path.is_dir()) if Path(logs).is_dir() else []
    except OSError as error:
        raise StudyError(f"`logs` must be a folder that can be read, but got: {error}.") from None
    return [path for path in folders if _may_be_study(path)]


def _may_be_study(path: Path) -> bool:
    try:
        return (path / DATABASE).exists()
    except PermissionError:
        return True
