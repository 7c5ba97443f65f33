"""`tune compare`: studies side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from tuning.cli.app import app
from tuning.cli.console import print_json, results
from tuning.cli.options import JSON, LOGS, STORAGE, study_path

if TYPE_CHECKING:
    from tuning.report.groups import Group

THAT_GO = ("seeds", "time", "trials", "epochs")
"""Columns that are left out, one after the other, where the table is too wide."""

MAX_TEXT = 22
"""Letters of a value."""


@app.command(
    epilog="Examples: [bold]tune compare digits-optuna digits-hyperband[/bold]; `--out compare.html` writes a page "
    "with the best so far against epochs and seconds. Studies that differ by their seeds only are one line."
)
def compare(
    study: list[str] = typer.Argument(..., help="Names or folders of studies of one objective."),
    out: Path = typer.Option(None, "--out", metavar="FILE", help="Write a page, one HTML file."),
    logs: Path = LOGS,
    storage: str = STORAGE,
    as_json: bool = JSON,
) -> None:
    """Compare studies: how good after how much training, and what their best trials are."""
    from tuning.report import write_comparison
    from tuning.report.groups import goal_of, grouped, left_out, side_by_side
    from tuning.study import load

    found = [load(study_path(name, logs, storage), storage=storage) for name in study]
    groups = grouped(found)
    goal = goal_of(groups, found[0].objective)
    path = None if out is None else write_comparison(found, out)
    if as_json:
        print_json({"objective": str(found[0].objective), "goal": goal, "report": None if path is None else str(path),
                    "studies": [_record(group, goal) for group in groups]})  # fmt: skip
        return
    console = results()
    console.print(_scores(groups, goal, found[0].objective.name, console.width))
    for part in _parts(groups, console.width):
        console.print(part)
    differing = [name for name, _, differs in side_by_side(groups) if differs]
    console.print(f"different: {', '.join(differing) or 'nothing'}")
    if remark := left_out(groups):
        console.print(remark)
    if path is not None:
        console.print(f"page {path}")


def _record(group: Group, goal: float | None) -> dict[str, Any]:
    return {
        "studies": [study.name for study in group.studies],
        "best": group.score,
        "bests": group.scores,
        "trials": group.n_trials,
        "epochs": group.epochs,
        "seconds": group.seconds,
        "epochs_to_goal": None if goal is None else group.needed(goal),
        "seconds_to_goal": None if goal is None else group.needed(goal, in_seconds=True),
        "values": [dict(study.best.values) if study.best is not None else None for study in group.studies],
    }


def _scores(groups: Sequence[Group], goal: float | None, objective: str, width: int) -> Any:
    from tuning.cli.tables import fitting
    from tuning.records.words import duration, number, score

    spread = [
        f" ({score(min(g.scores))} to {score(max(g.scores))})" if len(g.scores) > 1 else "" for g in groups
    ]  # fmt: skip
    columns = {
        "study": [group.name for group in groups],
        objective: [score(group.score) + text for group, text in zip(groups, spread, strict=True)],
        "seeds": [str(len(group.studies)) for group in groups],
        "trials": [number(group.n_trials) for group in groups],
        "epochs": [number(group.epochs) for group in groups],
        "time": [duration(group.seconds) for group in groups],
    }
    if goal is not None:
        columns[f"epochs to {score(goal)}"] = [number(group.needed(goal)) for group in groups]
    return fitting(columns, THAT_GO, width, ("study",))


def _parts(groups: Sequence[Group], width: int) -> list[Any]:
    """Return what the studies are, a column each, in as many tables as the terminal needs."""
    from rich.cells import cell_len

    from tuning.cli.tables import GAP, fitting
    from tuning.report.groups import side_by_side

    rows = side_by_side(groups)
    names = [_cut(name) for name, _, _ in rows]
    columns: dict[str, list[str]] = {}
    for i, group in enumerate(groups):
        title = _cut(group.name)
        columns[title if title not in columns else f"{i + 1}: {title}"] = [_cut(texts[i]) for _, texts, _ in rows]
    parts: list[dict[str, list[str]]] = []
    left = 0
    for title, cells in columns.items():
        needed = max(map(cell_len, (title, *cells))) + GAP
        if not parts or needed > left:
            parts.append({"": names})
            left = width + 1 - max(map(cell_len, names)) - GAP
        parts[-1][title] = cells
        left -= needed
    return [fitting(part, (), width, ("",)) for part in parts]


def _cut(text: str) -> str:
    """Return a text of at most `MAX_TEXT` letters: of a longer one both ends, for names differ at either."""
    half = MAX_TEXT // 2
    return text if len(text) <= MAX_TEXT else f"{text[: half - 1]}…{text[-half:]}"
