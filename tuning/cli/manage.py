"""`tune export`, `rename`, `clean` and `rm`: studies as things."""

from __future__ import annotations

import enum
import sys
from pathlib import Path

import typer

from tuning.cli.app import app
from tuning.cli.console import results
from tuning.cli.options import LOGS, STORAGE, study_path


class Format(str, enum.Enum):
    """What `tune export` writes."""

    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


@app.command(epilog="Example: [bold]tune export digits-hyperband --to csv --out trials.csv[/bold]")
def export(
    study: str = typer.Argument(..., help="A study's name, or the path of its folder."),
    to: Format = typer.Option(Format.CSV, "--to", help="The format."),
    out: Path = typer.Option(None, "--out", metavar="FILE", help="Default: standard output; parquet needs a file."),
    curves: bool = typer.Option(False, "--curves", help="One row an epoch instead of one a trial."),
    logs: Path = LOGS,
    storage: str = STORAGE,
) -> None:
    """Write the trials of a study as a table: values, scores, times and metrics."""
    from tuning.display.console import printable
    from tuning.errors import OptionError, StudyError
    from tuning.study import load
    from tuning.study.tables import csv_of

    found = load(study_path(study, logs, storage), storage=storage)
    frame = found.curves() if curves else found.dataframe()
    if to is Format.PARQUET and out is None:
        raise OptionError("`--out` must name a file, because parquet is not for a screen.")
    try:
        if to is Format.PARQUET:
            frame.to_parquet(out)
        else:
            text = csv_of(frame) if to is Format.CSV else frame.to_json(orient="records", indent=2) + "\n"
            if out is not None:
                out.write_text(text, encoding="utf-8")
            else:  # data for a program, or for somebody who looks at them
                typer.echo(printable(text) if sys.stdout.isatty() else text, nl=False)
    except ImportError:
        raise OptionError("`--to parquet` must have pyarrow to write with: `pip install pyarrow`.") from None
    except OSError as error:
        raise StudyError(f"`--out` must be a file that can be written, but got: {error}.") from None
    if out is not None:
        results().print(f"{len(frame)} rows in {out}")


@app.command(epilog="Example: [bold]tune rename digits-hyperband digits-first[/bold]")
def rename(
    study: str = typer.Argument(..., help="A study's name, or the path of its folder."),
    name: str = typer.Argument(..., help="Its new name."),
    logs: Path = LOGS,
) -> None:
    """Give a study another name."""
    from tuning.tools.studies import rename as renamed

    results().print(f"study {renamed(study_path(study, logs), name)}")


@app.command(epilog="Example: [bold]tune clean digits-hyperband --keep 1[/bold]")
def clean(
    study: list[str] = typer.Argument(..., help="Names or folders of studies."),
    keep: int = typer.Option(..., "--keep", min=0, help="Number of best trials whose weights stay."),
    logs: Path = LOGS,
    storage: str = STORAGE,
) -> None:
    """Delete the weights of all but the best trials; trials and curves stay."""
    from tuning.tools.studies import clean as cleaned

    for name in study:
        path = study_path(name, logs, storage)
        deleted = cleaned(path, keep, storage)
        results().print(f"{path.name}: weights of {len(deleted)} trial{'s' * (len(deleted) != 1)} deleted")


@app.command(epilog="Example: [bold]tune rm digits-hyperband[/bold]")
def rm(
    study: list[str] = typer.Argument(..., help="Names or folders of studies."),
    yes: bool = typer.Option(False, "--yes", "-y", help="Do not ask."),
    logs: Path = LOGS,
    storage: str = STORAGE,
) -> None:
    """Delete studies, with trials, weights, TensorBoard and report."""
    from tuning.tools.studies import remove

    paths = [study_path(name, logs, storage) for name in study]
    if not yes:
        typer.confirm(f"Delete {', '.join(map(str, paths))}?", abort=True, err=True)
    for path in paths:
        remove(path, storage)
        results().print(f"deleted {path}")
