"""Progress of a search: a live display on a terminal, plain lines elsewhere.

An observer; both displays write to standard error. A display that fails must not fail the search, so it
does no more than count and format. What it counts is kept from trial to trial: an epoch costs the same however many
trials there are.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Sequence

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from tuning.cli.console import remarks
from tuning.driver.observer import Observer
from tuning.engines.registry import engine_kind
from tuning.records.definition import Definition
from tuning.records.ranking import Ranking
from tuning.records.trial import State, Trial
from tuning.records.words import counts, duration, in_words, score

MAX_BARS = 16
"""Trials that have a bar of their own: drawing a hundred of them would cost half a core."""

REMARK_SECONDS = 0.1
"""Least time between two changes of the words beside the bar; it is not drawn more often."""


class PlainProgress(Observer):
    """One line a run.

    Args:
        max_trials: number of trials in all; None for the engine's own.
    """

    def __init__(self, max_trials: int | None = None) -> None:
        self._max_trials = max_trials
        self._trials: dict[int, Trial] = {}
        self._states: Counter[State] = Counter()
        self._ranking: Ranking | None = None
        self._definition: Definition | None = None
        self._started = time.monotonic()

    def search_started(self, definition: Definition, trials: Sequence[Trial]) -> None:
        self._definition = definition
        self._trials, self._states, self._ranking = {}, Counter(), Ranking(definition.objective)
        for trial in trials:
            self._count(trial)
        self._say(f"study {definition.study}: {definition.engine} on {definition.space}, seed {definition.seed}")
        note = engine_kind(definition.engine).remark(definition, self._limit(definition))
        if note:
            self._say(note)
        if trials:
            self._say(f"resumed with {counts(trials)}")

    def run_ended(self, trial: Trial) -> None:
        self._count(trial)
        if trial.state is State.FAILED:
            result = f"failed: {trial.error}"
        else:
            name = self._definition.objective.name if self._definition is not None else "score"
            stopped = "stopped, " if trial.state is State.PRUNED else ""
            where = f"in {len(trial.trainings)} parts" if trial.is_divided else f"in epoch {trial.best_epoch}"
            spread = f" ± {score(trial.score_std)}" if trial.score_std is not None else ""
            result = f"{stopped}{name} {score(trial.score)}{spread} {where}"
        self._say(
            f"trial {trial.number:<3} {result}; {trial.epochs} epochs, {duration(trial.seconds)}{self._best_so_far()}"
        )

    def trial_ended(self, trial: Trial) -> None:
        self._count(trial)

    def search_ended(self, trials: Sequence[Trial], reason: str) -> None:
        why = f" ({reason})" if reason else ""
        self._say(f"{counts(trials)} in {duration(time.monotonic() - self._started)}{why}")

    def _limit(self, definition: Definition) -> int | None:
        return self._max_trials if self._max_trials is not None else engine_kind(definition.engine).trials

    def _best_so_far(self) -> str:
        best = [] if self._ranking is None else self._ranking.first(1)
        return f"; best {score(self._trials[best[0]].score)} (trial {best[0]})" if best else ""

    def _count(self, trial: Trial) -> None:
        """Take in what a trial is by now."""
        before = self._trials.get(trial.number)
        if before is not None:
            self._states[before.state] -= 1
        self._states[trial.state] += 1
        self._trials[trial.number] = trial
        if self._ranking is not None:
            self._ranking.update(trial)

    def _say(self, text: str) -> None:
        remarks().print(text)


class LiveProgress(PlainProgress):
    """A bar over all epochs and one for each running trial, up to `MAX_BARS`; lines for what ended."""

    def __init__(self, max_trials: int | None = None) -> None:
        super().__init__(max_trials)
        self._running: dict[int, TaskID] = {}
        self._said_at = -math.inf

    def search_started(self, definition: Definition, trials: Sequence[Trial]) -> None:
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("epochs", markup=False),
            TextColumn("{task.fields[remark]}", markup=False),
            TimeElapsedColumn(),
            console=remarks(),
            transient=True,
        )
        done = sum(_trained(trial) for trial in trials)
        planned = engine_kind(definition.engine).planned_epochs(definition, self._limit(definition))
        self._n_trainings = len(definition.training_names)
        total = None if planned is None else planned * self._n_trainings
        self._all = self._bar.add_task("search", total=total, completed=done, remark="")
        self._bar.start()
        super().search_started(definition, trials)

    def run_started(self, trial: Trial) -> None:
        self._remove(trial)  # a run that was lost starts again
        if len(self._running) >= MAX_BARS:
            return
        self._running[trial.number] = self._bar.add_task(
            f"trial {trial.number}", total=trial.run.stop * self._n_trainings, completed=_trained(trial), remark=""
        )

    def training_epoch_ended(self, trial: Trial, training: int) -> None:
        self._bar.advance(self._all)
        now = time.monotonic()
        if now - self._said_at >= REMARK_SECONDS:
            self._said_at = now
            self._bar.update(self._all, remark=f"{in_words(self._states)}{self._best_so_far()}{self._left()}")
        task = self._running.get(trial.number)
        if task is not None and self._definition is not None:
            name = self._definition.objective.name
            value = trial.trainings[training].curve.epochs[-1].get(name, math.nan)
            self._bar.update(task, completed=_trained(trial), remark=f"{name} {score(value)}")

    def _left(self) -> str:
        seconds = self._bar.tasks[0].time_remaining
        return "" if seconds is None else f"  about {duration(seconds)} left"

    def run_ended(self, trial: Trial) -> None:
        self._remove(trial)
        super().run_ended(trial)

    def _remove(self, trial: Trial) -> None:
        task = self._running.pop(trial.number, None)
        if task is not None:
            self._bar.remove_task(task)

    def search_ended(self, trials: Sequence[Trial], reason: str) -> None:
        self._bar.stop()
        super().search_ended(trials, reason)


def _trained(trial: Trial) -> int:
    """Return the epochs of all trainings of a trial."""
    return sum(len(training.curve) for training in trial.trainings)
