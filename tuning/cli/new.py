"""`tune new`: a search space to start from.

The text is that of the module `starter`, with the new name in it; so it is checked, typed and run like any other.
"""

from __future__ import annotations

import importlib.util
import keyword
from pathlib import Path

import typer

from tuning.cli.app import app
from tuning.cli.console import results
from tuning.errors import SpaceError, must

STARTER = "starter"


@app.command(epilog="Example: [bold]tune new my_space[/bold], then [bold]tune run my_space.py[/bold]")
def new(name: str = typer.Argument(..., help="Name of the space; the file NAME.py is written here.")) -> None:
    """Write a search space to start from: a commented module that runs as it is."""
    path = Path(f"{name}.py")
    _check(name, path)
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(starter(name))
    except OSError as error:
        raise SpaceError(f"'{path}' could not be written: {error}.") from error
    results().print(f"{path} is written. It runs as it is: tune run {path}")


def starter(name: str) -> str:
    """Return the text of the starter with `name` for its own."""
    text = Path(__file__).with_name(f"{STARTER}.py").read_text(encoding="utf-8")
    class_name = "".join(part[:1].upper() + part[1:] for part in name.split("_")) or name
    return text.replace(STARTER.capitalize(), class_name).replace(STARTER, name)


def _check(name: str, path: Path) -> None:
    """Refuse a name that could not be used, or would hide something.

    Raises:
        SpaceError: says what is wrong with the name.
    """
    if not name.isidentifier() or not name.isascii() or keyword.iskeyword(name) or not name.strip("_"):
        advice = f"Write `tune new {Path(name).stem}`." if name.endswith(".py") else ""
        rule = "be a name that Python can import: letters, digits and '_', with a letter first"
        raise SpaceError(must("name", rule, name, advice))
    if path.exists():
        raise SpaceError(must("name", "be a new one", name, f"There is a '{path}' already, and it stays as it is."))
    from tuning.space import bundled_spaces

    if name in bundled_spaces() or importlib.util.find_spec(name) is not None:
        what = "a bundled space" if name in bundled_spaces() else "a module that a file of that name would hide"
        raise SpaceError(must("name", "be a new one", name, f"That is {what}. Try 'my_{name}'."))
