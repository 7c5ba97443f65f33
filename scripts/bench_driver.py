"""Time what a search costs besides training.

Run `python scripts/bench_driver.py [--json PATH]` from the repository's root. A trial's overhead is the time from the
end of one trial to the end of the next, of a random search whose training takes no time: asking the engine, the
store's transactions, telling the engine, and TensorBoard's files. It is measured around several numbers of recorded
trials. `tune show` is timed as a whole command, on a study of 5,000 trials.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import tuning  # noqa: E402
from tuning.driver.observer import Observer  # noqa: E402
from tuning.records.trial import Trial  # noqa: E402

GOAL_MILLISECONDS = 30.0
"""Overhead of a trial with 1,000 recorded ones."""

GOAL_GROWTH = 10.0
"""From 100 to 1,000 recorded trials the overhead may grow as they do."""

GOAL_SHOW_SECONDS = 3.0
N_TRIALS = 1000
N_SHOWN = 5000
AROUND = (50, 100, 250, 500, 1000)
WINDOW = 50
"""Trials, the last of which is the number of recorded ones, whose median is taken."""


@dataclasses.dataclass(frozen=True)
class Row:
    """One measurement. `goal` is what `value` may be at most."""

    name: str
    value: float
    unit: str
    goal: float | None = None

    @property
    def is_reached(self) -> bool:
        return self.goal is None or self.value <= self.goal


class Formula(tuning.SearchSpace):
    """Training is a formula."""

    name, objective = "formula", "val_loss"

    def build(self, hp: Any) -> dict[str, Any]:
        return {
            "units": hp.Int("units", 16, 256, step=16),
            "layers": hp.Int("layers", 1, 8),
            "rate": hp.Float("rate", 1e-4, 1e-1, sampling="log"),
            "optimizer": hp.Choice("optimizer", ["sgd", "adam", "rmsprop"]),
        }

    def fit(
        self,
        hp: Any,
        model: Any,
        x: Any,
        *,
        epochs: int,
        initial_epoch: int = 0,
        callbacks: Sequence[Any] = (),
        **_: Any,
    ) -> None:
        for epoch in range(initial_epoch, epochs):
            loss = model["rate"] + 1 / (model["units"] + epoch)
            metrics = {"loss": loss, "accuracy": 1 - loss, "val_loss": 1.1 * loss, "val_accuracy": 1 - 1.1 * loss}
            if any(callback.on_epoch_end(epoch, metrics) for callback in callbacks):
                break

    def load_data(self) -> tuning.Data:
        return tuning.Data(numpy.arange(3.0))


class Clock(Observer):
    """Notes when trials end."""

    def __init__(self) -> None:
        self.ended: list[float] = []

    def trial_ended(self, trial: Trial) -> None:
        self.ended.append(time.perf_counter())


def overhead_of_trials(folder: Path, epochs: int, trials: int = N_TRIALS) -> list[Row]:
    """Return the overhead of a trial, in milliseconds, around several numbers of recorded trials."""
    clock = Clock()
    study = f"epochs-{epochs}"
    tuning.search(
        Formula(), engine="random", trials=trials, epochs=epochs, seed=0, study=study, logs=folder, observers=[clock]
    )
    seconds = [later - earlier for earlier, later in zip(clock.ended, clock.ended[1:], strict=False)]
    medians = {n: 1000 * statistics.median(seconds[n - 1 - WINDOW : n - 1]) for n in AROUND if WINDOW < n <= trials}
    is_goal = epochs == 1
    rows = [
        Row(
            f"a trial of {epochs} epochs, {n} recorded",
            ms,
            "ms",
            GOAL_MILLISECONDS if is_goal and n == N_TRIALS else None,
        )
        for n, ms in medians.items()
    ]
    if is_goal and {100, N_TRIALS} <= medians.keys():
        rows.append(Row("growth from 100 to 1,000 recorded", medians[N_TRIALS] / medians[100], "times", GOAL_GROWTH))
    return rows


def time_to_show(folder: Path, trials: int = N_SHOWN) -> list[Row]:
    """Return how long `tune show` takes on a large study, in seconds."""
    study = tuning.search(Formula(), engine="random", trials=20, epochs=10, seed=0, study="large", logs=folder)
    _multiply(study.path / "trials.db", trials)
    command = [sys.executable, "-m", "tuning.cli", "show", "large", "--logs", str(folder)]
    rows = []
    for more in ([], ["--top", str(trials // 10)], ["--json"]):
        begun = time.perf_counter()
        shown = subprocess.run([*command, *more], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        seconds = time.perf_counter() - begun
        if str(trials) not in shown and f'"number": {trials - 1}' not in shown:
            raise RuntimeError("`tune show` has not read all trials")
        rows.append(Row(f"{' '.join(['tune show', *more])}, {trials} trials", seconds, "s", GOAL_SHOW_SECONDS))
    return rows


def _multiply(database: Path, trials: int) -> None:
    """Fill a study with copies of its trials."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        query = (
            "SELECT study_id, state, value_json FROM trials JOIN trial_user_attributes USING (trial_id) ORDER BY number"
        )
        known = connection.execute(query).fetchall()
        for number in range(len(known), trials):
            study, state, document = known[number % len(known)]
            record = json.dumps({**json.loads(document), "number": number})
            row = connection.execute(
                "INSERT INTO trials (number, study_id, state) VALUES (?, ?, ?)", (number, study, state)
            ).lastrowid
            connection.execute(
                "INSERT INTO trial_user_attributes (trial_id, key, value_json) VALUES (?, 'tuning', ?)", (row, record)
            )
        connection.commit()


def measure() -> list[Row]:
    """Return all measurements."""
    with tempfile.TemporaryDirectory(prefix="bench-driver-") as name:
        folder = Path(name)
        return [*overhead_of_trials(folder, 1), *overhead_of_trials(folder, 10, 300), *time_to_show(folder)]


def print_rows(rows: Sequence[Row]) -> None:
    """Print the measurements as a table."""
    width = max(len(row.name) for row in rows)
    for row in rows:
        goal = "" if row.goal is None else f"goal <= {row.goal:g}{'' if row.is_reached else '  NOT REACHED'}"
        print(f"{row.name:<{width}}  {row.value:8.2f} {row.unit:<5}  {goal}".rstrip())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", metavar="PATH", type=Path, help="write the measurements there, too")
    arguments = parser.parse_args()
    rows = measure()
    print_rows(rows)
    if arguments.json is not None:
        record = {"machine": platform.machine(), "python": platform.python_version()}
        record["rows"] = [{**dataclasses.asdict(row), "is_reached": row.is_reached} for row in rows]
        arguments.json.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
