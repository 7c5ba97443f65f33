"""Trials that were not trained, because what was known before breaks a constraint: they cost nothing.

Owns their count, by which a number of trials means those that were trained, and when to give up.
"""

from __future__ import annotations

from tuning.engines.base import Done
from tuning.records.constraint import is_refused
from tuning.records.trial import Trial

MAX_IN_A_ROW = 100
"""Trials in a row that are refused before nothing more is proposed."""


class Refusals:
    """Counts the trials that were not trained.

    Attributes:
        n: how many there are.
    """

    def __init__(self) -> None:
        self.n = self._in_a_row = 0

    def learn(self, trial: Trial) -> None:
        """Take in a trial whose run has ended."""
        refused = is_refused(trial)
        self.n += refused
        self._in_a_row = (self._in_a_row + 1) * refused

    @property
    def end(self) -> Done | None:
        """The end of a search in which there were too many; None otherwise."""
        if self._in_a_row < MAX_IN_A_ROW:
            return None
        return Done(f"the last {self._in_a_row} configurations break a constraint and were not trained")
