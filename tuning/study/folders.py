"""Studies by their folders: finding them, opening one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tuning.data import Data
from tuning.errors import StudyError, briefly, must
from tuning.storage.folder import DATABASE
from tuning.study.study import Study


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


@briefly
def load(
    path: str | Path, space: Any = None, storage: str | None = None, data: Data | None = None, trust: bool = False
) -> Study:
    """Open a study by its folder.

    Args:
        path: such as `logs/fashion_mnist-optuna`.
        space: needed to rebuild models when the study searched a space that was made in a program: the same
            `SearchSpace`, `HyperModel` or `build_model(hp)` function, instance or class, or the name of one.
        storage: URL of its database, where it is not the file in the folder.
        data: needed to evaluate models when the study searched data that were given to `search`.
        trust: run the code that the study names as its space, although others have made the study.

    Raises:
        StudyError: there is no study.
    """
    return Study(path, space, data, storage, trust)


def checked(study: Any) -> Study:
    """Return the study that was given.

    Raises:
        StudyError: it is something else, such as the path of one.
    """
    if not isinstance(study, Study):
        raise StudyError(must("study", "be a study, as tuning.search and tuning.load return it", study))
    return study
