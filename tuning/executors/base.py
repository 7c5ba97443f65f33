"""The door between the search and where runs are trained.

Owns the protocol. An executor never stores, asks engines, or decides about retries.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from tuning.data import Data
from tuning.space import SearchSpace
from tuning.training.messages import Decision, Message, Task

Handler = Callable[[Message], Decision]
"""Takes a message of a worker and returns the answer; only the answer to a `Report` matters."""


class Executor(Protocol):
    """Trains the tasks of one search: `load` once, `call` to look at what was loaded, then `submit` and `poll`.

    `slots` may change at any time, for machines come and go, and may be 0 for a while: whoever submits asks for it
    anew each time, and goes on polling while there is none. Tasks that are under way when `slots` falls stay so
    until their last message.
    """

    @property
    def slots(self) -> int:
        """Number of tasks that can be under way at once, now."""

    def load(self, source: str | None, space: SearchSpace, data: Data, is_own: bool = False) -> None:
        """Take the space and its data, for every task and call to come; called once, before them.

        Args:
            source: the name by which `resolve` finds the space elsewhere; None for one that was made in a program.
            space: the space itself.
            data: what it is trained and validated on.
            is_own: whether they are the space's own, which it can load elsewhere, too.

        Raises:
            TuningError: they cannot be taken to where runs are trained.
        """

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Return `function(space, data, *arguments)`, called where runs are trained; its errors are raised here."""

    @property
    def pause_seconds(self) -> float:
        """How long a search that pauses waits for tasks that say nothing; they are trained again later."""

    def submit(self, task: Task) -> str | None:
        """Take a task; at most `slots` may be under way. Return where it is trained, such as "host:3", if known."""

    def poll(self, handle: Handler) -> None:
        """Wait a moment for messages and pass them to `handle`; each task ends with one last message."""

    def close(self) -> None:
        """End all workers. Tasks under way are abandoned. May be called again, and does nothing then."""
