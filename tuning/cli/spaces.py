"""`tune spaces` and `tune engines`: what there is to search, and to search with."""

from __future__ import annotations

from dataclasses import asdict

from tuning.cli.app import app
from tuning.cli.console import print_json, results
from tuning.cli.options import JSON


@app.command(epilog="Example: [bold]tune spaces --json[/bold]")
def spaces(as_json: bool = JSON) -> None:
    """List the bundled search spaces."""
    from rich.padding import Padding

    from tuning.space import bundled_spaces

    found = bundled_spaces()
    if as_json:
        print_json([{"name": name, **asdict(bundled)} for name, bundled in found.items()])
        return
    for name, bundled in found.items():
        results().print(f"{name}: {bundled.description}")
        results().print(Padding(f"data: {bundled.data}", (0, 0, 0, 4), expand=False))
    results().print(
        "A space of your own: `tune new my_space` writes one to start from; "
        "`tune run path/to/my_space.py` or `tune run my_package.my_space` searches it.",
    )


@app.command(epilog="Example: [bold]tune engines[/bold]")
def engines(as_json: bool = JSON) -> None:
    """List the engines and their options."""
    from rich.padding import Padding

    from tuning.engines.registry import ENGINES

    if as_json:
        print_json(
            [
                {
                    "name": name,
                    "description": kind.description,
                    "trials": kind.trials,
                    "options": {key: {"default": o.default, "help": o.help} for key, o in kind.options.items()},
                }
                for name, kind in ENGINES.items()
            ]
        )
        return
    for name, kind in ENGINES.items():  # a table of three columns of text can be read on no terminal
        console = results()
        console.print(f"{name}: {kind.description}")
        for key, o in kind.options.items():
            default = "" if o.default is None else str(o.default)
            console.print(Padding(f"-o {key}={default}  {o.help}", (0, 0, 0, 4), expand=False))
