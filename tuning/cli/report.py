"""`tune report`: a study as one HTML file."""

from __future__ import annotations

from pathlib import Path

import typer

from tuning.cli.app import app
from tuning.cli.console import print_json, results
from tuning.cli.options import JSON, LOGS, STORAGE, study_path


@app.command(epilog="Example: [bold]tune report fashion_mnist-optuna --out report.html[/bold]")
def report(
    study: str = typer.Argument(..., help="A study's name, or the path of its folder."),
    out: Path = typer.Option(None, "--out", metavar="FILE", help="Default: report.html in the study's folder."),
    logs: Path = LOGS,
    storage: str = STORAGE,
    as_json: bool = JSON,
) -> None:
    """Write a report: best trial, curves, parallel coordinates, each hyperparameter, failures, how to repeat it.

    One file that needs neither a server nor a network.
    """
    from tuning.report import write_report
    from tuning.study import load

    found = load(study_path(study, logs, storage), storage=storage)
    path = write_report(found, out)
    if as_json:
        print_json({"study": found.name, "report": str(path), "trials": len(found.trials)})
    else:
        results().print(f"report {path}")
