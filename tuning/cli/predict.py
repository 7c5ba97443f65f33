"""`tune predict`: what a study's model says about a file of samples."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import typer

from tuning.cli.app import app
from tuning.cli.console import print_json, remarks, results
from tuning.cli.options import JSON, LOGS, STORAGE, TRUST, study_path


@app.command(epilog="Example: [bold]tune predict digits-optuna --input new.npz --out predictions.csv[/bold]")
def predict(
    study: str = typer.Argument(..., help="A study's name, or the path of its folder."),
    source: Path = typer.Option(
        ..., "--input", metavar="FILE", help="Samples: a .npz file of arrays, or a .csv file with a line a sample."
    ),
    out: Path = typer.Option(Path("predictions.csv"), "--out", metavar="FILE", help="The table to write, as .csv."),
    logs: Path = LOGS,
    storage: str = STORAGE,
    trust: bool = TRUST,
    as_json: bool = JSON,
) -> None:
    """Predict with the final model, or with the best trial's where there is none.

    Classes get a column for the label and one for each probability. The samples must be scaled as those that
    `load_data` of the space returns.
    """
    from tuning.errors import DataError
    from tuning.final import predict as answers
    from tuning.study import load
    from tuning.study.tables import csv_of

    found, table = load(study_path(study, logs, storage), storage=storage, trust=trust), out.absolute()
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        made = answers(found, source)
    for remark in made.remarks:
        remarks().print(remark)
    try:
        table.parent.mkdir(parents=True, exist_ok=True)
        table.write_text(csv_of(made.table, float_format="%.6g"), encoding="utf-8")
    except OSError as error:
        raise DataError(f"`out` must be a file that can be written, but got {error}.") from None
    if as_json:
        shape = {"rows": len(made.table), "columns": list(made.table.columns)}
        print_json({"study": found.name, "model": made.model, **shape, "out": str(out)})
        return
    by = "the final model" if made.model == "final" else f"the model of {made.model}; `tune finalize` makes a final one"
    results().print(f"{len(made.table)} predictions in {out}, by {by}")
