"""`tune report`: a study as one HTML file."""

from __future__ import annotations

import contextlib
from pathlib import Path

import typer

from tuning.cli.app import app
from tuning.cli.console import end_on_signals, print_json, results
from tuning.cli.options import JSON, LOGS, STORAGE, study_path


@app.command(
    epilog="Examples: [bold]tune report fashion_mnist-optuna --out report.html[/bold]; "
    "[bold]tune report fashion_mnist-optuna --watch[/bold] while the search runs."
)
def report(
    study: str = typer.Argument(..., help="A study's name, or the path of its folder."),
    out: Path = typer.Option(None, "--out", metavar="FILE", help="Default: report.html in the study's folder."),
    watch: bool = typer.Option(
        False, "--watch", help="Show it on 127.0.0.1 instead, kept up to date while the search runs; Ctrl-C ends it."
    ),
    port: int = typer.Option(
        None, "--port", min=1, max=65535, help="Port of --watch; default: the first free one from 6106 on."
    ),
    logs: Path = LOGS,
    storage: str = STORAGE,
    as_json: bool = JSON,
) -> None:
    """Write a report: what was found, curves, each hyperparameter, failures, how to repeat it.

    One file that needs neither a server nor a network.
    """
    from tuning.errors import OptionError
    from tuning.report import write_report
    from tuning.storage.reading import unswept
    from tuning.study import load

    if watch and (out is not None or as_json):
        raise OptionError("`--watch` must stand without --out and --json, because it shows the report and writes none.")
    if port is not None and not watch:
        raise OptionError("`--port` must stand with --watch.")
    if watch:
        _serve(study_path(study, logs, storage), storage, port)
        return
    with unswept():
        found = load(study_path(study, logs, storage), storage=storage)
        path = write_report(found, out)
    if as_json:
        print_json({"study": found.name, "report": str(path), "trials": len(found.trials)})
    else:
        results().print(f"report {path}")


def _serve(path: Path, storage: str | None, port: int | None) -> None:
    """Serve the report until somebody interrupts."""
    from tuning.report.live import Live
    from tuning.study import load

    end_on_signals()
    name = load(path, storage=storage).name  # refused here where there is none
    with Live(path, storage, port) as running, contextlib.suppress(KeyboardInterrupt):
        results().print(f"report of {name}  {running.url}   (Ctrl-C to end)")
        running.wait()
