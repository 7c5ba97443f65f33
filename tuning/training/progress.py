"""How far a run has come: counts its epochs, reports each, keeps the best one and writes checkpoints.

Owns the moments at which weights are kept; `checkpoints` owns the files.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

from tuning.records.trial import RETURNED
from tuning.training import checkpoints
from tuning.training.messages import Decision, Report, Reporter, Task
from tuning.training.models import State, assign, state_of
from tuning.training.outcome import is_number, returned_epochs, returned_metrics

CHECKPOINT_SECONDS = 10.0
"""Least time between two checkpoints of a running trial, in seconds."""

SAME = 1e-5
"""Relative difference up to which a returned score is that of the best epoch: Keras computes with 32 bits."""


class Progress:
    """Counts epochs, reports them, keeps the best epoch in memory and writes checkpoints."""

    def __init__(self, model: Any, task: Task, report: Reporter) -> None:
        self.epochs = task.trained
        self.saved = task.trained
        self._model, self._task, self._report = model, task, report
        self._best, self._best_epoch = task.best, -1
        self._best_state: State | None = None
        self._validated: State | None = None
        self._metrics: dict[str, float] = {}
        self._scores: list[float] = []
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
        self._metrics = metrics
        score = metrics.get(self._task.objective.name)
        self._scores.append(math.nan if score is None else score)
        if score is not None and self._task.objective.is_better(score, self._best):
            self._best, self._best_epoch = score, epoch
            self._best_state = self._state() if self._keeps else None
        self._validated = None
        due = self._keeps and time.monotonic() - self._saved_at >= CHECKPOINT_SECONDS
        if due:
            self._save_epoch()
        decision = self._report(Report(self._task.run.number, epoch, metrics, due, self._task.training))
        if due:  # only now is the new checkpoint the one that is gone back to
            checkpoints.is_recorded(str(self._task.folder), self._task.stem, self.epochs)
        self._resumable |= decision is Decision.PAUSE
        self._epoch_began = time.perf_counter()
        return decision

    def validation_ended(self) -> None:
        """Remember the weights that the epoch is validated with, because a callback is about to put others back."""
        self._validated = state_of(self._model) if self._keeps else None

    def _state(self) -> State:
        return state_of(self._model) if self._validated is None else self._validated

    def take(self, outcome: Any) -> None:
        """Report what `fit` returned: its epochs, where none were reported while it ran; otherwise its own metrics.

        These belong to the last epoch. The objective among them is the score, and the weights are kept that are there
        now; unless it is that of the best epoch, which `fit` has then picked out by itself.
        """
        objective = self._task.objective
        if not self._scores:
            for metrics in returned_epochs(outcome, objective.name):
                self.epoch_ended(metrics)
            return
        returned = returned_metrics(outcome, objective.name)
        score = returned.get(objective.name)
        best = objective.best(self._scores)
        if score is None or (best is not None and math.isclose(score, best[1], rel_tol=SAME)):
            added = {name: value for name, value in returned.items() if name not in self._metrics}
        else:
            by_keras = {objective.name: self._metrics[objective.name]} if objective.name in self._metrics else {}
            added = {**returned, **by_keras, RETURNED: score}
            self._best, self._best_epoch = score, self.epochs - 1
            self._best_state = state_of(self._model) if self._keeps else None
        if added:
            metrics = {**self._metrics, **added}
            epoch = self.epochs - 1
            self._report(Report(self._task.run.number, epoch, metrics, training=self._task.training, amends=True))

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
        checkpoints.save_best(self._model, str(self._task.folder), self._task.stem, self._best_epoch)
        assign(self._model, last)
        self._best_state = None
