"""A study as text and as HTML, for a prompt and for a notebook.

Owns what is said and drawn; `tuning.records.words` owns how numbers and trials are said.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from tuning.display.console import printable
from tuning.records.ranking import ranked
from tuning.records.trial import State
from tuning.records.words import best_line, counts, duration, feasibility, number, pairs, score

if TYPE_CHECKING:
    from tuning.study.study import Study

TOP = 10
"""Trials that are shown."""

WIDTH, HEIGHT = 360, 90
"""Of the history, in pixels."""

CELL = "style='text-align:right;padding:.15em .7em;white-space:nowrap'"


class Shown(str):
    """Text that a prompt and a notebook show as it is, without quotes, and that `print` prints."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def summary(study: Study, top: int = TOP) -> Shown:
    """Return what a study is, its best trial, and a line for each of its best trials."""
    d = study.definition
    lines = [
        f"study {study.name}: {d.engine} on {d.space}, {' and '.join(map(str, d.objectives))}, seed {d.seed}"
        f"{d.elsewhere}",
        _totals(study),
        best_line(d, study.trials),
        *feasibility(d, study.trials),
    ]
    shown = ranked(study.trials, study.objective)[:top]
    if len(shown) > 1:
        lines.append("")
        lines += [f"{t.number:>5}  {score(t.score):>9}  {'  '.join(pairs(t))}" for t in shown]
    return Shown(printable("\n".join(lines)))


def space_summary(study: Study) -> Shown:
    """Return a line for each hyperparameter: its values, its default, and when it applies."""
    found = study.definition.hyperparameters
    width = max((len(h.name) for h in found), default=0)
    lines = [f"{len(found)} hyperparameter{'s' * (len(found) != 1)}"]
    for h in found:
        when = " and ".join(condition.describe() for condition in h.conditions)
        lines.append(
            f"  {h.name:<{width}}  {h.describe()}; default {number(h.default)}{f'; only if {when}' if when else ''}"
        )
    return Shown(printable("\n".join(lines)))


def html(study: Study) -> str:
    """Return what a notebook shows: the best, how it was found, and the best trials; in the notebook's own colours."""
    head = f"{study.definition.engine} on {study.definition.space}; {_totals(study)}"
    return (
        "<div style='line-height:1.5'>"
        f"<div><b>{escape(study.name)}</b> &nbsp;{escape(head)}</div>"
        f"<div>{escape(best_line(study.definition, study.trials))}</div>"
        f"{_history(study)}{_table(study)}</div>"
    )


def _totals(study: Study) -> str:
    epochs, seconds = sum(t.trained_epochs for t in study.trials), sum(t.seconds for t in study.trials)
    said = f"{epochs} epoch{'s' * (epochs != 1)} in {duration(seconds)} of training"
    return f"{counts(study.trials, study.is_live)}; {said}"


def _table(study: Study) -> str:
    shown = ranked(study.trials, study.objective)[:TOP]
    names = list(dict.fromkeys(name for trial in shown for name in trial.values))
    heads = ["trial", study.objective.name, "epochs", *names]
    head = "".join(f"<th scope='col' {CELL}>{escape(name)}</th>" for name in heads)
    rows = []
    for trial in shown:
        cells: list[Any] = [trial.number, score(trial.score), trial.epochs]
        cells += [number(trial.values.get(name)) for name in names]
        rows.append("<tr>" + "".join(f"<td {CELL}>{escape(str(cell))}</td>" for cell in cells) + "</tr>")
    more = len(study.trials) - len(shown)
    note = f"<div style='opacity:.7'>and {more} more: study.dataframe()</div>" if more > 0 else ""
    return (
        "<div style='overflow-x:auto'><table style='border-collapse:collapse'>"
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>{note}"
    )


def _history(study: Study) -> str:
    """Return a picture of scores in the order of trials, with a line of the best so far; none of fewer than two."""
    scored = [t for t in study.trials if t.score is not None and t.state is not State.FAILED and t.is_feasible]
    values = [float(t.score) for t in scored if t.score is not None]
    if len(values) < 2:
        return ""
    low, high, last = min(values), max(values), scored[-1].number or 1
    scale = (HEIGHT - 20) / (high - low) if high > low else 0.0

    def at(trial: int, value: float) -> tuple[float, float]:
        return 10 + (WIDTH - 20) * trial / last, HEIGHT - 10 - scale * (value - low)

    points = [at(t.number, value) for t, value in zip(scored, values, strict=True)]
    best, line = values[0], []
    for (x, _), value in zip(points, values, strict=True):
        best = min(best, value, key=study.objective.sort_key)
        line.append(f"{x:.1f},{at(0, best)[1]:.1f}")
    dots = "".join(f"<circle cx='{x:.1f}' cy='{y:.1f}' r='2.5' opacity='.55'/>" for x, y in points)
    said = f"{study.objective.name} of {len(values)} trials, from {score(low)} to {score(high)}"
    return (
        f"<svg role='img' aria-label='{escape(said)}' width='{WIDTH}' height='{HEIGHT}' fill='currentColor' "
        f"style='display:block;max-width:100%'><title>{escape(said)}</title>{dots}"
        f"<polyline points='{' '.join(line)}' fill='none' stroke='#2a78d6' stroke-width='2'/></svg>"
    )
