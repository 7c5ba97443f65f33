"""What the trainings of a trial that is under way leave behind, for being gone on with after a kill.

Owns those files, in a folder of the trial's: after an epoch, and after each training that has ended, the model, what
its callbacks remember, the metrics of its epochs, and the weights that KerasTuner takes for the best so far. A training
is known by its place among the trial's calls of `model.fit`, which are the same ones when the trial is run again.
"""

from __future__ import annotations

import json
import shutil
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tuning.errors import one_line
from tuning.files import remove, replaced
from tuning.training import checkpoints

SHARE = 0.05
"""Most of a trial's time that goes into these files."""

_FIRST_SECONDS = 0.02
"""What writing is taken to last until it has been seen."""

_FOLDER, _DRAFT, _ENDED = "under_way", ".unfinished", "ended"
_MODEL, _RECORD, _ARRAYS, _BEST = "model.weights.h5", "record.json", "arrays.npz", "best.weights.h5"
_ARRAY = "array"  # the key that stands for an array, which is in a file of its own


@dataclass
class Trained:
    """What is known of a training besides its model.

    Attributes:
        next_epoch: the number of the epoch to go on with.
        epochs: the epoch that was not to be trained any more.
        is_ended: whether nothing is left to be trained.
        logs: the metrics of each epoch.
        random: the states of the model's random generators, and whatever else it has besides weights.
        remembered: for each callback, the name of its class and the attributes that have changed since it began.
        compiled, reason: how it was trained.
    """

    next_epoch: int
    epochs: int
    is_ended: bool
    logs: list[dict[str, float]]
    random: list[Any] = field(default_factory=list)
    remembered: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    compiled: bool = True
    reason: str | None = None


class UnderWay:
    """The trainings of one trial.

    Args:
        trial_folder: of the trial; None where nothing is kept.
        best: the file of the best weights so far, which a callback writes.
    """

    def __init__(self, trial_folder: Path | None, best: Path | None = None) -> None:
        self._folder = None if trial_folder is None else trial_folder / _FOLDER
        self._best = best
        self._written_at, self._seconds = time.monotonic(), _FIRST_SECONDS

    def found(self, place: int, model: Any, epochs: int) -> Trained | None:
        """Return how far a training has come, and give the model back its state; None where it begins.

        Args:
            place: of the training among those of the trial.
            model: freshly built.
            epochs: the epoch that is not trained any more.
        """
        if self._folder is None:
            return None
        folder = next(iter(sorted(self._folder.glob(f"{place:04}_*"), reverse=True)), None)
        if folder is not None:
            before = model.get_weights() if model.built else None
            try:
                trained = _read(folder)
                if trained.epochs == epochs or trained.next_epoch <= epochs and not trained.is_ended:
                    checkpoints.restore(model, folder / _MODEL)
                    for variable, value in zip(_besides_weights(model), trained.random, strict=True):
                        variable.assign(value)
                    if (folder / _BEST).is_file() and self._best is not None:
                        shutil.copyfile(folder / _BEST, self._best)
                    return trained
            except Exception as error:  # whatever can be wrong with a file, or has become of the program
                warnings.warn(
                    f"the training begins again, because {folder} cannot be used: {one_line(error)}", stacklevel=2
                )
                if before is not None:
                    model.set_weights(before)
        for left in self._folder.glob("[0-9]*_*"):  # of an earlier attempt that went another way
            if int(left.name.split("_")[0]) >= place:
                remove(left)
        return None

    @property
    def is_due(self) -> bool:
        return self._folder is not None and (time.monotonic() - self._written_at) * SHARE >= self._seconds

    def has(self, place: int) -> bool:
        """Tell whether anything has been written of a training."""
        return self._folder is not None and any(self._folder.glob(f"{place:04}_*"))

    def write(self, place: int, model: Any, trained: Trained) -> None:
        """Write how far a training has come, in place of what there is of it; nothing after a first failure."""
        if self._folder is None:
            return
        began = time.monotonic()
        folder = self._folder / f"{place:04}_{_ENDED if trained.is_ended else f'{trained.next_epoch:08}'}"
        try:
            with replaced(folder, self._folder / _DRAFT, synced=False) as draft:
                remove(draft)
                draft.mkdir()
                checkpoints.save(model, draft / _MODEL)
                trained.random = [np.asarray(variable) for variable in _besides_weights(model)]
                arrays: list[np.ndarray] = []
                (draft / _RECORD).write_text(json.dumps(_packed(asdict(trained), arrays)), encoding="utf-8")
                np.savez(draft / _ARRAYS, *arrays)
                if self._best is not None and self._best.is_file():
                    shutil.copyfile(self._best, draft / _BEST)
            for other in self._folder.glob(f"{place:04}_*"):
                if other != folder:
                    remove(other)
        except Exception as error:  # KerasTuner would train this trial
            warnings.warn(f"the trial is not gone on with if it is killed: {one_line(error)}", stacklevel=2)
            self._folder = None
            return
        self._written_at = time.monotonic()
        self._seconds = self._written_at - began

    def cannot_be_followed(self) -> None:
        """Keep nothing more: there is a training before the next one that left nothing."""
        self._folder = None


def forget(trial_folder: Path) -> None:
    """Delete what a trial that has ended left."""
    remove(trial_folder / _FOLDER)


def memory_of(callbacks: Sequence[Any]) -> list[dict[str, Any]]:
    """Return what callbacks have as attributes, as far as that is plain data."""
    return [dict(_plain_attributes(callback)) for callback in callbacks]


def changed(callbacks: Sequence[Any], before: Sequence[Mapping[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """Return what callbacks remember: those attributes that are not what `memory_of` gave before."""
    found = []
    for callback, earlier in zip(callbacks, before, strict=True):
        now = _plain_attributes(callback).items()
        moved = {name: value for name, value in now if name not in earlier or not _is_same(value, earlier[name])}
        found.append((type(callback).__name__, moved))
    return found


def remind(callbacks: Sequence[Any], remembered: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    """Give callbacks back what they remembered, as far as they are those that did."""
    for callback, (name, attributes) in zip(callbacks, remembered, strict=False):
        if type(callback).__name__ == name:
            vars(callback).update(attributes)


def _besides_weights(model: Any) -> list[Any]:
    weights = {id(weight) for weight in model.weights}
    return [variable for variable in model.variables if id(variable) not in weights]


def _read(folder: Path) -> Trained:
    with np.load(folder / _ARRAYS) as file:
        arrays = [file[name] for name in file.files]
    known = _unpacked(json.loads((folder / _RECORD).read_text(encoding="utf-8")), arrays)
    return Trained(**known)


def _plain_attributes(callback: Any) -> dict[str, Any]:
    found = {}
    for name, value in vars(callback).items():
        if name not in ("params", "_model"):
            try:
                arrays: list[np.ndarray] = []
                found[name] = _unpacked(_packed(value, arrays), [array.copy() for array in arrays])
            except TypeError:
                continue
    return found


def _packed(value: Any, arrays: list[np.ndarray]) -> Any:
    """Return plain data as JSON has it, and put its arrays into a list.

    Raises:
        TypeError: it holds something else.
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype != object:
        arrays.append(value)
        return {_ARRAY: len(arrays) - 1}
    if isinstance(value, (list, tuple)):
        return [_packed(item, arrays) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _packed(item, arrays) for key, item in value.items()}
    raise TypeError(f"{type(value).__name__} is no plain data")


def _unpacked(value: Any, arrays: Sequence[np.ndarray]) -> Any:
    if isinstance(value, list):
        return [_unpacked(item, arrays) for item in value]
    if isinstance(value, dict):
        if set(value) == {_ARRAY}:
            return arrays[value[_ARRAY]]
        return {key: _unpacked(item, arrays) for key, item in value.items()}
    return value


def _is_same(one: Any, other: Any) -> bool:
    ours: list[np.ndarray] = []
    theirs: list[np.ndarray] = []
    if type(one) is not type(other) or _packed(one, ours) != _packed(other, theirs):
        return False
    return all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))
