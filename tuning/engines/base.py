"""The door between the search and whatever proposes trials.

Owns the protocol and its answers. An engine never trains, stores or waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tuning.records.trial import Run, Trial


@dataclass(frozen=True)
class Wait:
    """Nothing to propose until a run that is under way has ended."""


@dataclass(frozen=True)
class Done:
    """Nothing to propose any more. `reason` is empty when the engine has done all it was asked for."""

    reason: str = ""


Answer = Run | Wait | Done


class Engine(Protocol):
    """Proposes runs and learns from trials.

    What it proposes depends only on its options, its seed, and the trials told, in order. It is called from
    one thread.
    """

    @property
    def thinks_long(self) -> bool:
        """Whether `ask` may be called in a thread, while the engine is asked for nothing but `should_stop`."""
        return False

    def ask(self) -> Answer:
        """Return the next run: of a new trial (its number is the count of trials so far) or a continued one."""

    def tell(self, trial: Trial) -> None:
        """Learn how the last run of `trial` ended; `trial.run.ended` is set."""

    def should_stop(self, trial: Trial) -> bool:
        """After an epoch of `trial`: tell whether to end its run now, which makes it PRUNED."""

    def may_continue(self, number: int) -> bool:
        """Tell whether a later run of this trial may still be asked for, so that its checkpoint is needed."""

    def dump(self) -> Any:
        """Return the state (JSON) that cannot be derived from the trials."""

    def restore(self, trials: Sequence[Trial], state: Any) -> None:
        """Take up a study: all its trials, and what `dump` returned after the last proposal.

        Runs that have not ended are under way for the engine; the search trains them again.
        """
