"""The file names of a study's folder.

Owns what a study leaves behind and where; `tuning.tensorboard.layout` names what is inside its folder, and
`tuning.training.checkpoints` the files of weights.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

DATABASE = "trials.db"
CHECKPOINTS = "checkpoints"
TENSORBOARD = "tensorboard"
CALLBACKS = "callbacks"
OUTPUT = "output"
FINAL_MODEL = "final"
MODEL_FILE = "model.keras"
REPORT = "report.html"
SOURCE = "space.txt"


def study_files(path: Path) -> list[str]:
    """Return the names of what a study has written into its folder."""
    database = (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm")
    own = (*database, CHECKPOINTS, TENSORBOARD, CALLBACKS, OUTPUT, FINAL_MODEL, REPORT, SOURCE)
    return [name for name in own if os.path.lexists(path / name)]


def output_path(path: Path, number: int, training: str = "") -> Path:
    """Return the file for what a trial prints in worker processes; one of its own for each of its trainings."""
    return path / OUTPUT / f"trial_{number:04d}{f'.{training}' if training else ''}.txt"


def outputs(path: Path, number: int | None = None) -> list[Path]:
    """Return the files in which something that was printed has been kept: of one trial, or of all."""
    pattern = "trial_*.txt" if number is None else f"trial_{number:04d}*.txt"
    return sorted((path / OUTPUT).glob(pattern))


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
