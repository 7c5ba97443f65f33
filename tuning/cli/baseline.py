"""`tune baseline`: scikit-learn's counterparts on the splits of a space."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from tuning.cli.app import app
from tuning.cli.console import print_json, remarks, results
from tuning.cli.options import JSON, LOGS


@app.command(
    epilog="Examples: [bold]tune baseline digits[/bold]; "
    "[bold]tune baseline fashion_mnist --model mlp --limit 5000[/bold]"
)
def baseline(
    space: str = typer.Argument(..., help="A bundled space (see `tune spaces`), a module, or a .py file."),
    logs: Path = LOGS,
    model: list[str] = typer.Option(
        None,
        "--model",
        help="mlp (three layers of 50), linear or boosting; may be repeated; default: those that are quick.",
    ),
    limit: int = typer.Option(
        None, "--limit", min=0, help="Fit on the first N training samples, 0 for all; default: what takes no minutes."
    ),
    objective: str = typer.Option(
        None, "--objective", metavar="NAME[:max|:min]", help="Of several outputs, which one; default: the space's own."
    ),
    as_json: bool = JSON,
    quiet: bool = typer.Option(False, "--quiet", help="No progress."),
) -> None:
    """Fit scikit-learn's counterparts on the same splits; `tune show` puts them beside the space's studies."""
    from tuning.cli.tables import baselines_table
    from tuning.records.objective import Objective
    from tuning.tools.baselines import FOLDER
    from tuning.tools.baselines import baseline as fit

    stdout = contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext()
    with stdout, _progress(quiet) as listener:
        found = fit(space, objective=objective, models=model or None, limit=limit, logs=logs, listener=listener)
    if as_json:
        print_json(found.to_json())
        return
    part = "" if found.n_training == found.n_available else f", the first of {found.n_available}; --limit 0 takes all"
    results().print(f"{found.space}: {found.task} on {found.n_training} training samples{part}")
    results().print(baselines_table([found], Objective.parse(found.objective)))
    for entry in found.models:
        if entry.note:
            results().print(f"{entry.name} was not fitted: {entry.note}")
    results().print(f"stored in {logs / FOLDER / found.space}.json, for `tune show`")


@contextlib.contextmanager
def _progress(quiet: bool) -> Iterator[Any]:
    if quiet:
        yield None
    elif remarks().is_terminal:
        with remarks().status("reading the data") as status:
            yield lambda name: status.update(f"fitting {name}")
    else:
        yield lambda name: remarks().print(f"fitting {name}")
