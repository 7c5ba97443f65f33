"""How many trials of a KerasTuner program are trained at once.

Owns the answer: what the program or the environment says, or else what the machine has, where trials are of the kind
that another process can train without anybody's noticing.
"""

from __future__ import annotations

import os
from typing import Any

import keras

from tuning.errors import OptionError, must, raise_all, whole_number
from tuning.executors.machine import default_workers
from tuning.keras_tuner import private

VARIABLE = "TUNE_WORKERS"

_ONE_PLACE = ("BackupAndRestore", "CSVLogger", "ModelCheckpoint")
"""Callbacks of Keras's that write to the same place in every trial."""

_ALL_THE_SAME = f"{VARIABLE}=N in the environment, or kt.workers(N), has trials sent to other processes all the same."

_wanted: int | None = None


def workers(number: int | None) -> None:
    """Have this program's searches train so many trials at once, each in a process of its own; 1 trains in this one.

    Args:
        number: None leaves it to the environment variable TUNE_WORKERS, or else to the toolkit.

    Raises:
        OptionError: it is no whole number >= 1.
    """
    global _wanted
    if number is not None:
        raise_all(whole_number("workers", number, 1))
    _wanted = number


def asked_for() -> int | None:
    """Return what the program or the environment says; None for neither.

    Raises:
        OptionError: TUNE_WORKERS is no whole number >= 1.
    """
    text = os.environ.get(VARIABLE, "")
    if _wanted is not None or not text:
        return _wanted
    if not text.isdecimal() or int(text) < 1:
        raise OptionError(must(VARIABLE, "be a whole number >= 1", text))
    return int(text)


def chosen(tuner: Any, callbacks: Any = None) -> tuple[int, str]:
    """Return the number of workers for a search, and why it is one, where the machine holds more.

    Args:
        tuner: whose search it is.
        callbacks: of each trial, as `search` is given them.
    """
    wanted = asked_for()
    if wanted is not None:
        return wanted, ""
    remaining = tuner.remaining_trials
    possible = default_workers(None if remaining is None else max(remaining, 1))
    reason = "" if possible == 1 else _why_not_sent(tuner, callbacks)
    return (1 if reason else possible), reason


def _why_not_sent(tuner: Any, callbacks: Any) -> str:
    own = private.own_part(tuner)
    if own is not None:
        return (
            f"{type(tuner).__name__} has a `{own}` of its own, and what that leaves behind on the tuner would stay in "
            f"another process. {_ALL_THE_SAME}"
        )
    if getattr(tuner, "distribution_strategy", None) is not None:
        return "a distribution strategy cannot be sent to other processes."
    kinds = (kind.__name__ for callback in keras.tree.flatten(callbacks) for kind in type(callback).__mro__)
    writes = next((name for name in kinds if name in _ONE_PLACE), None)
    if writes is not None:
        return f"{writes} writes to the same place in every trial. {_ALL_THE_SAME}"
    return ""
