"""Checkpoints: weights and optimizer state of trials, with shapes and vocabularies, as files of one folder.

Owns the file names, writing, reading, and deleting what nobody needs. Two kinds exist: `best` holds
the epoch of the recorded score; `epoch_N` holds the last epoch, from which a later run goes on. While a new best epoch
is written but not recorded yet, `before` holds the recorded one. Each of a trial's
trainings has files of its own; a stem is what their names begin with, and says so in a study with folds or repeats.
Does not know which trials deserve to be kept.
"""

from __future__ import annotations

import re
import shutil
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from tuning.errors import StudyError
from tuning.files import replaced
from tuning.training.shapes import build, is_keras_model, shapes_of
from tuning.training.vocabularies import give, vocabularies_of

SUFFIX = ".weights.h5"
_SHAPES = "tuning_shapes"
_VOCABULARIES = "tuning_vocabularies"
_EPOCH = "tuning_epoch"
"""Where they lie in a file, beside what Keras has written."""

_PATTERN = re.compile(
    r"trial_(?P<number>\d+)(?:\.part_(?P<training>\d+))?\.(?P<kind>best|before|epoch_(?P<epochs>\d+))(?P<draft>\.tmp)?\.weights\.h5"
)


def stem(number: int, training: int = 0, is_divided: bool = False) -> str:
    """Return what the names of a training's files begin with.

    Args:
        number: the trial's.
        training: which of the trial's trainings it is.
        is_divided: whether the study has folds or repeats.
    """
    return f"trial_{number:04d}.part_{training}" if is_divided else f"trial_{number:04d}"


def best_path(folder: str | Path, stem: str) -> Path:
    """Return the file of a training's best epoch."""
    return Path(folder) / f"{stem}.best{SUFFIX}"


def best_paths(folder: str | Path, stem: str) -> tuple[Path, Path]:
    """Return the files, of which one may be missing, that hold the recorded best epoch of a training."""
    return best_path(folder, stem), _before_path(folder, stem)


def recorded_best(folder: str | Path, stem: str, epoch: int | None) -> Path | None:
    """Return the file that holds the recorded best epoch of a training; None where there is none.

    A file that does not say its epoch, such as one of an earlier version, is taken for what its name says.
    """
    for path in best_paths(folder, stem):
        if path.is_file() and epoch_in(path) in (None, epoch):
            return path
    return None


def _before_path(folder: str | Path, stem: str) -> Path:
    return Path(folder) / f"{stem}.before{SUFFIX}"


def save_best(model: Any, folder: str | Path, stem: str, epoch: int) -> None:
    """Write a training's best epoch (from 0), and keep the one before until `is_recorded` says that this is known."""
    path = best_path(folder, stem)
    if path.is_file():
        path.replace(_before_path(folder, stem))
    save(model, path, epoch)


def put_back(folder: str | Path, stem: str, epoch: int | None) -> bool:
    """Make the file of the best epoch that of the recorded one again; tell whether there is one."""
    found = recorded_best(folder, stem, epoch)
    if found is None:
        return False
    found.replace(best_path(folder, stem))
    return True


def is_recorded(folder: str | Path, stem: str, epochs: int) -> None:
    """Delete what came before, now that a training's checkpoint after `epochs` epochs is recorded."""
    _before_path(folder, stem).unlink(missing_ok=True)
    delete_other_epochs(folder, stem, epochs)


def whole_path(weights: Path) -> Path:
    """Return the file that holds the whole model, beside one that holds the weights of its best epoch."""
    return weights.with_name(f"{weights.name.removesuffix(f'.best{SUFFIX}')}.keras")


def epoch_path(folder: str | Path, stem: str, epochs: int) -> Path:
    """Return the file of a training after `epochs` epochs."""
    return Path(folder) / f"{stem}.epoch_{epochs}{SUFFIX}"


def kept_trials(folder: str | Path) -> list[int]:
    """Return the numbers of the trials that have a file of their best epoch."""
    matches = (_PATTERN.fullmatch(path.name) for path in Path(folder).glob(f"*.best{SUFFIX}"))
    return sorted({int(match["number"]) for match in matches if match and not match["draft"]})


def save(model: Any, path: Path, epoch: int | None = None) -> None:
    """Write weights and optimizer state to `path`, wholly or not at all, with the epoch that they are of.

    Raises:
        StudyError: the file cannot be written.
    """
    draft = _draft_of(path)
    try:
        with replaced(path, draft):
            if is_keras_model(model) and not model.built and model.weights:
                model.built = True  # its parts are: a model without a `call` never gets to know
            model.save_weights(draft)
            if is_keras_model(model):
                _add_ours(model, draft, epoch)
    except OSError as error:
        raise StudyError(
            f"the checkpoint {path} could not be written: {error}. What was trained before is stored; free some "
            "space, and the same command goes on where it was."
        ) from error


def _draft_of(path: Path) -> Path:
    return path.with_name(f"{path.name.removesuffix(SUFFIX)}.tmp{SUFFIX}")


def save_epoch(model: Any, folder: str | Path, stem: str, epochs: int) -> None:
    """Write a training's last epoch beside its earlier ones."""
    save(model, epoch_path(folder, stem, epochs))


def take_over(folder: str | Path, source: str, epochs: int, stem: str, own: int) -> None:
    """Put another training's last epoch in the place of an own one, wholly or not at all.

    Args:
        folder: of the study.
        source, epochs: the other training's stem, and the epochs in its file.
        stem, own: the same of the training that goes on with it.

    Raises:
        StudyError: the file is not there, or cannot be written.
    """
    path = epoch_path(folder, stem, own)
    try:
        with replaced(path, _draft_of(path)) as draft:
            shutil.copyfile(epoch_path(folder, source, epochs), draft)
    except OSError as error:
        raise StudyError(f"the checkpoint {path} could not be written: {error}.") from error


def delete_other_epochs(folder: str | Path, stem: str, epochs: int) -> None:
    """Delete all files of a training's last epochs but one."""
    for path in Path(folder).glob(f"{stem}.epoch_*{SUFFIX}"):
        if path != epoch_path(folder, stem, epochs):
            path.unlink(missing_ok=True)


def restore(model: Any, path: Path) -> None:
    """Load weights, and optimizer state where the model has an optimizer.

    The model is built for the shapes in the file where it is not built. An optimizer that is not the one in the file,
    because `fit` has compiled the model anew, stays fresh.
    """
    known = shapes_in(path)
    if known is not None:
        build(model, known)
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None and not optimizer.built:
        optimizer.build(model.trainable_variables)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Skipping variable loading for optimizer")
        model.load_weights(path)
    learned = _text_in(path, _VOCABULARIES)
    if learned is not None:
        give(model, learned)


def shapes_in(path: Path) -> str | None:
    """Return what `shapes_of` gave for the model in a file; None in one of an earlier version."""
    return _text_in(path, _SHAPES)


def _text_in(path: Path, name: str) -> str | None:
    import h5py

    with h5py.File(path, "r") as file:
        return bytes(file[name][()]).decode() if name in file else None


def epoch_in(path: Path) -> int | None:
    """Return the epoch of the weights in a file; None where it does not say, or cannot be read."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return int(file[_EPOCH][()]) if _EPOCH in file else None
    except (OSError, ValueError, TypeError):
        return None


def _add_ours(model: Any, path: Path, epoch: int | None) -> None:
    import h5py

    with h5py.File(path, "a") as file:
        file[_SHAPES] = np.void(shapes_of(model).encode())
        learned = vocabularies_of(model)
        if learned is not None:
            file[_VOCABULARIES] = np.void(learned.encode())
        if epoch is not None:
            file[_EPOCH] = epoch


def delete(folder: str | Path, stem: str, epochs: Iterable[int], best: bool) -> None:
    """Delete those files of a training that there are: after so many epochs, and of the best one if `best`."""
    paths = [epoch_path(folder, stem, n) for n in epochs] + ([best_path(folder, stem)] if best else [])
    for path in (*paths, _before_path(folder, stem)):
        path.unlink(missing_ok=True)
        _draft_of(path).unlink(missing_ok=True)


def prune(folder: str | Path, best: Iterable[int], goes_on_from: Callable[[int, int], int | None]) -> None:
    """Delete what nobody needs, looking at all that there is.

    Args:
        folder: the study's checkpoints; need not exist.
        best: trials whose best epoch is kept.
        goes_on_from: gives for a trial's training that may be continued the epochs in the checkpoint that it would
            start from, and None for one that is finished. Later epochs are kept: they are just being written.
    """
    kept = set(best)
    for path in Path(folder).glob(f"*{SUFFIX}"):
        match = _PATTERN.fullmatch(path.name)
        if match is None:
            continue
        number, kind, epochs = int(match["number"]), match["kind"], int(match["epochs"] or 0)
        start = goes_on_from(number, int(match["training"] or 0))
        if start is not None:
            needed = kind in ("best", "before") or epochs >= start
        else:
            needed = kind == "best" and number in kept and not match["draft"]
        if not needed:
            path.unlink(missing_ok=True)
