"""How far a run has come: counts its epochs, reports each, keeps the best one and writes checkpoints.

Owns the moments at which weights are kept; `checkpoints` owns the files.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from tuning.training import checkpoints
from tuning.training.fit import is_number, returned_epochs
from tuning.training.messages import Decision, Report, Reporter, Task
from tuning.training.models import assign, state_of

CHECKPOINT_SECONDS = 10.0
"""Least time between two checkpoints of a running trial, in seconds."""


class Progress:
    """Counts epochs, reports them, keeps the best epoch in memory and writes checkpoints."""

    def __init__(self, model: Any, task: Task, report: Reporter) -> None:
        self.epochs = task.trained
        self.saved = task.trained
        self._model, self._task, self._report = model, task, report
        self._best = task.best
        self._best_state: list[Any] | None = None
        self._reported = 0
        self._saved_at = time.monotonic()
        self.epoch_seconds: list[float] = []
        self._epoch_began = time.perf_counter()
        self._resumable = task.resumable
        self._keeps = task.folder is not None and hasattr(model, "save_weights")

    def epoch_ended(self, logs: Mapping[str, Any]) -> Decision:
        """Take the metrics of the epoch that ended; return what to do next."""
        self.epoch_seconds.append(time.perf_counter() - self._epoch_began)
        metrics = {name: float(value) for name, value in logs.items() if is_number(value)}
        epoch, self.epochs = self.epochs, self.epochs + 1
        self._reported += 1
        score = metrics.get(self._task.objective.name)
        if score is not None and self._task.objective.is_better(score, self._best):
            self._best = score
            self._best_state = state_of(self._model) if self._keeps else None
        due = self._keeps and time.monotonic() - self._saved_at >= CHECKPOINT_SECONDS
        if due:
            self._save_epoch()
        decision = self._report(Report(self._task.run.number, epoch, metrics, due, self._task.training))
        if due:  # only now is the new checkpoint the one that is gone back to
            checkpoints.delete_other_epochs(str(self._task.folder), self._task.stem, self.epochs)
        self._resumable |= decision is Decision.PAUSE
        self._epoch_began = time.perf_counter()
        return decision

    def take(self, outcome: Any) -> None:
        """Report what `fit` returned, unless its epochs were reported while it ran."""
        if not self._reported:
            for metrics in returned_epochs(outcome, self._task.objective.name):
                self.epoch_ended(metrics)

    def finish(self) -> None:
        """Write what a later run and the end of the search need."""
        if not self._keeps:
            return
        if self._resumable:
            self._save_epoch()
        self._save_best()

    def _save_epoch(self) -> None:
        self._save_best()
        checkpoints.save_epoch(self._model, str(self._task.folder), self._task.stem, self.epochs)
        self.saved, self._saved_at = self.epochs, time.monotonic()

    def _save_best(self) -> None:
        """Write the best epoch, and leave the model as it was."""
        if self._best_state is None:
            return
        last = state_of(self._model)
        assign(self._model, self._best_state)
        checkpoints.save(self._model, checkpoints.best_path(str(self._task.folder), self._task.stem))
        assign(self._model, last)
        self._best_state = None
