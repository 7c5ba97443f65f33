"""`tune show` and `tune list`: what studies hold."""

from __future__ import annotations

from pathlib import Path

import typer

from tuning.cli.app import app
from tuning.cli.console import print_json, remarks, results
from tuning.cli.options import JSON, LOGS, STORAGE, study_path

MAX_ROWS = 100
"""Trials that are shown unless more are asked for: a table of thousands takes seconds, and nobody reads it."""


@app.command(epilog="Example: [bold]tune show fashion_mnist-optuna --top 5[/bold]")
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
        uncompiled,
    )
    from tuning.engines.registry import engine_kind
    from tuning.records.ranking import ranked
    from tuning.records.words import best_line, counts
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
    console.print(
        f"{found.name}: {definition.engine} on {definition.space}, {' and '.join(map(str, definition.objectives))}, "
        f"seed {definition.seed}{division(definition)}{', ' + options if options else ''}",
    )
    top = MAX_ROWS if top is None else top
    console.print(trials_table(found, top, console.width))
    if compared:
        console.print(baselines_table(compared, found.objective))
    remarked = [*failures(found.trials), *uncompiled(found.trials), *final_line(found)]
    for line in [best_line(definition, found.trials), counts(found.trials, top), *remarked]:
        console.print(line)


@app.command("list", epilog="Example: [bold]tune list --logs logs[/bold]")
def list_studies(logs: Path = LOGS, as_json: bool = JSON) -> None:
    """List the studies."""
    from tuning.cli.tables import table
    from tuning.errors import TuningError
    from tuning.records.words import counts, score
    from tuning.study import find_studies, load

    found = []
    for path in find_studies(logs):
        try:
            found.append(load(path))
        except TuningError as error:
            remarks().print(f"{path}: {error}")
    if as_json:
        print_json([{**study.to_json(), "trials": len(study.trials)} for study in found])
        return
    if not found:
        results().print(f"no studies in {logs}; `tune run` makes one")
        return
    made = table()
    for column in ("study", "space", "engine", "objective", "best", "trials"):
        made.add_column(column, no_wrap=True, justify="right" if column == "best" else "left")
    for study in found:
        best = study.best
        made.add_row(
            study.name,
            study.definition.space,
            study.definition.engine,
            str(study.objective),
            score(best.score if best else None),
            counts(study.trials),
        )
    results().print(made)
