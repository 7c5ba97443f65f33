"""`tune demo`: the main job, with nothing to choose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tuning.cli.app import app
from tuning.cli.console import remarks
from tuning.cli.options import LOGS
from tuning.cli.run import print_outcome, run_search

SEARCH: dict[str, Any] = {"engine": "hyperband", "epochs": 6, "seed": 42}
"""Eight configurations, 36 epochs in all."""


@app.command(epilog="Example: [bold]tune demo[/bold]")
def demo(logs: Path = LOGS) -> None:
    """Search Fashion-MNIST with Hyperband, in a few minutes.

    Without the data and without a network the same job is shown on scikit-learn's small digits.
    """
    space = _space()
    study = f"demo-{space}"
    if (logs / study / "trials.db").is_file():
        remarks().print(f"study {study} exists; going on with it (delete {logs / study} to start afresh)")
    print_outcome(run_search(space, {**SEARCH, "study": study, "logs": logs}, quiet=False))


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
