"""The file names of a study's folder.

Owns what a study leaves behind and where; `tuning.tensorboard.layout` names what is inside its folder, and
`tuning.training.checkpoints` the files of weights.
"""

from __future__ import annotations

from pathlib import Path

DATABASE = "trials.db"
CHECKPOINTS = "checkpoints"
TENSORBOARD = "tensorboard"
CALLBACKS = "callbacks"
FINAL_MODEL = "final"
MODEL_FILE = "model.keras"
REPORT = "report.html"


def study_files(path: Path) -> list[str]:
    """Return the names of what a study has written into its folder."""
    database = (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm")
    own = (*database, CHECKPOINTS, TENSORBOARD, CALLBACKS, FINAL_MODEL, REPORT)
    return [name for name in own if (path / name).exists()]
