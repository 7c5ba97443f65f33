"""Checkpoints: weights and optimizer state of trials, as files of one folder.

Owns the file names, atomic writing, reading, and deleting what nobody needs. Two kinds exist: `best` holds
the epoch of the recorded score; `epoch_N` holds the last epoch, from which a later run goes on. Does not
know which trials deserve to be kept.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

SUFFIX = ".weights.h5"
_PATTERN = re.compile(r"trial_(\d+)\.(best|epoch_\d+)\.weights\.h5")


def best_path(folder: str | Path, number: int) -> Path:
    """Return the file of the trial's best epoch."""
    return Path(folder) / f"trial_{number:04d}.best{SUFFIX}"


def epoch_path(folder: str | Path, number: int, epochs: int) -> Path:
    """Return the file of the trial after `epochs` epochs."""
    return Path(folder) / f"trial_{number:04d}.epoch_{epochs}{SUFFIX}"


def save(model: Any, path: Path) -> None:
    """Write weights and optimizer state to `path`, wholly or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name.removesuffix(SUFFIX)}.{os.getpid()}.tmp{SUFFIX}")
    try:
        model.save_weights(draft)
        with open(draft, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def save_epoch(model: Any, folder: str | Path, number: int, epochs: int) -> None:
    """Write the trial's last epoch, then delete its earlier ones."""
    save(model, epoch_path(folder, number, epochs))
    for path in Path(folder).glob(f"trial_{number:04d}.epoch_*{SUFFIX}"):
        if path != epoch_path(folder, number, epochs):
            path.unlink(missing_ok=True)


def restore(model: Any, path: Path) -> None:
    """Load weights, and optimizer state where the model has an optimizer, into a built model."""
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None and not optimizer.built:
        optimizer.build(model.trainable_variables)
    model.load_weights(path)


def prune(folder: str | Path, best: Iterable[int], unfinished: Callable[[int], bool]) -> None:
    """Delete what nobody needs.

    Args:
        folder: the study's checkpoints; need not exist.
        best: trials whose best epoch is kept.
        unfinished: tells whether a trial may be continued, so that all of its files are kept.
    """
    kept = set(best)
    for path in Path(folder).glob(f"*{SUFFIX}"):
        match = _PATTERN.fullmatch(path.name)
        if match is None:
            continue
        number = int(match[1])
        if not unfinished(number) and not (match[2] == "best" and number in kept):
            path.unlink(missing_ok=True)
