"""Time what a search costs besides training.

Run `python scripts/bench_driver.py [--json PATH] [--slots 1000]` from the repository's root. A trial's cost is the
processor's time from the end of one trial to the end of the next, in a search whose training takes no time: the
store's transactions, TensorBoard's files, and asking and telling the engine, which is told apart, because what a
proposal costs is the affair of KerasTuner and Optuna. It is measured on studies that have several numbers of recorded
trials, copies of a few real ones; a goal says by how much a trial of a large study may cost more than one of a small.
The live display is timed on as many trials, and `tune show` and `tune report` as whole commands. With `--slots` it is a
search on as many workers, in simulated time, and nothing else; with `--recorded` so many of its trials are copies, too,
so that only the last ones are searched. Copies have no files of TensorBoard's, which are not made up for, so the time
to open such a study is not told.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import sqlalchemy
from rich.console import Console

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import tuning  # noqa: E402
from scripts.simulated import EPOCHS, measured  # noqa: E402
from tuning.display import progress  # noqa: E402
from tuning.driver.observer import Observer  # noqa: E402
from tuning.records.trial import State, Trial  # noqa: E402
from tuning.storage.url import of_file, parsed  # noqa: E402
from tuning.tensorboard import TensorBoardObserver  # noqa: E402

GOAL_GROWTH = 1.5
"""Times that a trial of the largest study may cost the driver what one of the smallest does."""

GOAL_DISPLAY_MILLISECONDS = 2.0
"""Of the live display, an epoch."""

GOALS_OF_SLOTS = {"share_of_core": 0.5, "p99_ms": 50.0, "megabytes": 500.0, "resume_seconds": 5.0}
"""Of a driver with a thousand workers, each with an epoch in 10 s; the share without what an engine thinks."""

GOAL_SHOW_SECONDS = 3.0
N_SHOWN = 10_000
RECORDED = (100, 1000, 10_000)
RECORDED_OF_TWO = (100, 3000)
"""Recorded trials of a random search, and of one with two objectives."""

N_REAL = 30
"""Trials that are searched before they are copied."""

WINDOW = 60
"""Trials whose median is taken."""

TWO = {"engine": "optuna", "objective": ["val_loss", "cost:min"], "options": {"sampler": "random", "pruner": "none"}}


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
            metrics["cost"] = float(model["units"] * model["layers"])
            if any(callback.on_epoch_end(epoch, metrics) for callback in callbacks):
                break

    def load_data(self) -> tuning.Data:
        return tuning.Data(np.arange(3.0))


class Clock(Observer):
    """Notes the processor's time when trials end, and how much of it the engine has had by then."""

    def __init__(self) -> None:
        self.ended: list[tuple[float, float]] = []
        self._of_engine = 0.0

    def trial_ended(self, trial: Trial) -> None:
        self.ended.append((time.process_time(), self._of_engine))

    @contextlib.contextmanager
    def timing(self, engine: type) -> Iterator[None]:
        """Time the methods that an engine of that class is called by."""
        with contextlib.ExitStack() as patches:
            for name in ("ask", "tell", "should_stop", "may_continue", "dump"):
                patches.enter_context(mock.patch.object(engine, name, self._timed(getattr(engine, name))))
            yield

    def _timed(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any) -> Any:
            begun = time.process_time()
            try:
                return method(*arguments)
            finally:
                self._of_engine += time.process_time() - begun

        return timed

    def milliseconds(self) -> tuple[float, float]:
        """Return the median of a trial's cost: of the driver, and of the engine."""
        steps = [(b[0] - a[0], b[1] - a[1]) for a, b in zip(self.ended, self.ended[1:], strict=False)]
        return (
            1000 * statistics.median(whole - engine for whole, engine in steps),
            1000 * statistics.median(engine for _, engine in steps),
        )


def costs_of_trials(folder: Path, what: str, recorded: Sequence[int], **arguments: Any) -> list[Row]:
    """Return what a trial of one epoch costs in studies of several sizes, in milliseconds of the processor's time."""
    rows, costs = [], []
    for n in recorded:
        driver, engine = _cost_of_a_trial(folder / f"{n}", n, **arguments)
        costs.append(driver)
        rows.append(Row(f"{what}, {n} recorded", driver, "ms"))
        rows.append(Row(f"{what}, {n} recorded: its engine", engine, "ms"))
    growth = costs[-1] / costs[0]
    rows.append(Row(f"{what}, {recorded[-1]} recorded instead of {recorded[0]}", growth, "times", GOAL_GROWTH))
    return rows


def _cost_of_a_trial(folder: Path, recorded: int, **arguments: Any) -> tuple[float, float]:
    given = {"epochs": 1, "seed": 0, "study": "s", "logs": folder, "verbose": 0, **arguments}
    study = tuning.search(Formula(), trials=N_REAL, **given)
    _multiply(of_file(study.path / "trials.db"), recorded)
    engine, clock = _class_of_engine(arguments["engine"]), Clock()
    with clock.timing(engine):
        tuning.search(Formula(), trials=recorded + WINDOW, observers=[clock], **given)
    return clock.milliseconds()


def _class_of_engine(name: str) -> type:
    if name == "optuna":
        from tuning.engines.optuna.engine import OptunaEngine

        return OptunaEngine
    from tuning.engines.keras_tuner.engine import KerasTunerEngine

    return KerasTunerEngine


def _searched(folder: Path, **arguments: Any) -> tuning.Study:
    return tuning.search(Formula(), engine="random", seed=0, logs=folder, verbose=0, **arguments)


def cost_of_display(folder: Path, trials: int = RECORDED[-1], epochs: int = 3000) -> Row:
    """Return what the live display costs for an epoch while there are so many trials, in milliseconds."""
    study = _searched(folder, study="shown", trials=N_REAL, epochs=1)
    known = [dataclasses.replace(study.trials[n % N_REAL], number=n) for n in range(trials)]
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        console = Console(file=nowhere, force_terminal=True, width=200)
        with mock.patch.object(progress, "remarks", lambda: console):
            display = progress.LiveProgress(trials + 1)
            display.search_started(study.definition, known)
            running = dataclasses.replace(known[0], number=trials, state=State.RUNNING)
            display.run_started(running)
            begun = time.process_time()
            for _ in range(epochs):
                display.training_epoch_ended(running, 0)
            seconds = time.process_time() - begun
            display.search_ended(known, "")
    name = f"the live display of an epoch, {trials} trials"
    return Row(name, 1000 * seconds / epochs, "ms", GOAL_DISPLAY_MILLISECONDS)


def time_to_show(folder: Path, trials: int = N_SHOWN) -> list[Row]:
    """Return how long `tune show` and `tune report` take on a large study, in seconds."""
    study = _searched(folder, study="large", trials=20, epochs=10)
    _multiply(of_file(study.path / "trials.db"), trials)
    rows = []
    for name, *more in (["show"], ["show", "--top", str(trials // 10)], ["show", "--json"], ["report", "--json"]):
        command = [sys.executable, "-m", "tuning.cli", name, "large", "--logs", str(folder), *more]
        begun = time.perf_counter()
        shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        seconds = time.perf_counter() - begun
        if str(trials) not in shown and f'"number": {trials - 1}' not in shown:
            raise RuntimeError(f"`tune {name}` has not read all trials")
        goal = GOAL_SHOW_SECONDS if name == "report" or not more else None
        rows.append(Row(f"{' '.join(['tune', name, *more])}, {trials} trials", seconds, "s", goal))
    return rows


def _multiply(database: sqlalchemy.URL, trials: int) -> None:
    """Fill the only study of a database with copies of its trials, each a little worse than the one it is made of."""
    known_ones = sqlalchemy.text(
        "SELECT study_id, state, value_json FROM trials JOIN trial_user_attributes USING (trial_id) ORDER BY number"
    )
    row = sqlalchemy.text(
        "INSERT INTO trials (number, study_id, state) VALUES (:number, :study, :state) RETURNING trial_id"
    )
    attribute = sqlalchemy.text(
        "INSERT INTO trial_user_attributes (trial_id, key, value_json) VALUES (:row, 'tuning', :record)"
    )
    engine = sqlalchemy.create_engine(database)
    with engine.begin() as connection:
        known = connection.execute(known_ones).fetchall()
        for number in range(len(known), trials):
            study, state, document = known[number % len(known)]
            record = json.dumps(_copied(json.loads(document), number))
            added = connection.execute(row, {"number": number, "study": study, "state": state}).scalar_one()
            connection.execute(attribute, {"row": added, "record": record})
    engine.dispose()


def _copied(record: dict[str, Any], number: int) -> dict[str, Any]:
    """Return a trial's record as that of another trial."""
    worse = 1 + 1e-9 * number
    record["number"], record["values"]["rate"] = number, record["values"]["rate"] * worse
    record["scores"] = [score * worse for score in record["scores"]]
    for run in record["runs"]:
        run |= {"number": number, "asked": 2 * number, "ended": 2 * number + 1}
        if run["values"] is not None:  # otherwise they are the trial's
            run["values"]["rate"] *= worse
        if "id" in run["note"]:
            run["note"]["id"] = f"{number:04d}"
            run["note"]["values"]["rate"] *= worse
    return record


def costs_of_slots(slots: int, trials: int, sampler: str, storage: str | None, recorded: int) -> list[Row]:
    """Return what the driver of so many workers costs; see `scripts.simulated`."""
    arguments: dict[str, Any] = {"engine": "random", "storage": storage}
    if sampler != "random":
        arguments |= {"engine": "optuna", "options": {"sampler": sampler, "pruner": "none"}}
    with tempfile.TemporaryDirectory(prefix="bench-slots-") as name:
        given = {"epochs": EPOCHS, "seed": 0, "study": "s", "logs": name, "verbose": 0, **arguments}
        if recorded:
            study = tuning.search(Formula(), trials=N_REAL, **given)
            _multiply(of_file(study.path / "trials.db") if storage is None else parsed(storage), recorded)
        with mock.patch.object(TensorBoardObserver, "_tidy") if recorded else contextlib.nullcontext():
            found = measured(Formula(), slots, trials, **given)
    if recorded:
        del found["resume_seconds"]
    title = f"{slots} slots, {trials} trials, {sampler}"
    goals = {what: goal for what, goal in GOALS_OF_SLOTS.items() if sampler == "random" or what != "share_of_core"}
    return [Row(f"{title}: {what}", value, "", goals.get(what)) for what, value in found.items()]


def measure() -> list[Row]:
    """Return all measurements."""
    with tempfile.TemporaryDirectory(prefix="bench-driver-") as name:
        folder = Path(name)
        return [
            *costs_of_trials(folder / "one", "a trial", RECORDED, engine="random"),
            *costs_of_trials(folder / "two", "a trial of two objectives", RECORDED_OF_TWO, **TWO),
            cost_of_display(folder),
            *time_to_show(folder),
        ]


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
    parser.add_argument("--slots", metavar="N", type=int, help="a search on so many workers, in simulated time")
    parser.add_argument("--trials", metavar="N", type=int, default=RECORDED[-1], help="of that search")
    parser.add_argument("--recorded", metavar="N", type=int, default=0, help="of its trials that are copies")
    parser.add_argument("--sampler", default="random", help="of that search: random, or one of engine optuna's")
    parser.add_argument("--storage", metavar="URL", help="of that search; default: a file in the study's folder")
    arguments = parser.parse_args()
    rows = (
        measure()
        if arguments.slots is None
        else costs_of_slots(arguments.slots, arguments.trials, arguments.sampler, arguments.storage, arguments.recorded)
    )
    print_rows(rows)
    if arguments.json is not None:
        record = {"machine": platform.machine(), "python": platform.python_version()}
        record["rows"] = [{**dataclasses.asdict(row), "is_reached": row.is_reached} for row in rows]
        arguments.json.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
