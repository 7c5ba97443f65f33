"""Train runs in this very process, one after the other.

Owns nothing but the queue of one. Good for notebooks, debuggers and small searches; a crash of the training
code takes the search with it.
"""

from __future__ import annotations

from tuning.data import Data
from tuning.executors.base import Handler
from tuning.space import SearchSpace
from tuning.training.messages import Decision, Report, Task
from tuning.training.train import train


class InProcessExecutor:
    """An executor with one slot; `poll` trains the submitted task to its end."""

    slots = 1

    def __init__(self, space: SearchSpace, data: Data) -> None:
        self._space, self._data = space, data
        self._tasks: list[Task] = []

    def submit(self, task: Task) -> None:
        self._tasks.append(task)

    def poll(self, handle: Handler) -> None:
        if not self._tasks:
            return
        broken: list[Exception] = []

        def report(message: Report) -> Decision:
            # What goes wrong on our side must not look like a failure of the trial.
            try:
                return handle(message)
            except Exception as error:
                broken.append(error)
                return Decision.STOP

        last = train(self._space, self._data, self._tasks.pop(0), report)
        if broken:
            raise broken[0]
        handle(last)

    def close(self) -> None:
        self._tasks.clear()
