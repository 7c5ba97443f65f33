"""Progress of a search: a live display on a terminal, plain lines elsewhere.

An observer; both displays write to standard error. A display that fails must not fail the search, so it
does no more than count and format.
"""

from __future__ import annotations

import time
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
from tuning.cli.tables import counts, duration, score
from tuning.driver.observer import Observer
from tuning.engines.registry import engine_kind
from tuning.records.definition import Definition
from tuning.records.ranking import ranked
from tuning.records.trial import Curve, State, Trial


class PlainProgress(Observer):
    """One line a run.

    Args:
        max_trials: number of trials in all; None for the engine's own.
    """

    def __init__(self, max_trials: int | None = None) -> None:
        self._max_trials = max_trials
        self._trials: dict[int, Trial] = {}
        self._definition: Definition | None = None
        self._started = time.monotonic()

    def search_started(self, definition: Definition, trials: Sequence[Trial]) -> None:
        self._definition = definition
        self._trials = {trial.number: trial for trial in trials}
        self._say(f"study {definition.study}: {definition.engine} on {definition.space}, seed {definition.seed}")
        note = engine_kind(definition.engine).remark(definition, self._limit(definition))
        if note:
            self._say(note)
        if trials:
            self._say(f"resumed with {counts(trials)}")

    def run_ended(self, trial: Trial) -> None:
        self._trials[trial.number] = trial
        if trial.state is State.FAILED:
            result = f"failed: {trial.error}"
        else:
            name = self._definition.objective.name if self._definition is not None else "score"
            stopped = "stopped, " if trial.state is State.PRUNED else ""
            where = f"in {len(trial.parts)} parts" if trial.parts else f"in epoch {trial.best_epoch}"
            spread = f" ± {score(trial.score_std)}" if trial.score_std is not None else ""
            result = f"{stopped}{name} {score(trial.score)}{spread} {where}"
        self._say(
            f"trial {trial.number:<3} {result}; {trial.epochs} epochs, {duration(trial.seconds)}{self._best_so_far()}"
        )

    def trial_ended(self, trial: Trial) -> None:
        self._trials[trial.number] = trial

    def search_ended(self, trials: Sequence[Trial], reason: str) -> None:
        why = f" ({reason})" if reason else ""
        self._say(f"{counts(trials)} in {duration(time.monotonic() - self._started)}{why}")

    def _limit(self, definition: Definition) -> int | None:
        return self._max_trials if self._max_trials is not None else engine_kind(definition.engine).trials

    def _best_so_far(self) -> str:
        if self._definition is None:
            return ""
        best = ranked(list(self._trials.values()), self._definition.objective)[:1]
        return f"; best {score(best[0].score)} (trial {best[0].number})" if best else ""

    def _say(self, text: str) -> None:
        remarks().print(text, markup=False)


class LiveProgress(PlainProgress):
    """A bar over all epochs and one for each running trial; lines for what ended."""

    def __init__(self, max_trials: int | None = None) -> None:
        super().__init__(max_trials)
        self._running: dict[int, TaskID] = {}

    def search_started(self, definition: Definition, trials: Sequence[Trial]) -> None:
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("epochs"),
            TextColumn("{task.fields[remark]}"),
            TimeElapsedColumn(),
            console=remarks(),
            transient=True,
        )
        done = sum(_trained(trial) for trial in trials)
        planned = engine_kind(definition.engine).planned_epochs(definition, self._limit(definition))
        self._n_parts = len(definition.part_names) or 1
        total = None if planned is None else planned * self._n_parts
        self._all = self._bar.add_task("search", total=total, completed=done, remark="")
        self._bar.start()
        super().search_started(definition, trials)

    def run_started(self, trial: Trial) -> None:
        self._remove(trial)  # a run that was lost starts again
        self._running[trial.number] = self._bar.add_task(
            f"trial {trial.number}", total=trial.run.stop * self._n_parts, completed=_trained(trial), remark=""
        )

    def epoch_ended(self, trial: Trial) -> None:
        if not trial.parts:
            self._show(trial, trial.curve)

    def part_epoch_ended(self, trial: Trial, part: int) -> None:
        self._show(trial, trial.parts[part].curve)

    def _show(self, trial: Trial, curve: Curve) -> None:
        self._bar.advance(self._all)
        task = self._bar.tasks[0]
        left = "" if task.time_remaining is None else f"  about {duration(task.time_remaining)} left"
        self._bar.update(self._all, remark=f"{counts(list(self._trials.values()))}{self._best_so_far()}{left}")
        values = curve.values(self._definition.objective.name) if self._definition is not None else []
        now = f"{self._definition.objective.name} {score(values[-1])}" if self._definition is not None else ""
        self._bar.update(self._running[trial.number], completed=_trained(trial), remark=now)

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
    """Return the epochs of a trial, those of all its parts."""
    return sum(len(part.curve) for part in trial.parts) if trial.parts else trial.epochs
