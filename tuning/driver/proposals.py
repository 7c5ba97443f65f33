"""Proposals that take long, in a thread of their own, so that answers to reports do not wait for them.

Owns when that is done, and the messages that must wait meanwhile: while the engine thinks it must not be told anything.
They are dealt with after the proposal, as if they had come then, so that proposals stay what they are.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from tuning.engines.base import Answer, Done, Engine
from tuning.training.messages import Message, Report

MANY_TRIALS = 1000
"""Trials from which on engines that learn from all of them think long."""

MANY_SLOTS = 4
"""With no more slots nobody waits long for the driver; and a slot would wait for the next look at the thread."""

SWITCH_SECONDS = 0.0005
"""How long a thread may run at a time meanwhile. Whoever answers waits for its turn after each use of a file or of the
database; at Python's own 5 ms that comes to a tenth of a second an answer."""


class Proposals:
    """What an engine proposes.

    Args:
        engine: one that thinks long is asked in a thread.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._may_wait = engine.thinks_long
        self._pool: ThreadPoolExecutor | None = None
        self._thought: Future[Answer] | None = None
        self._held: list[Message] = []

    @property
    def is_busy(self) -> bool:
        """Whether the engine thinks, and must not be told anything."""
        return self._thought is not None

    def ask(self, trials: int, slots: int) -> Answer | None:
        """Return what the engine answers; None while it thinks.

        Args:
            trials: number of trials so far.
            slots: of the executor.
        """
        if self._thought is None:
            if not self._may_wait or trials < MANY_TRIALS or slots <= MANY_SLOTS:
                return self._engine.ask()
            self._pool = self._pool or ThreadPoolExecutor(1, "proposals")
            self._thought = self._pool.submit(self._think)
        if not self._thought.done():
            return None
        thought, self._thought = self._thought, None
        return thought.result()

    def _think(self) -> Answer:
        """Ask the engine; called in the thread."""
        interval = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_SECONDS)
        try:
            return self._engine.ask()
        finally:
            sys.setswitchinterval(interval)

    def holds(self, message: Message) -> bool:
        """Tell whether a message has to wait, and keep it then."""
        must_wait = self.is_busy and not isinstance(message, Report)
        if must_wait:
            self._held.append(message)
        return must_wait

    def released(self) -> Iterator[Message]:
        """Yield what has waited, once it may be dealt with."""
        while self._held and not self.is_busy:
            yield self._held.pop(0)

    def enough(self, reason: str) -> Done:
        """Return the answer that nothing more is wanted, whatever the engine thinks of."""
        self.drop()
        return Done(reason)

    def drop(self) -> None:
        """Wait for what the engine thinks of, and forget it: the search stops."""
        if self._thought is not None:
            self._thought.exception()
            self._thought = None

    def close(self) -> None:
        """End the thread."""
        if self._pool is not None:
            self._pool.shutdown(wait=True)
