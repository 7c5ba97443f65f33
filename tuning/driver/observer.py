"""Observers: told what happens in a search, and unable to steer it.

Owns the interface. Every method gets frozen records and returns nothing; the store has been written before
an observer is told.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Protocol

from tuning.records.definition import Definition
from tuning.records.trial import Trial


class Observer(Protocol):
    """Override what is of interest; the rest does nothing.

    One that also has `prepared(where)` is told where trials will be trained, as soon as that is known; the data are
    read, and a first model is built, after that. One that has `remarked(text)` is told what is legal but hardly what
    was meant, before the search begins, and later of a trial that had to begin again.
    """

    def search_started(self, definition: Definition, trials: Sequence[Trial]) -> None:
        """A search begins or is resumed; `trials` are those the study already has."""
        return

    def run_started(self, trial: Trial) -> None:
        """A run of `trial` begins: `trial.run`. `trial.curve` holds the epochs before it.

        Called for each of the trial's trainings, and again when one that was lost is trained again.
        """
        return

    def training_epoch_ended(self, trial: Trial, training: int) -> None:
        """The last entry of `trial.trainings[training].curve` is new; of the trial's own, `epoch_ended` tells."""
        return

    def epoch_ended(self, trial: Trial) -> None:
        """The last entry of `trial.curve` is new."""
        return

    def run_ended(self, trial: Trial) -> None:
        """A run ended. The trial rests while its state is RUNNING: its engine may continue it."""
        return

    def trial_ended(self, trial: Trial) -> None:
        """The trial has its final state. Follows `run_ended`, at once or, for a resting trial, later."""
        return

    def search_ended(self, trials: Sequence[Trial], reason: str) -> None:
        """The search is over; `reason` is empty unless it ended before its budget was spent."""
        return


def remark(observers: Sequence[Observer], text: str) -> None:
    """Tell those observers of something odd that want to know."""
    notify(observers, "remarked", text)


def notify(observers: Sequence[Observer], event: str, *records: Any) -> None:
    """Tell all observers that know of an event. They do not steer: one that fails is not worth a search."""
    for observer in observers:
        try:
            getattr(observer, event, lambda *_: None)(*records)
        except Exception as error:
            warnings.warn(f"{type(observer).__name__}.{event} raised {type(error).__name__}: {error}", stacklevel=3)
