"""`tune logs`: what trials have printed."""

from __future__ import annotations

from pathlib import Path

import typer

from tuning.cli.app import app
from tuning.cli.options import LOGS, STORAGE, study_path


@app.command(epilog="Example: [bold]tune logs digits-optuna 7[/bold]")
def logs(
    study: str = typer.Argument(..., help="A study's name, or the path of its folder."),
    trial: int = typer.Argument(None, min=0, help="Number of a trial; default: all."),
    folder: Path = LOGS,
    storage: str = STORAGE,
) -> None:
    """Print what trials have printed in worker processes, here or on a cluster."""
    from tuning.display.console import printable
    from tuning.errors import StudyError
    from tuning.storage.folder import outputs

    path = study_path(study, folder, storage)
    found = outputs(path, trial)
    if not found:
        which = "no trial has" if trial is None else f"trial {trial} has not"
        raise StudyError(f"{which} printed anything in a worker process that {path / 'output'} would hold.")
    for file in found:
        typer.echo(f"=== {printable(file.stem)}")
        with file.open(encoding="utf-8", errors="replace", newline="\n") as text:
            for line in text:
                typer.echo(printable(line.rstrip("\r\n").rpartition("\r")[2]))  # of a bar that moved, its end
