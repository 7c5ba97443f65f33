"""The callbacks of one run, made of what a person gave for all of them.

Owns the forms in which callbacks may be given, that no two runs share one, and annealing. Which callbacks the toolkit
adds of its own is not decided here.

Callbacks are given as a list, or as a function that gets the trial's own folder and returns a list. In a list, a
callback is copied for each run, and a `TensorBoard` gets a folder for each in its own; a class, or a function without
arguments, is called for each run.
"""

from __future__ import annotations

import copy
import math
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tuning.errors import OptionError, must

_OF_A_TRIAL = re.compile(r"trial_\d{4,}")

ADVICE = "Give a list of Keras callbacks, or a function such as `lambda folder: [CSVLogger(folder / 'log.csv')]`."


def fresh(given: Any, folder: Path) -> list[Any]:
    """Return callbacks that are the caller's alone.

    Args:
        given: what `search` or a space was given as callbacks; None for none.
        folder: the trial's own, for what its callbacks write; made when a function is given it.
    """
    if given is None:
        return []
    if callable(given):
        folder.mkdir(parents=True, exist_ok=True)
        return list(given(folder))
    return [_in_its_folder(_made(callback), folder) for callback in given]


def _in_its_folder(callback: Any, folder: Path) -> Any:
    """Have a `TensorBoard` of Keras's write into a folder of its own in the one that it was given, as in `trial_0007`.

    Other trainings than those of trials have no such name, and write where they were told.
    """
    keras = sys.modules.get("keras")
    if keras is not None and isinstance(callback, keras.callbacks.TensorBoard):
        names = folder.parts
        first = next((i for i, name in enumerate(names) if _OF_A_TRIAL.fullmatch(name)), len(names))
        callback.log_dir = str(Path(callback.log_dir, *names[first:]))
    return callback


def mistakes(given: Any) -> list[str]:
    """Find what cannot be a run's callbacks; functions that make them are not called."""
    if given is None or callable(given):
        return []
    if isinstance(given, (str, bytes)) or not isinstance(given, Sequence):
        return [must("callbacks", "be a list or a function of a folder", given, ADVICE)]
    found = []
    for callback in given:
        name = type(callback).__name__
        if not _is_callback(callback) and not callable(callback):
            found.append(must("callbacks", "hold callbacks", callback, ADVICE))
        elif _is_callback(callback) and not isinstance(callback, type):
            try:
                copy.deepcopy(callback)
            except Exception as error:
                found.append(
                    f"`callbacks` must hold what can be copied, because every trial has its own, but {name} cannot "
                    f"be: {type(error).__name__}: {error}. Give a function that makes it: `lambda folder: [{name}()]`."
                )
    return found


def annealing(model: Any, epochs: int) -> Any:
    """Return the callback that lets the learning rate fall along half a cosine, to a hundredth.

    It comes after all others: a rate that one of them sets, such as a warm-up, is what falls from then on, and one that
    lowers the rate at an epoch's end, such as ReduceLROnPlateau, lowers the whole curve.

    Args:
        model: freshly built and compiled; what its learning rate is now, the first epoch has.
        epochs: the epoch in which the end would be reached; the share that is left depends on the number of the epoch
            alone, so a training that is continued goes on where it was.

    Raises:
        OptionError: the learning rate has a schedule of its own, or there is none.

    References:
        Loshchilov and Hutter 2016, SGDR, arXiv:1608.03983, equation 5.
    """
    import keras

    try:
        rate = float(model.optimizer.learning_rate)
        model.optimizer.learning_rate = rate
    except (AttributeError, TypeError, ValueError):
        raise OptionError(
            "`anneal` must be False for a model whose learning rate has a schedule of its own, or that has none."
        ) from None

    class Annealing(keras.callbacks.LearningRateScheduler):
        def __init__(self) -> None:
            super().__init__(self._annealed)
            self._full = rate

        def on_train_begin(self, logs: Any = None) -> None:
            self._left = self._now()  # a checkpoint's rate has fallen already

        def _annealed(self, epoch: int, now: float) -> float:
            if now != self._left:
                self._full = now
            self._share = max(0.01, (1 + math.cos(math.pi * epoch / epochs)) / 2)
            return self._full * self._share

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            super().on_epoch_begin(epoch, logs)
            self._left = self._now()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if self._now() != self._left:
                self._full, self._left = self._now() / self._share, self._now()
            super().on_epoch_end(epoch, logs)

        def _now(self) -> float:
            return float(self.model.optimizer.learning_rate)

    return Annealing()


def _made(callback: Any) -> Any:
    return copy.deepcopy(callback) if _is_callback(callback) and not isinstance(callback, type) else callback()


def _is_callback(value: Any) -> bool:
    return hasattr(value, "on_epoch_end")
