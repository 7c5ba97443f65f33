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

    def is_spent(self, trials: Collection[Trial], slots: int) -> bool:
        """Tell whether so much has been trained; seconds are divided by the trials that are trained at once."""
        if self.epochs is not None:
            return sum(trial.epochs for trial in trials) >= self.epochs
        return self.seconds is not None and sum(trial.seconds for trial in trials) >= self.seconds * max(slots, 1)

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

    def reached(self, trials: Collection[Trial], slots: int, definition: Definition) -> str:
        """Return the reason; empty while there is none."""
        if self.budget is not None and self.budget.is_spent(trials, slots):
            return f"the budget of {self.budget} is spent"
        if self.tolerance is not None and not definition.several:
            return reason_to_stop(trials, definition.objective, self.tolerance)
        return ""
