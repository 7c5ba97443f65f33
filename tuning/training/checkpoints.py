"""Checkpoints: weights and optimizer state of trials, as files of one folder.

Owns the file names, writing, reading, and deleting what nobody needs. Two kinds exist: `best` holds
the epoch of the recorded score; `epoch_N` holds the last epoch, from which a later run goes on. A trial with parts
(folds, repeats) has files of its own for each: `part` is its number there, and None for any other trial. Does not
know which trials deserve to be kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tuning.errors import StudyError
from tuning.files import replaced

SUFFIX = ".weights.h5"
_PATTERN = re.compile(
    r"trial_(?P<number>\d+)(?:\.part_(?P<part>\d+))?\.(?P<kind>best|epoch_(?P<epochs>\d+))(?P<draft>\.tmp)?\.weights\.h5"
)


def best_path(folder: str | Path, number: int, part: int | None = None) -> Path:
    """Return the file of the trial's best epoch."""
    return Path(folder) / f"{_stem(number, part)}.best{SUFFIX}"


def epoch_path(folder: str | Path, number: int, epochs: int, part: int | None = None) -> Path:
    """Return the file of the trial after `epochs` epochs."""
    return Path(folder) / f"{_stem(number, part)}.epoch_{epochs}{SUFFIX}"


def _stem(number: int, part: int | None) -> str:
    return f"trial_{number:04d}" if part is None else f"trial_{number:04d}.part_{part}"


def kept_trials(folder: str | Path) -> list[int]:
    """Return the numbers of the trials that have a file of their best epoch."""
    matches = (_PATTERN.fullmatch(path.name) for path in Path(folder).glob(f"*.best{SUFFIX}"))
    return sorted({int(match["number"]) for match in matches if match and not match["draft"]})


def save(model: Any, path: Path) -> None:
    """Write weights and optimizer state to `path`, wholly or not at all.

    Raises:
        StudyError: the file cannot be written.
    """
    draft = path.with_name(f"{path.name.removesuffix(SUFFIX)}.tmp{SUFFIX}")
    try:
        with replaced(path, draft):
            model.save_weights(draft)
    except OSError as error:
        raise StudyError(
            f"the checkpoint {path} could not be written: {error}. What was trained before is stored; free some "
            "space, and the same command goes on where it was."
        ) from error


def save_epoch(model: Any, folder: str | Path, number: int, epochs: int, part: int | None = None) -> None:
    """Write the trial's last epoch beside its earlier ones."""
    save(model, epoch_path(folder, number, epochs, part))


def delete_other_epochs(folder: str | Path, number: int, epochs: int, part: int | None = None) -> None:
    """Delete all files of a trial's last epochs but one."""
    for path in Path(folder).glob(f"{_stem(number, part)}.epoch_*{SUFFIX}"):
        if path != epoch_path(folder, number, epochs, part):
            path.unlink(missing_ok=True)


def restore(model: Any, path: Path) -> None:
    """Load weights, and optimizer state where the model has an optimizer, into a built model."""
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None and not optimizer.built:
        optimizer.build(model.trainable_variables)
    model.load_weights(path)


def prune(folder: str | Path, best: Iterable[int], goes_on_from: Callable[[int, int | None], int | None]) -> None:
    """Delete what nobody needs.

    Args:
        folder: the study's checkpoints; need not exist.
        best: trials whose best epoch is kept.
        goes_on_from: gives for a trial (and part) that may be continued the epochs in the checkpoint that it would
            start from, and None for one that is finished. Later epochs are kept: they are just being written.
    """
    kept = set(best)
    for path in Path(folder).glob(f"*{SUFFIX}"):
        match = _PATTERN.fullmatch(path.name)
        if match is None:
            continue
        number, kind, epochs = int(match["number"]), match["kind"], int(match["epochs"] or 0)
        start = goes_on_from(number, None if match["part"] is None else int(match["part"]))
        if start is not None:
            needed = kind == "best" or epochs >= start
        else:
            needed = kind == "best" and number in kept and not match["draft"]
        if not needed:
            path.unlink(missing_ok=True)
