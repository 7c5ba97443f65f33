"""`tune cache`: compiled programs that are kept for other processes."""

from __future__ import annotations

import typer

from tuning.cli.app import app
from tuning.cli.console import results


@app.command(epilog="Example: [bold]tune cache --clear[/bold]")
def cache(clear: bool = typer.Option(False, "--clear", help="Delete them.")) -> None:
    """Show how many compiled programs are kept on disk, or delete them."""
    from tuning import programs

    path = programs.root()
    if path is None:
        results().print(f"compiled programs are not kept: {programs.VARIABLE} is off")
        return
    files = programs.kept()
    megabytes = programs.n_bytes(files) / 1e6
    if clear:
        programs.shrink(0)
    what = "deleted" if clear else "kept"
    results().print(f"{len(files)} program{'s' * (len(files) != 1)}, {megabytes:.1f} MB, {what} in {path}")
