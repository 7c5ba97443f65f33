"""`tune board`: TensorBoard on studies."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

import typer

from tuning.cli.app import app
from tuning.cli.console import end_on_signals, results
from tuning.cli.options import LOGS, study_path


@app.command(
    epilog="Examples: [bold]tune board fashion_mnist-optuna[/bold]; with two names, or [bold]tune board --all[/bold], "
    "the studies stand side by side."
)
def board(
    study: list[str] = typer.Argument(None, help="Names or folders of one or more studies."),
    logs: Path = LOGS,
    everything: bool = typer.Option(False, "--all", help="All studies of the folder, side by side."),
    port: int = typer.Option(None, "--port", min=1, max=65535, help="Port; default: the first free one from 6006 on."),
) -> None:
    """Open TensorBoard on a study; the HPARAMS tab shows its trials. Ctrl-C ends it."""
    from tuning.errors import OptionError, StudyError
    from tuning.study import find_studies
    from tuning.tensorboard import serve

    if bool(study) == everything:
        raise OptionError("`tune board` must be given studies or --all. `tune list` shows their names.")
    paths = find_studies(logs) if everything else [study_path(name, logs) for name in study]
    if not paths:
        raise StudyError(f"`--logs` must be a folder with studies, but '{logs}' has none. `tune run` makes one.")
    end_on_signals()
    with serve(paths, port) as running:
        results().print(f"TensorBoard  {running.url}#hparams   (Ctrl-C to end)")
        if len(paths) > 1:  # of many runs TensorBoard shows none at first
            results().print(f"best curves  {running.url}#scalars&regexInput={_best_runs(paths)}", soft_wrap=True)
        try:
            code = running.wait()
        except KeyboardInterrupt:
            return
    raise typer.Exit(code)


def _best_runs(paths: list[Path]) -> str:
    """Return what the address says to choose the curves of each study's best trial."""
    from tuning.study import load

    best = [(path.name, load(path).best) for path in paths]
    return quote("|".join(f"{re.escape(name)}/trial_{trial.number:04d}" for name, trial in best if trial is not None))
