"""`tune dashboard`: optuna-dashboard on studies of any engine."""

from __future__ import annotations

import contextlib
from pathlib import Path

import typer

from tuning.cli.app import app
from tuning.cli.console import end_on_signals, results
from tuning.cli.options import LOGS, STORAGE, study_path


@app.command(
    epilog="Examples: [bold]tune dashboard[/bold] shows all studies of the folder, also those that are begun later; "
    "[bold]tune dashboard digits-optuna[/bold]"
)
def dashboard(
    study: list[str] = typer.Argument(None, help="Names or folders of studies; default: all in the folder."),
    logs: Path = LOGS,
    storage: str = STORAGE,
    port: int = typer.Option(None, "--port", min=1, max=65535, help="Port; default: the first free one from 8080 on."),
) -> None:
    """Open optuna-dashboard on studies, on 127.0.0.1; it shows them and changes none. Ctrl-C ends it."""
    from tuning.errors import OptionError, StudyError
    from tuning.study import find_studies

    chosen = [study_path(name, logs, storage) for name in study or ()]
    if not chosen and storage is not None:
        raise OptionError("`tune dashboard` must be told which studies of a database to show. Give their names.")
    if not chosen and not find_studies(logs):
        raise StudyError(f"`--logs` must be a folder with studies, but '{logs}' has none. `tune run` makes one.")
    from tuning.report.dashboard import Dashboard

    end_on_signals()
    running = Dashboard((lambda: chosen) if chosen else (lambda: find_studies(logs)), storage, port)
    with running, contextlib.suppress(KeyboardInterrupt):
        results().print(f"dashboard  {running.url}   (Ctrl-C to end)")
        running.wait()
