"""`tune demo`: the main job, with nothing to choose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tuning.cli.app import app
from tuning.cli.console import remarks, results
from tuning.cli.options import LOGS
from tuning.cli.run import print_outcome, run_search
from tuning.engines.registry import DEFAULT

ENGINES = ("hyperband", DEFAULT)
"""What the default is compared with, and the default."""

SEARCH: dict[str, Any] = {"epochs": 6, "seed": 42, "budget": "36e"}
"""What Hyperband takes for eight configurations."""


@app.command(epilog="Example: [bold]tune demo[/bold]")
def demo(logs: Path = LOGS) -> None:
    """Search Fashion-MNIST with the default engine and, for comparison, with Hyperband, in a few minutes.

    Without the data and without a network the same job is shown on scikit-learn's small digits.
    """
    space = _space()
    found = {}
    for engine in ENGINES:
        study = f"demo-{space}-{engine}"
        if (logs / study / "trials.db").is_file():
            remarks().print(f"study {study} exists; going on with it (delete {logs / study} to start afresh)")
        found[engine] = run_search(space, {**SEARCH, "engine": engine, "study": study, "logs": logs}, quiet=False)
    print_outcome(found[DEFAULT])
    for engine, one in found.items():
        epochs = sum(trial.trained_epochs for trial in one.trials)
        score = "nothing" if one.best is None else f"{one.objective.name} {one.best.score:.4f}"
        results().print(f"found        {score} with {engine}, in {epochs} epochs")


def _space() -> str:
    from tuning.errors import DataError
    from tuning.space import resolve

    try:
        resolve("fashion_mnist").load_data()
    except DataError:
        remarks().print(
            "Fashion-MNIST is neither cached nor to be had from the network, so this demo shows the same job on "
            "scikit-learn's digits.",
        )
        return "digits"
    return "fashion_mnist"
