"""How long a worker may say nothing before it is taken for hung.

Owns the rule: what was given, or else what follows from the epochs that have been seen.
"""

from __future__ import annotations

import math

LEAST_SECONDS = 300.0
"""Silence that is always allowed, where no limit was given."""

START_SECONDS = 300.0
"""A worker that needs longer to be ready is taken for dead, where silence is limited at all."""

PAUSE_SECONDS = 30.0
"""How long a pause waits at least for tasks that say nothing."""

LOOK_SECONDS = 60.0
"""A look at the space takes so long at least before it is taken for hung, where silence is limited by somebody."""

TIMES_LONGEST = 10


class Patience:
    """Learns how long epochs take.

    Args:
        limit: seconds of silence after which a worker is taken for hung; infinity for never. None: ten times the
            longest that has been seen, and five minutes at least; no limit until something has been seen.
    """

    def __init__(self, limit: float | None = None) -> None:
        self._limit = limit
        self._longest: float | None = None

    def saw(self, seconds: float) -> None:
        """Take note of the time between two reports."""
        self._longest = max(seconds, self._longest or 0.0)

    @property
    def limit(self) -> float:
        """Seconds of silence after which a worker that trains is taken for hung."""
        if self._limit is not None:
            return self._limit
        return math.inf if self._longest is None else max(LEAST_SECONDS, TIMES_LONGEST * self._longest)

    @property
    def start_limit(self) -> float:
        """The same for a worker that is not ready yet."""
        return max(self.limit, START_SECONDS)

    @property
    def look_limit(self) -> float:
        """The same for one that builds and trains a first batch, which may have to be compiled."""
        return math.inf if self._limit is None else max(self._limit, LOOK_SECONDS)

    @property
    def pause_limit(self) -> float:
        """How long to wait for the ends of epochs when the search pauses; what comes later is trained again."""
        return min(self.limit, max(PAUSE_SECONDS, 2 * (self._longest or 0.0)))
