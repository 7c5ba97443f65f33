"""Train runs in this very process, one after the other.

Owns nothing but the queue of one. Good for notebooks, debuggers and small searches; a crash of the training
code takes the search with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from tuning.data import Data
from tuning.executors.base import Handler
from tuning.executors.machine import worker_name
from tuning.space import SearchSpace
from tuning.space.imports import import_keras
from tuning.training.messages import Decision, Report, Task
from tuning.training.train import train


class InProcessExecutor:
    """An executor with one slot; `poll` trains the submitted task to its end.

    Args:
        imports: modules that training will import. Keras is imported at once, before anything else imports it with
            TensorFlow's log lines.
    """

    slots = 1
    pause_seconds = math.inf

    def __init__(self, imports: Sequence[str] = ()) -> None:
        self._tasks: list[Task] = []
        if "keras" in imports:
            import_keras()

    def load(self, source: str | None, space: SearchSpace, data: Data, is_own: bool = False) -> None:
        self._space, self._data = space, data

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return function(self._space, self._data, *arguments)

    def submit(self, task: Task) -> str:
        self._tasks.append(task)
        return worker_name(0)

    def poll(self, handle: Handler) -> None:
        if not self._tasks:
            return
        broken: list[BaseException] = []

        def report(message: Report) -> Decision:
            # What goes wrong on our side must not look like a failure of the trial.
            try:
                return handle(message)
            except BaseException as error:
                broken.append(error)
                return Decision.STOP

        last = train(self._space, self._data, self._tasks.pop(0), report)
        if broken:
            raise broken[0]
        handle(last)

    def close(self) -> None:
        self._tasks.clear()
