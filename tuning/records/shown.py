"""A trial as text and as HTML, for a prompt and for a notebook.

Owns what is said and drawn of a single trial; `words` owns how numbers are said.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from tuning.records.trial import Trial
from tuning.records.words import duration, number, pairs, score

WIDTH, HEIGHT = 160, 28
"""Of the picture of a metric, in pixels."""

MAX_METRICS = 12
"""Metrics that are drawn."""

CELL = "style='text-align:right;padding:.15em .7em;white-space:nowrap'"


def text(trial: Trial) -> str:
    """Return a trial in two lines, or in three where it has failed."""
    lines = [_head(trial), f"  {'  '.join(pairs(trial)) or 'no hyperparameters'}"]
    return "\n".join([*lines, *([f"  {trial.error}"] if trial.error else [])])


def html(trial: Trial) -> str:
    """Return what a notebook shows of a trial: its values, and each metric epoch by epoch, in its own colours."""
    values = "".join(
        f"<tr><td {CELL}>{escape(name)}</td><td {CELL}>{escape(number(value))}</td></tr>"
        for name, value in trial.values.items()
    )
    error = f"<div>{escape(trial.error)}</div>" if trial.error else ""
    return (
        f"<div style='line-height:1.5'><div><b>{escape(_head(trial))}</b></div>{error}"
        "<div style='display:flex;flex-wrap:wrap;gap:1em 2em;align-items:flex-start'>"
        f"{_table(('hyperparameter', 'value'), values)}{_metrics(trial)}</div></div>"
    )


def _head(trial: Trial) -> str:
    spread = f" ± {score(trial.score_std)}" if trial.score_std is not None else ""
    found = "no score" if trial.score is None else f"score {score(trial.score)}{spread} in epoch {trial.best_epoch}"
    n = trial.trained_epochs
    return f"trial {trial.number}: {trial.state.value}, {found}; {n} epoch{'s' * (n != 1)}, {duration(trial.seconds)}"


def _metrics(trial: Trial) -> str:
    """Return a row for each metric: its first, best epoch's and last value, and its way there."""
    epochs = trial.curve.epochs
    names = list(dict.fromkeys(name for epoch in epochs for name in epoch))[:MAX_METRICS]
    rows = []
    for name in names:
        values = trial.curve.values(name)
        at_best = values[trial.best_epoch] if trial.best_epoch is not None else math.nan
        cells = [name, *(score(v) if math.isfinite(v) else "" for v in (values[0], at_best, values[-1]))]
        drawn = "".join(f"<td {CELL}>{escape(cell)}</td>" for cell in cells)
        rows.append(f"<tr>{drawn}<td {CELL}>{_line(name, values)}</td></tr>")
    return _table(("metric", "first", "at the best", "last", "by epoch"), "".join(rows)) if rows else ""


def _table(heads: Sequence[str], rows: str) -> str:
    head = "".join(f"<th scope='col' {CELL}>{escape(one)}</th>" for one in heads)
    return f"<table style='border-collapse:collapse'><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _line(name: str, values: Sequence[float]) -> str:
    """Return a small picture of a metric; none of fewer than two values."""
    points = [(epoch, value) for epoch, value in enumerate(values) if math.isfinite(value)]
    if len(points) < 2:
        return ""
    low, high = min(value for _, value in points), max(value for _, value in points)
    scale, step = (HEIGHT - 6) / (high - low) if high > low else 0.0, (WIDTH - 6) / max(1, len(values) - 1)
    line = " ".join(f"{3 + step * epoch:.1f},{HEIGHT - 3 - scale * (value - low):.1f}" for epoch, value in points)
    said = escape(f"{name} by epoch, from {score(low)} to {score(high)}")
    return (
        f"<svg role='img' aria-label='{said}' width='{WIDTH}' height='{HEIGHT}'><title>{said}</title>"
        f"<polyline points='{line}' fill='none' stroke='#2a78d6' stroke-width='2'/></svg>"
    )
