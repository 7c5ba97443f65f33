"""A cluster in simulated time: what a driver costs that has a thousand workers, without having them.

Owns an executor whose slots train formulas, each epoch so many simulated seconds, and the measurement of a whole search
on it. `scripts/bench_driver.py --slots` prints it.
"""

from __future__ import annotations

import heapq
import itertools
import resource
import sys
import time
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

import tuning  # noqa: E402
from tuning.executors.base import Handler  # noqa: E402
from tuning.executors.in_process import InProcessExecutor  # noqa: E402
from tuning.training.messages import Decision, Finished, Report, Task  # noqa: E402

EPOCHS, EPOCH_SECONDS = 10, 10.0


class SimulatedExecutor(InProcessExecutor):
    """Trains formulas in simulated time, and notes how long its driver takes for each answer.

    Attributes:
        now: simulated seconds since the beginning.
        answered: seconds that each report waited: for what the driver did before it came to it, and for its handling.
        begun, ended: processor's and real time, in seconds, when the first task came and after the last message.
        finished: tasks that have ended.
    """

    def __init__(self, slots: int) -> None:
        super().__init__()
        self.slots = slots  # type: ignore[misc]
        self.now = 0.0
        self.answered: list[float] = []
        self.begun = self.ended = (0.0, 0.0)
        self.finished = 0
        self._coming: list[tuple[float, int, Task, int]] = []
        self._order = itertools.count()
        self._idle_since = 0.0

    def submit(self, task: Task) -> str:
        if not self._coming:
            self._idle_since = time.perf_counter()
        place = next(self._order)
        if place == 0:
            self.begun = _clocks()
        heapq.heappush(self._coming, (self.now + EPOCH_SECONDS, place, task, task.trained))
        return f"simulated-{place % self.slots // 8}:{place % 8}"

    def poll(self, handle: Handler) -> None:
        if not self._coming:
            time.sleep(0.001)  # the engine thinks
            return
        self.now, _, task, epoch = heapq.heappop(self._coming)
        values = task.run.values
        loss = values["rate"] + 1 / (values["units"] + epoch)
        metrics = {"loss": loss, "accuracy": 1 - loss, "val_loss": 1.1 * loss, "val_accuracy": 1 - 1.1 * loss}
        decision = handle(Report(task.run.number, epoch, metrics, training=task.training))
        self.answered.append(time.perf_counter() - self._idle_since)
        if decision is Decision.GO and epoch + 1 < task.run.stop:
            heapq.heappush(self._coming, (self.now + EPOCH_SECONDS, next(self._order), task, epoch + 1))
        else:
            trained = epoch + 1 if task.resumable else 0
            seconds = EPOCH_SECONDS * (epoch + 1 - task.trained)
            handle(Finished(task.run.number, values, (), trained, seconds, training=task.training))
            self.finished += 1
        self._idle_since = time.perf_counter()
        self.ended = _clocks()


def _clocks() -> tuple[float, float]:
    return time.process_time(), time.perf_counter()


def measured(space: Any, slots: int, trials: int, **arguments: Any) -> dict[str, float]:
    """Search in simulated time, or go on with a search; return what it came to.

    Args:
        space: with `rate` and `units`.
        slots: of the cluster.
        trials: of the search in all.
        arguments: further ones of `search`.

    Returns:
        `share_of_core` (of what the trials cost that so many slots end in a second), `events_per_second`, `p50_ms`,
        `p99_ms` and `longest_ms` of an answer, `megabytes` at most, `resume_seconds` of opening the study again,
        `trials`.
    """
    executor = SimulatedExecutor(slots)
    given = {**arguments, "trials": trials}
    with mock.patch("tuning.driver.run.executor_for", lambda request: executor):
        tuning.search(space, **given)
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    begun = time.perf_counter()
    with mock.patch("tuning.driver.run.executor_for", lambda request: SimulatedExecutor(slots)):
        study = tuning.search(space, **given)
    resumed = time.perf_counter() - begun
    waits = 1000 * np.array(executor.answered)
    processor, wall = np.subtract(executor.ended, executor.begun)
    return {
        "share_of_core": float(processor) / executor.finished * slots / (EPOCHS * EPOCH_SECONDS),
        "events_per_second": (len(executor.answered) + 2 * executor.finished) / float(wall),
        "p50_ms": float(np.percentile(waits, 50)),
        "p99_ms": float(np.percentile(waits, 99)),
        "longest_ms": float(waits.max()),
        "megabytes": megabytes,
        "resume_seconds": resumed,
        "trials": len(study.trials),
    }
