"""`tune lr`: the learning-rate range test."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from tuning.cli.app import app
from tuning.cli.console import print_json, remarks, results
from tuning.cli.options import JSON, LOGS, pairs


@app.command(
    epilog="Examples: [bold]tune lr digits[/bold]; [bold]tune lr california_housing --fix optimizer=adam[/bold]"
)
def lr(
    space: str = typer.Argument(..., help="A bundled space (see `tune spaces`), a module, or a .py file."),
    fix: list[str] = typer.Option(
        None, "--fix", metavar="HP=VALUE", help="A hyperparameter that differs from its default; may be repeated."
    ),
    low: float = typer.Option(1e-5, "--low", help="The first learning rate.", show_default="1e-5"),
    high: float = typer.Option(10.0, "--high", help="The last one."),
    iterations: int = typer.Option(500, "--iterations", min=10, help="Number of batches."),
    seed: int = typer.Option(42, "--seed", min=0, help="Seed of weights and shuffling."),
    logs: Path = LOGS,
    as_json: bool = JSON,
    quiet: bool = typer.Option(False, "--quiet", help="No progress."),
) -> None:
    """Find a learning rate: train one model of the default values while its learning rate grows.

    Draws the loss against the rate and suggests a tenth of the rate at which the loss turns up.
    """
    from tuning.tools.range_test import range_test

    stdout = contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext()
    with stdout, _progress(iterations, quiet) as listener:
        found = range_test(
            space, fix=pairs(fix, "--fix"), low=low, high=high, iterations=iterations, seed=seed, logs=logs,
            listener=listener,
        )  # fmt: skip
    if as_json:
        print_json({**found.to_json(), "advice": advice(found, space)})
        return
    for line in [
        f"{found.space}: {len(found.rates)} iterations from {low:g} to {found.rates[-1] if found.rates else low:.3g}"
        + (f"; ended because {found.reason}" if found.reason else ""),
        *advice(found, space),
        f"picture      {found.folder}/range_test.svg",
        f"TensorBoard  tensorboard --logdir {found.folder}/tensorboard",
    ]:
        results().print(line)


@contextlib.contextmanager
def _progress(iterations: int, quiet: bool) -> Iterator[Any]:
    if quiet or not remarks().is_terminal:
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}")
    with Progress(*columns, console=remarks(), transient=True) as bar:
        task = bar.add_task("", total=iterations)
        yield lambda n, rate, loss: bar.update(task, completed=n, description=f"rate {rate:.2g}, loss {loss:.4g}")


def advice(found: Any, space: str) -> list[str]:
    """Return what to do with the result: the rate, and how to use it in the next search of `space`."""
    h, rate = found.hyperparameter, found.suggested
    if rate is None:
        return ["no suggestion: the loss does not turn up in this range, or at once; try other --low and --high"]
    lines = [f"suggested    {rate:.2g}, a tenth of {found.turn:.2g}, where the loss turns up"]
    if h is None:
        return [*lines, "the space searches no float hyperparameter named learning_rate: set the rate in build(hp)"]
    low, high = h.bounds
    if low <= rate <= high:
        lines.append(f"to fix it    tune run {space} --fix {h.name}={rate:.2g}")
    else:
        lines.append(f"to fix it    the space searches {h.describe()}, which does not hold it")
    top = found.turn / 2
    lines.append(f"to bound it  hp.Float('{h.name}', {rate / 10:.2g}, {top:.2g}, sampling='log', default={rate:.2g})")
    return lines
