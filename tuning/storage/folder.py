"""The file names of a study's folder.

Owns what a study leaves behind and where; `tuning.tensorboard.layout` names what is inside its folder, and
`tuning.training.checkpoints` the files of weights.
"""

from __future__ import annotations

import shutil
from pathlib import Path

DATABASE = "trials.db"
CHECKPOINTS = "checkpoints"
TENSORBOARD = "tensorboard"
CALLBACKS = "callbacks"
FINAL_MODEL = "final"
MODEL_FILE = "model.keras"
REPORT = "report.html"
SOURCE = "space.txt"


def study_files(path: Path) -> list[str]:
    """Return the names of what a study has written into its folder."""
    database = (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm")
    own = (*database, CHECKPOINTS, TENSORBOARD, CALLBACKS, FINAL_MODEL, REPORT, SOURCE)
    return [name for name in own if (path / name).exists()]


def delete_files(path: Path) -> None:
    """Delete everything that a study has written into its folder, and nothing else there."""
    for name in study_files(path):
        target = path / name
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)


def size_of(path: Path) -> int:
    """Return the bytes of the files in a study's folder."""
    return sum(file.lstat().st_size for file in path.rglob("*") if file.is_file() and not file.is_symlink())
