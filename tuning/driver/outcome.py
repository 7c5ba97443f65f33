"""What a search came to when it has ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tuning.errors import SearchFailedError
from tuning.records.trial import State, Trial


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
