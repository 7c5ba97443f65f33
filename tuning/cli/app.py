"""The Typer application: its commands, and how errors end it.

Exit codes: 0; 1 with one line for an error of ours; 2 for wrong usage; 130 when interrupted.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from tuning.cli import INTERRUPTED
from tuning.cli.console import error_line
from tuning.errors import TuningError, refuse_unsupported_systems

ORDER = (
    *("demo", "new", "run", "show", "list", "board"),
    "dashboard",
    *("best", "finalize", "predict", "report", "compare", "export"),
    *("logs", "cluster"),
    *("spaces", "engines", "lr", "baseline", "keras-tuner"),
    *("rename", "clean", "rm", "cache"),
)
"""The commands in the order in which they are listed; others come after them."""


class _Commands(TyperGroup):
    """Turns errors of ours into one line, and Ctrl-C into its exit code; lists commands in order of use."""

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(self.commands, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))

    def invoke(self, ctx: Any) -> Any:
        try:
            refuse_unsupported_systems()
            return super().invoke(ctx)
        except TuningError as error:
            error_line(str(error))
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            error_line("interrupted")
            raise typer.Exit(INTERRUPTED) from None


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Search hyperparameters of Keras models: one build_model(hp), every engine, every trial in TensorBoard.",
    epilog="Example: [bold]tune run fashion_mnist --engine random --trials 5[/bold]",
)


def _version(wanted: bool) -> None:
    if wanted:
        from tuning import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", help="Print the version and exit.", callback=_version, is_eager=True
    ),
) -> None:
    pass


def run() -> None:
    """Register all commands, and run the one that was typed."""
    from tuning.cli import (  # noqa: F401  (each registers its commands)
        baseline,
        best,
        board,
        cache,
        cluster,
        compare,
        dashboard,
        demo,
        finalize,
        keras_tuner,
        logs,
        lr,
        manage,
        new,
        predict,
        report,
        run,
        show,
        spaces,
    )

    # `tune run my_package.my_space` finds a package in the folder where it is typed; last, so that it hides nothing.
    if not {"", os.getcwd()} & set(sys.path):
        sys.path.append(os.getcwd())
    app()
