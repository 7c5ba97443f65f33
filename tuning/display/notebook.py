"""Progress of a search in a notebook: one piece of HTML below the cell, changed in place.

An observer. It is drawn a few times a second at most, in the colours of the notebook, light or dark.
"""

from __future__ import annotations

import contextlib
import math
import time
import warnings
from collections import deque
from collections.abc import Sequence
from html import escape
from importlib import import_module
from types import TracebackType
from typing import Any

from tuning.display.progress import IMPORTING, MAX_BARS, PlainProgress, looking
from tuning.engines.registry import engine_kind
from tuning.records.definition import Definition
from tuning.records.trial import Trial
from tuning.records.words import in_words, score

DRAW_SECONDS = 0.25
"""Least time between two drawings."""

MAX_LINES = 8
"""Lines of what ended that are kept in sight."""


class NotebookProgress(PlainProgress):
    """A bar over all epochs and one for each running trial; the last lines of what ended."""

    def __init__(self, max_trials: int | None = None, says_best: bool = True) -> None:
        super().__init__(max_trials, says_best)
        self._lines: deque[str] = deque(maxlen=MAX_LINES)
        self._head: list[str] = []
        self._training: dict[int, tuple[Trial, float]] = {}
        self._done, self._n_trainings = 0, 1
        self._total: int | None = None
        self._is_over = False
        self._drawn_at = -math.inf
        self._handle: Any = None

    def __enter__(self) -> PlainProgress:
        shown: Any = import_module("IPython.display")
        with (
            warnings.catch_warnings(),
            contextlib.suppress(ImportError),
        ):  # it warns that there are no widgets
            warnings.simplefilter("ignore")
            import_module("tqdm.auto")
        self._html = shown.HTML
        self._handle = shown.display(shown.HTML(_page([IMPORTING], "", [], [])), display_id=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over = True
        if self._definition is None:  # refused before it began
            self._head = []
        self._draw()

    def prepared(self, where: str) -> None:
        super().prepared(where)
        self._head = [looking(where)]
        self._draw()

    def search_started(self, definition: Definition, trials: Sequence[Trial]) -> None:
        self._n_trainings = len(definition.training_names)
        planned = engine_kind(definition.engine).planned_epochs(definition, self._limit(definition))
        self._total = None if planned is None else planned * self._n_trainings
        self._done = sum(trial.trained_epochs for trial in trials)
        super().search_started(definition, trials)
        self._head = list(self._lines)
        self._lines.clear()
        self._draw()

    def run_started(self, trial: Trial) -> None:
        super().run_started(trial)
        self._training[trial.number] = trial, math.nan
        self._draw_at_times()

    def training_epoch_ended(self, trial: Trial, training: int) -> None:
        self._done += 1
        name = "" if self._definition is None else self._definition.objective.name
        self._training[trial.number] = trial, trial.trainings[training].curve.epochs[-1].get(name, math.nan)
        self._draw_at_times()

    def run_ended(self, trial: Trial) -> None:
        self._training.pop(trial.number, None)
        super().run_ended(trial)
        self._draw_at_times()

    def search_ended(self, trials: Sequence[Trial], reason: str) -> None:
        self._is_over = True
        super().search_ended(trials, reason)
        self._draw()

    def _say(self, text: str) -> None:
        self._lines.append(text)

    def _draw_at_times(self) -> None:
        if time.monotonic() - self._drawn_at >= DRAW_SECONDS:
            self._draw()

    def _draw(self) -> None:
        self._drawn_at = time.monotonic()
        if self._handle is not None:
            self._handle.update(self._html(self.page()))

    def page(self) -> str:
        """Return what is shown at present."""
        if self._is_over:
            return _page(self._head, "", [], list(self._lines))
        words = f"{in_words(+self._states)}{self._best_so_far()}"
        bars = [_bar("search", self._done, self._total, "epochs")]
        for number, (trial, value) in list(self._training.items())[:MAX_BARS]:
            said = "" if math.isnan(value) else score(value)
            bars.append(_bar(f"trial {number}", trial.trained_epochs, trial.run.stop * self._n_trainings, said))
        more = len(self._training) - MAX_BARS
        return _page(self._head, words + (f"; {more} more being trained" if more > 0 else ""), bars, list(self._lines))


def _page(head: Sequence[str], words: str, bars: Sequence[str], lines: Sequence[str]) -> str:
    said = "".join(f"<div>{escape(line)}</div>" for line in head)
    table = f"<table style='border:none;margin:.4em 0'>{''.join(bars)}</table>" if bars else ""
    ended = "".join(f"<div>{escape(line)}</div>" for line in lines)
    return (
        "<div style='font-family:monospace;font-size:90%;line-height:1.45'>"
        f"{said}{table}<div>{escape(words)}</div><div style='opacity:.8'>{ended}</div></div>"
    )


def _bar(name: str, done: int, total: int | None, words: str) -> str:
    most = "" if total is None else f" value='{done}' max='{max(total, done, 1)}'"
    of = f"{done}" if total is None else f"{done}/{total}"
    cell = "style='border:none;text-align:left;padding:0 .6em 0 0'"
    return (
        f"<tr style='background:none'><td {cell}>{escape(name)}</td><td {cell}>"
        f"<progress{most} style='width:14em' aria-label='{escape(name)}'></progress></td>"
        f"<td {cell}>{of}</td><td {cell}>{escape(words)}</td></tr>"
    )
