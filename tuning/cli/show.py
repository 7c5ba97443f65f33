"""`tune show` and `tune list`: what studies hold."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from tuning.cli.app import app
from tuning.cli.console import print_json, remarks, results
from tuning.cli.options import JSON, LOGS, STORAGE, study_path
from tuning.storage.reading import unswept

if TYPE_CHECKING:
    from tuning.study import Study

HEADS = (
    *("study", "space", "engine", "objective", "best", "trials", "of which"),
    *("date", "epochs", "duration", "size"),
)
HEADS_THAT_GO = ("of which", "space", "size", "engine", "epochs", "duration", "date", "objective")
"""Columns of `tune list` that are left out, one after the other, where it is too wide."""

MAX_ROWS = 100
"""Trials that are shown unless more are asked for: a table of thousands takes seconds, and nobody reads it."""


@app.command(epilog="Example: [bold]tune show fashion_mnist-optuna --top 5[/bold]")
@unswept()
def show(
    study: str = typer.Argument(..., help="A study's name, or the path of its folder."),
    logs: Path = LOGS,
    storage: str = STORAGE,
    top: int = typer.Option(None, "--top", min=1, help=f"Show the best N trials; default: {MAX_ROWS}."),
    as_json: bool = JSON,
) -> None:
    """Show the trials of a study, best first."""
    from tuning.cli.tables import (
        baselines_table,
        division,
        failures,
        final_line,
        trials_table,
        ways,
    )
    from tuning.engines.registry import engine_kind
    from tuning.records.ranking import ranked
    from tuning.records.words import best_line, constraints, counts, feasibility
    from tuning.study import load
    from tuning.tools.baselines import beside

    found = load(study_path(study, logs, storage), storage=storage)
    compared = beside(found.path.parent, found.definition.data)
    if as_json:
        record = found.to_json()
        if top is not None:
            record["trials"] = [trial.to_json() for trial in ranked(found.trials, found.objective)[:top]]
        record["baselines"] = [entry.to_json() for entry in compared]
        print_json(record)
        return
    definition, console = found.definition, results()
    defaults = engine_kind(definition.engine).options
    options = " ".join(
        f"{k}={v}" for k, v in definition.options.items() if k not in defaults or v != defaults[k].default
    )
    keeps = f", {constraints(definition)}" if definition.constraints else ""
    keeps += f", begun with the best of {' and '.join(definition.warm_start)}" if definition.warm_start else ""
    console.print(
        f"{found.name}: {definition.engine} on {definition.space}, {' and '.join(map(str, definition.objectives))}, "
        f"seed {definition.seed}{definition.elsewhere}{keeps}{division(definition)}{', ' + options if options else ''}",
    )
    top = MAX_ROWS if top is None else top
    console.print(trials_table(found, top, console.width))
    if compared:
        console.print(baselines_table(compared, found.objective))
    remarked = [*failures(found.trials), *ways(found.trials), *final_line(found)]
    infeasible = feasibility(definition, found.trials)
    for line in [best_line(definition, found.trials), counts(found.trials, found.is_live, top), *infeasible, *remarked]:
        console.print(line)


class Order(str, enum.Enum):
    """What `tune list` can be sorted by."""

    NAME = "name"
    DATE = "date"
    DURATION = "duration"
    SIZE = "size"
    TRIALS = "trials"


@app.command("list", epilog="Example: [bold]tune list --logs logs --sort date[/bold]")
def list_studies(
    logs: Path = LOGS,
    sort: Order = typer.Option(Order.NAME, "--sort", help="By name, or the latest, longest or largest first."),
    as_json: bool = JSON,
) -> None:
    """List the studies."""
    from tuning.errors import TuningError
    from tuning.storage.reading import understood
    from tuning.study import find_studies, load

    listed = []
    for path in find_studies(logs):
        try:
            study = load(path)
            with understood(study.name):  # whatever one study holds, the others are listed
                facts = _facts(study)
                _cells(study, facts)
            listed.append((study, facts))
        except TuningError as error:
            remarks().print(f"{path}: {error}")
    if sort is not Order.NAME:
        listed.sort(key=lambda entry: entry[1][sort.value] or 0, reverse=True)
    if as_json:
        print_json([{**study.to_json(), **facts} for study, facts in listed])
    elif not listed:
        results().print(f"no studies in {logs}; `tune run` makes one")
    else:
        results().print(_studies_table(listed, results().width))


def _facts(study: Study) -> dict[str, Any]:
    """Return what is listed of a study besides: when it was trained last (Unix time), how much, and its bytes."""
    from tuning.storage.folder import size_of

    times = [at for trial in study.trials for at in (trial.started_at, trial.ended_at) if at is not None]
    return {
        "trials": len(study.trials),
        "date": max(times, default=None),
        "epochs": sum(trial.trained_epochs for trial in study.trials),
        "duration": sum(trial.seconds for trial in study.trials),
        "size": size_of(study.path),
    }


def _studies_table(listed: Sequence[tuple[Study, Mapping[str, Any]]], width: int) -> Any:
    """Return the studies, so that they fit into `width` columns: what is least asked for is left out first."""
    from tuning.cli.tables import fitting

    rows = [_cells(study, facts) for study, facts in listed]
    columns = {name: [row[place] for row in rows] for place, name in enumerate(HEADS)}
    return fitting(columns, HEADS_THAT_GO, width, ("study", "objective"))


def _cells(study: Study, facts: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what is said of a study below `HEADS`."""
    from datetime import datetime

    from tuning.records.words import counts, duration, score

    d, at = study.definition, facts["date"]
    if len(d.objectives) > 1:
        best = f"Pareto set of {len(study.pareto)}" if study.pareto else ""
    else:
        best = score(study.best.score if study.best else None)
    short, rest = counts(study.trials, study.is_live).partition(":")[::2]
    return (
        *(study.name, d.space, d.engine, ", ".join(map(str, d.objectives)), best, short, rest.strip()),
        "" if at is None else f"{datetime.fromtimestamp(at):%Y-%m-%d %H:%M}",
        *(str(facts["epochs"]), duration(facts["duration"]), f"{facts['size'] / 1e6:.1f} MB"),
    )
