"""How many trials of a KerasTuner program are trained at once.

Owns the answer: what the program or the environment says, or else what the machine has, where trials are of the kind
that another process can train without anybody's noticing.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import keras

from tuning.errors import OptionError, must, raise_all, whole_number
from tuning.executors.machine import default_workers
from tuning.keras_tuner import private, turns
from tuning.keras_tuner.models import is_keras_fit_replaced

VARIABLE = "TUNE_WORKERS"

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
    wanted, listed = asked_for(), keras.tree.flatten(callbacks)
    if wanted is not None:
        reason = _why_in_turn(tuner, listed) if wanted > 1 else ""
        return (1 if reason else wanted), reason
    remaining = tuner.remaining_trials
    possible = default_workers(None if remaining is None else max(remaining, 1))
    reason = "" if possible == 1 else _why_not_sent(tuner, listed)
    return (1 if reason else possible), reason


def _why_in_turn(tuner: Any, callbacks: Sequence[Any]) -> str:
    """Say why trials would have to wait for each other's ends in any number of processes."""
    is_read = private.reads_between(tuner)
    for callback in callbacks:
        kind, is_whole = turns.kind_of(callback), turns.is_written_whole(callback)
        if kind and (is_read or not is_whole):
            read = ", where code of the program's own may read it" if is_whole else ""
            return f"{kind} writes to the same place in every trial{read}."
    return ""


def _why_not_sent(tuner: Any, callbacks: Sequence[Any]) -> str:
    own = private.own_part(tuner)
    if own is not None:
        return (
            f"{type(tuner).__name__} has a `{own}` of its own, and not all that it leaves behind on the tuner would "
            f"come back from another process. {_ALL_THE_SAME}"
        )
    if is_keras_fit_replaced():
        return f"`keras.Model.fit` is replaced, which other processes would not know. {_ALL_THE_SAME}"
    if getattr(tuner, "distribution_strategy", None) is not None:
        return "a distribution strategy cannot be sent to other processes."
    in_turn = _why_in_turn(tuner, callbacks)
    written = next((kind for kind in map(turns.kind_of, callbacks) if kind), None)
    if in_turn or written is None:
        return in_turn
    return f"{written} writes to the same place in every trial. {_ALL_THE_SAME}"
