"""`tune keras-tuner`: a KerasTuner program as it is."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import typer

from tuning.cli.app import app
from tuning.errors import OptionError, must


@app.command(
    "keras-tuner",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog="Example: [bold]tune keras-tuner my_script.py[/bold]; with TUNE_WORKERS=2 in the environment two trials are "
    "trained at once.",
)
def keras_tuner(
    context: typer.Context, script: Path = typer.Argument(..., help="The program, followed by its own arguments.")
) -> None:
    """Run a KerasTuner program with the toolkit behind its searches: faster, in parallel, resumable."""
    if not script.is_file():
        raise OptionError(must("script", "be an existing file", str(script)))
    # In a process of its own: the program owns its output, its exit code and what it does about Ctrl-C.
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "tuning.keras_tuner", str(script), *context.args])
