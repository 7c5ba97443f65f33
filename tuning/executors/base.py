"""The door between the search and where runs are trained.

Owns the protocol. An executor never stores, asks engines, or decides about retries.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from tuning.training.messages import Decision, Message, Task

Handler = Callable[[Message], Decision]
"""Takes a message of a worker and returns the answer; only the answer to a `Report` matters."""


class Executor(Protocol):
    """Trains tasks."""

    @property
    def slots(self) -> int:
        """Number of tasks that can be under way at once."""

    def submit(self, task: Task) -> None:
        """Take a task; at most `slots` may be under way."""

    def poll(self, handle: Handler) -> None:
        """Wait a moment for messages and pass them to `handle`; each task ends with one last message."""

    def close(self) -> None:
        """End all workers. Tasks under way are abandoned."""
