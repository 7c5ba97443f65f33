"""Progress of a search in text: a live display on a terminal, plain lines elsewhere.

Both are observers and context managers, and write to standard error. A display that fails must not fail the search,
so it does no more than count and format. What it counts is kept from trial to trial: an epoch costs the same however
many trials there are.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from types import TracebackType

from rich.console import RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column
from rich.text import Text

from tuning.display.console import printable, remarks
from tuning.driver.observer import Observer
from tuning.engines.registry import engine_kind
from tuning.records.constraint import is_refused
from tuning.records.definition import Definition
from tuning.records.ranking import Ranking
from tuning.records.trial import State, Trial
from tuning.records.words import best_line, broken_by, constraints, counts, duration, in_words, score, state

MAX_BARS = 16
"""Trials that have a bar of their own: drawing a hundred of them would cost half a core."""

REMARK_SECONDS = 0.1
"""Least time between two changes of the words below the bars; they are not drawn more often."""

ROOM_FOR_NAME = 70
"""Columns that must be left for the objective's name to stand beside the value of each running trial."""

IMPORTING = "importing Keras"
"""What is said before anything is known."""

BY_BUDGET = 0
"""The number of trials of a search that has a budget and no number."""


class PlainProgress(Observer):
    """One line a run.

    Args:
        max_trials: number of trials in all; None for the engine's own, `BY_BUDGET` where a budget decides.
        says_best: whether it ends with the best trial.
    """

    def __init__(self, max_trials: int | None = None, says_best: bool = True) -> None:
        self._max_trials, self._says_best = max_trials, says_best
        self._words: dict[int, str] = {}  # for the state of each trial
        self._states: Counter[str] = Counter()
        self._ranking: Ranking | None = None
        self._definition: Definition | None = None
        self._resumed, self._where = "", ""
        self._n_runs = 0
        self._started = time.monotonic()

    def __enter__(self) -> PlainProgress:
        """Show that something is about to happen, before the first trial does."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the screen as it should be, whatever has happened."""

    def prepared(self, where: str) -> None:
        self._where = where

    def remarked(self, text: str) -> None:
        self._say(text)

    def search_started(self, definition: Definition, trials: Sequence[Trial]) -> None:
        self._definition = definition
        self._words, self._states, self._ranking = {}, Counter(), Ranking(definition.objective)
        for trial in trials:
            self._count(trial)
        self._resumed, self._n_runs = f"resumed with {counts(trials, is_live=False)}" if trials else "", 0
        where = f", {self._where}" if self._where else ""
        self._say(f"study {definition.study}: {definition.engine} on {definition.space}, seed {definition.seed}{where}")
        if definition.constraints:
            self._say(f"trials must keep {constraints(definition)}")
        note = engine_kind(definition.engine).remark(definition, self._limit(definition))
        if note:
            self._say(note)

    def run_started(self, trial: Trial) -> None:
        if self._n_runs == 0 and self._resumed:
            self._say(self._resumed)
        self._n_runs += 1
        self._count(trial)

    def run_ended(self, trial: Trial) -> None:
        self._count(trial)
        if trial.state is State.FAILED:
            result = f"failed: {trial.error}"
        elif is_refused(trial) and self._definition is not None:
            result = f"not trained: {broken_by(self._definition, trial)}"
        else:
            name = self._definition.objective.name if self._definition is not None else "score"
            stopped = "stopped, " if trial.state is State.PRUNED else ""
            where = f"in {len(trial.trainings)} parts" if trial.is_divided else f"in epoch {trial.best_epoch}"
            spread = f" ± {score(trial.score_std)}" if trial.score_std is not None else ""
            broken = "" if self._definition is None else broken_by(self._definition, trial)
            infeasible = f", infeasible ({broken})" if broken else ""
            result = f"{stopped}{name} {score(trial.score)}{spread} {where}{infeasible}"
        self._say(
            f"trial {trial.number:<3} {result}; {trial.epochs} epochs, {duration(trial.seconds)}{self._best_so_far()}"
        )

    def trial_ended(self, trial: Trial) -> None:
        self._count(trial)

    def search_ended(self, trials: Sequence[Trial], reason: str) -> None:
        trials = list(trials)  # looked at several times
        self._say(self._end(trials, reason))
        if self._says_best and self._definition is not None:
            self._say(best_line(self._definition, trials))

    def _end(self, trials: Sequence[Trial], reason: str) -> str:
        """Return what has come of the search: what was trained, or that there was nothing to train."""
        why = f" ({reason})" if reason else ""
        if self._definition is None or self._n_runs or not trials or any(not t.state.is_finished for t in trials):
            return f"{counts(trials, is_live=False)} in {duration(time.monotonic() - self._started)}{why}"
        total = max(len(trials), self._limit(self._definition) or 0)
        return f"study {self._definition.study} resumed: {len(trials)} of {total} trials, nothing to train{why}"

    def _limit(self, definition: Definition) -> int | None:
        if self._max_trials is not None:
            return None if self._max_trials == BY_BUDGET else self._max_trials
        return engine_kind(definition.engine).default_trials(definition)

    def _best_so_far(self) -> str:
        best = None if self._ranking is None else self._ranking.best()
        return "" if best is None else f"; best {score(best[1])} (trial {best[0]})"

    def _count(self, trial: Trial) -> None:
        """Take in what a trial is by now."""
        before, now = self._words.get(trial.number), state(trial, is_live=True)
        if before is not None:
            self._states[before] -= 1
        self._states[now] += 1
        self._words[trial.number] = now
        if self._ranking is not None:
            self._ranking.update(trial)

    def _say(self, text: str) -> None:
        remarks().print(text)


def looking(where: str) -> str:
    """Return what is said until the search begins."""
    return f"looking at the data and a first model, {where}".removesuffix(", ")


class _Bars(Progress):
    """Bars, and a line of words below them that is cut where the terminal ends."""

    words = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        yield self.make_tasks_table(self.tasks)
        if self.words:
            yield Text(self.words, no_wrap=True, overflow="ellipsis")


class LiveProgress(PlainProgress):
    """A bar over all epochs and one for each running trial, up to `MAX_BARS`; lines for what ended."""

    def __init__(self, max_trials: int | None = None, says_best: bool = True) -> None:
        super().__init__(max_trials, says_best)
        self._running: dict[int, TaskID] = {}
        self._training: set[int] = set()
        self._said_at = -math.inf
        width = remarks().width
        self._names_values, self._max_bars = True, min(MAX_BARS, max(1, remarks().height - 6))
        self._bar = _Bars(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
            BarColumn(max(8, min(40, width - 48))),
            MofNCompleteColumn(),
            TextColumn("{task.fields[remark]}", markup=False, table_column=Column(no_wrap=True)),
            TimeElapsedColumn(),
            console=remarks(),
            transient=True,
        )
        self._all = self._bar.add_task("search", total=None, remark="epochs")

    def __enter__(self) -> PlainProgress:
        self._bar.words = IMPORTING
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def prepared(self, where: str) -> None:
        super().prepared(where)
        self._bar.words = looking(where)

    def search_started(self, definition: Definition, trials: Sequence[Trial]) -> None:
        done = sum(trial.trained_epochs for trial in trials)
        planned = engine_kind(definition.engine).planned_epochs(definition, self._limit(definition))
        self._n_trainings = len(definition.training_names)
        self._names_values = remarks().width >= ROOM_FOR_NAME + len(definition.objective.name)
        total = None if planned is None else planned * self._n_trainings
        self._bar.reset(self._all, total=total, completed=done)
        self._bar.words = ""
        self._bar.start()
        super().search_started(definition, trials)

    def run_started(self, trial: Trial) -> None:
        super().run_started(trial)
        self._remove(trial)  # a run that was lost starts again
        self._training.add(trial.number)
        if len(self._running) >= self._max_bars:
            return
        self._running[trial.number] = self._bar.add_task(
            f"trial {trial.number}", total=trial.run.stop * self._n_trainings, completed=trial.trained_epochs, remark=""
        )

    def training_epoch_ended(self, trial: Trial, training: int) -> None:
        self._bar.advance(self._all)
        if time.monotonic() - self._said_at >= REMARK_SECONDS:
            self._count_in_words()
        task = self._running.get(trial.number)
        if task is not None and self._definition is not None:
            name = self._definition.objective.name
            value = score(trial.trainings[training].curve.epochs[-1].get(name, math.nan))
            remark = f"{printable(name)} {value}" if self._names_values else value
            self._bar.update(task, completed=trial.trained_epochs, remark=remark)

    def _count_in_words(self) -> None:
        self._said_at = time.monotonic()
        more = len(self._training) - len(self._running)
        unseen = f"; {more} more being trained" if more > 0 else ""
        self._bar.words = f"{in_words(+self._states)}{self._best_so_far()}{unseen}{self._left()}"

    def _left(self) -> str:
        seconds = self._bar.tasks[0].time_remaining
        return "" if seconds is None else f"; about {duration(seconds)} left"

    def run_ended(self, trial: Trial) -> None:
        self._remove(trial)
        super().run_ended(trial)
        self._count_in_words()

    def _remove(self, trial: Trial) -> None:
        self._training.discard(trial.number)
        task = self._running.pop(trial.number, None)
        if task is not None:
            self._bar.remove_task(task)

    def search_ended(self, trials: Sequence[Trial], reason: str) -> None:
        self._bar.stop()
        super().search_ended(trials, reason)
