"""What a search may cost, where that is no number of trials.

Owns how a budget is read and when it is spent. Nothing new is asked for then; what is being trained is trained to its
end, so a search costs a little more than its budget. Like a number of trials it means the whole study, what earlier
calls have trained included.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from tuning.errors import OptionError, must
from tuning.records.definition import Definition
from tuning.records.outlook import reason_to_stop
from tuning.records.trial import Trial

SECONDS_OF = {"s": 1, "m": 60, "h": 3600}
EPOCHS = "e"


@dataclass(frozen=True)
class Budget:
    """So many epochs, or so many seconds of training; the other one is None."""

    epochs: int | None = None
    seconds: float | None = None

    @classmethod
    def read(cls, text: str) -> Budget:
        """Read "200e", "90s", "30m" or "1.5h".

        Raises:
            OptionError: it is none of these.
        """
        found = re.fullmatch(r"(\d+(?:\.\d+)?)([esmh])", text) if isinstance(text, str) else None
        number = float(found[1]) if found is not None else 0.0
        if found is None or not number > 0 or (found[2] == EPOCHS and number != int(number)):
            rule = "be a number of epochs or a time, such as 200e, 90s, 30m or 1.5h"
            raise OptionError(must("budget", rule, text))
        return cls(epochs=int(number)) if found[2] == EPOCHS else cls(seconds=number * SECONDS_OF[found[2]])

    def is_spent(self, epochs: int, seconds: float, slots: int) -> bool:
        """Tell whether so much has been trained; seconds are divided by the trials that are trained at once."""
        if self.epochs is not None:
            return epochs >= self.epochs
        return self.seconds is not None and seconds >= self.seconds * max(slots, 1)

    def __str__(self) -> str:
        if self.epochs is not None:
            return f"{self.epochs} epochs"
        return f"{self.seconds:g} seconds of training"


@dataclass(frozen=True)
class Limits:
    """Why nothing more is asked for, besides what the engine knows.

    Attributes:
        budget: what the study may cost; None where the engine decides alone.
        tolerance: gain of the last trials below which it ends; None for never.
    """

    budget: Budget | None = None
    tolerance: float | None = None


class Tally:
    """What the trials of a search have cost and come to, kept up to date so that nobody looks at thousands of them.

    Args:
        limits: of the search.
        definition: of the study.
    """

    def __init__(self, limits: Limits, definition: Definition) -> None:
        self._budget, self._objective = limits.budget, definition.objective
        self._tolerance = None if definition.several else limits.tolerance
        self._epochs, self._seconds = 0, 0.0  # of finished trials
        self._scores: dict[int, float] = {}  # of those that keep all constraints, where they matter

    def ended(self, trial: Trial) -> None:
        """Take in a trial, if it is finished."""
        if trial.state.is_finished:
            self._epochs, self._seconds = self._epochs + trial.epochs, self._seconds + trial.seconds
            if self._tolerance is not None and trial.is_feasible and trial.score is not None:
                self._scores[trial.number] = trial.score

    def goes_on(self, trial: Trial) -> None:
        """Leave out a trial that was finished, and is trained again."""
        if trial.state.is_finished:
            self._epochs, self._seconds = self._epochs - trial.epochs, self._seconds - trial.seconds
            self._scores.pop(trial.number, None)

    def reached(self, unfinished: Collection[Trial], slots: int) -> str:
        """Return why nothing more should be asked for; empty while there is no reason.

        Args:
            unfinished: all trials that are not finished.
            slots: runs that are trained at once.
        """
        if self._budget is not None:
            epochs = self._epochs + sum(trial.epochs for trial in unfinished)
            seconds = self._seconds + sum(trial.seconds for trial in unfinished)
            if self._budget.is_spent(epochs, seconds, slots):
                return f"the budget of {self._budget} is spent"
        if self._tolerance is not None:
            return reason_to_stop([self._scores[n] for n in sorted(self._scores)], self._objective, self._tolerance)
        return ""
