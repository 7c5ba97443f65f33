"""`tune board`: TensorBoard on studies."""

from __future__ import annotations

from pathlib import Path

import typer

from tuning.cli.app import app
from tuning.cli.console import end_on_signals, results
from tuning.cli.options import LOGS, study_path


@app.command(
    epilog="Examples: [bold]tune board fashion_mnist-optuna[/bold]; with two names the studies stand side by side."
)
def board(
    study: list[str] = typer.Argument(..., help="Names or folders of one or more studies."),
    logs: Path = LOGS,
    port: int = typer.Option(None, "--port", min=1, max=65535, help="Port; default: the first free one from 6006 on."),
) -> None:
    """Open TensorBoard on a study; the HPARAMS tab shows its trials. Ctrl-C ends it."""
    from tuning.tensorboard import serve

    end_on_signals()
    paths = [study_path(name, logs) for name in study]
    with serve(paths, port) as running:
        results().print(f"TensorBoard  {running.url}#hparams   (Ctrl-C to end)")
        try:
            code = running.wait()
        except KeyboardInterrupt:
            return
    raise typer.Exit(code)
