"""What a run, and a search, came to when it has ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from tuning.errors import SearchFailedError
from tuning.records.constraint import limited
from tuning.records.definition import Definition
from tuning.records.ranking import scores_of
from tuning.records.trial import State, Trial


def judged(trial: Trial, definition: Definition) -> Trial:
    """Return a trial whose run has ended with its score in each objective, and with what its constraints limit.

    It has failed where one of these has no value.
    """
    trial = limited(replace(trial, scores=scores_of(trial, definition.several)), definition.constraints)
    missing = [o.name for o, score in zip(definition.several, trial.scores, strict=True) if score is None]
    missing += [c.name for c in definition.constraints if c.name not in {*trial.limited, *missing}]
    if missing and trial.state is State.RUNNING:
        return replace(trial, state=State.FAILED, error=f"there is no value of {', '.join(missing)}")
    return trial


def raise_if_all_failed(trials: Sequence[Trial]) -> None:
    """Raise the most frequent reasons for it where every trial has failed.

    Raises:
        SearchFailedError: there are trials, and all of them have failed.
    """
    if not trials or any(t.state is not State.FAILED for t in trials):
        return
    reasons = Counter(t.error for t in trials).most_common(3)
    listed = "; ".join(f"{count} x {reason}" for reason, count in reasons)
    raise SearchFailedError(f"all {len(trials)} trials failed: {listed}. `tune show` prints them with their values.")
