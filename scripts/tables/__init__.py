"""Engines compared on tables: whole searches in seconds, answered from curves that were trained once.

`compare_engines.py --replay` runs it. A search goes through the driver's own loop, with a store, with the engines as
they are, and with an executor that trains nothing: it answers each epoch of a configuration from a table of
scripts/make_tables.py. Engines propose from ranges, and a table has a few hundred points. So a forest of trees, grown
on the table without leaving anything out, answers in between: on a configuration of the table it gives the mean of its
two trainings exactly, elsewhere a mixture of those that are near, and nowhere more than the best of them. To that comes
half the difference of the two trainings that are nearest, with a sign that the search's seed decides: two seeds differ
as two trainings did.

The nearest configuration alone would do as an answer as well, but a table would then have large flat steps, on which
proposing anything new is as good as standing still.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import rankdata, wilcoxon
from sklearn.ensemble import ExtraTreesRegressor

from tuning.driver.budget import Budget, Limits
from tuning.driver.loop import Search
from tuning.engines.cube import Cube
from tuning.engines.registry import make_engine, read_options, settle
from tuning.executors.base import Handler
from tuning.hyperparameters import Hyperparameter
from tuning.records.definition import Definition
from tuning.records.objective import Objective
from tuning.storage.store import Store
from tuning.training.messages import Decision, Finished, Report, Task

TABLES = Path(__file__).resolve().parent
BUDGETS = (5, 10, 20, 40)
"""Budgets of a search, in whole trainings."""

TESTED = (10, 20, 40)
N_TREES = 60
SECONDS = 30.0
"""What a training is said to take, so that no engine takes itself for too slow."""

ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "`optuna`, the default": ("optuna", {}),
    "`optuna -o model=tpe`": ("optuna", {"model": "tpe"}),
    "`optuna -o model=tpe -o pruner=median`": ("optuna", {"model": "tpe", "pruner": "median"}),
    "`optuna -o pruner=none`": ("optuna", {"pruner": "none"}),
    "`hyperband`": ("hyperband", {"hyperband_iterations": 20}),
    "`random`": ("random", {}),
}
"""What is compared: an engine and its options. The first row is tested against all others."""


class Table:
    """A table, and the forest that answers between its configurations.

    Attributes:
        name: of the table.
        space: the hyperparameters.
        objective: metric and direction.
        epochs: length of its curves.
    """

    def __init__(self, path: Path) -> None:
        stored = np.load(path)
        self.name = path.stem
        self.space = tuple(map(Hyperparameter.from_json, json.loads(str(stored["space"]))))
        self.objective = Objective.parse(str(stored["objective"]))
        self.sign = 1.0 if self.objective.direction == "max" else -1.0
        curves = self.sign * stored["curves"].astype(float)  # larger is better from here on
        curves = np.maximum(np.nan_to_num(curves, nan=-np.inf), np.nanquantile(curves, 0.02))
        self.epochs = curves.shape[2]
        self._cube = Cube(self.space)
        self._points = self._coordinates(json.loads(str(stored["values"])))
        self._half = (curves[:, 0] - curves[:, 1]) / 2
        means = curves.mean(1)
        self._forest = ExtraTreesRegressor(N_TREES, random_state=0).fit(self._points, means)
        self._best, self._median = means.max(), np.median(means.max(1))

    def _coordinates(self, configurations: Iterable[Mapping[str, Any]]) -> np.ndarray:
        return self._cube.coordinates(np.array([self._cube.row(values) for values in configurations]))

    def curves(self, values: Mapping[str, Any], seed: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the curve of a configuration, and one that a training with that seed gives; larger is better."""
        point = self._coordinates([values]).astype(np.float32)
        mean = np.mean([tree.tree_.predict(point).ravel() for tree in self._forest.estimators_], axis=0)
        nearest = ((self._points - point) ** 2).sum(1).argmin()
        is_even = hashlib.sha256(seed.encode()).digest()[0] % 2 == 0
        return mean, mean + (self._half[nearest] if is_even else -self._half[nearest])

    def regret(self, value: float) -> float:
        """Return 0 for the best configuration of the table and 1 for the one in the middle."""
        return float((self._best - value) / (self._best - self._median))


@dataclass
class TableExecutor:
    """An executor that looks trainings up; every epoch takes equally long.

    Attributes:
        table: where.
        seed: of the search.
        slots: trainings at once.
        regrets: regret of the model that would be kept, after each epoch of the search.
    """

    table: Table
    seed: int
    slots: int = 1
    pause_seconds: float = 0.0
    regrets: list[float] = field(default_factory=list)
    _tasks: dict[int, tuple[Task, int]] = field(default_factory=dict)
    _best: tuple[float, float] = (-np.inf, np.inf)

    def load(self, source: str | None, space: Any, data: Any) -> None:
        """Take nothing: the table has all."""

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Refuse: there is no space to look at."""
        raise NotImplementedError

    def submit(self, task: Task) -> None:
        self._tasks[task.run.number] = (task, task.trained)

    def poll(self, handle: Handler) -> None:
        """Train every task for one epoch."""
        for number, (task, epoch) in list(self._tasks.items()):
            decision = Decision.GO
            if epoch < task.run.stop:
                clean, seen = self.table.curves(task.run.values, f"{self.seed}/{number}")
                self._best = max(self._best, (seen[epoch], self.table.regret(clean[: epoch + 1].max())))
                self.regrets.append(self._best[1])
                value = float(self.table.sign * seen[epoch])
                decision = handle(Report(number, epoch, {self.table.objective.name: value}))
                epoch += 1
            self._tasks[number] = (task, epoch)
            if decision is not Decision.GO or epoch >= task.run.stop:
                del self._tasks[number]
                handle(Finished(number, task.run.values, (), epoch if task.resumable else 0, SECONDS))

    def close(self) -> None:
        self._tasks.clear()


def searched(path: Path, row: str, seed: int, slots: int) -> list[float]:
    """Search a table; return the regret of the kept model at each of `BUDGETS`."""
    table, (engine, options) = Table(path), ROWS[row]
    definition = Definition(
        study="replay",
        space=table.name,
        space_source=None,
        hyperparameters=table.space,
        objective=table.objective,
        engine=engine,
        options=read_options(engine, options),
        seed=seed,
        epochs=table.epochs,
    )
    definition = settle(definition, {})
    executor = TableExecutor(table, seed, slots)
    with tempfile.TemporaryDirectory() as folder, closing(Store.of(Path(folder), exclusive=True)) as store:
        store.create(definition)
        limits = Limits(Budget(epochs=max(BUDGETS) * table.epochs))
        Search(definition, make_engine(definition, None), executor, store, Path(folder), limits=limits).run()
    return [executor.regrets[min(n * table.epochs, len(executor.regrets)) - 1] for n in BUDGETS]


def print_regrets(n_seeds: int, slots: int, jobs: int, paths: Sequence[Path] | None = None) -> None:
    """Search every table with every row of `ROWS` and print what came of it, as tables in Markdown."""
    paths = sorted(TABLES.glob("*.npz")) if paths is None else paths
    tasks = [(path, row, seed, slots) for row in ROWS for path in paths for seed in range(n_seeds)]
    with ProcessPoolExecutor(jobs) as pool:
        found = list(pool.map(searched, *zip(*tasks, strict=True)))
    regrets = np.array(found).reshape(len(ROWS), len(paths), n_seeds, len(BUDGETS))
    print(f"Mean regret and its standard error, {len(paths)} tables, {n_seeds} seeds, {slots} at a time:\n")
    print(f"| | {' | '.join(f'n={n}' for n in BUDGETS)} | mean rank | p at {', '.join(map(str, TESTED))} |")
    print(f"| --- |{' --- |' * (len(BUDGETS) + 2)}")
    pairs = regrets.reshape(len(ROWS), -1, len(BUDGETS))
    ranks = np.apply_along_axis(rankdata, 0, pairs.round(9)).mean((1, 2))
    for index, row in enumerate(ROWS):
        mean, error = pairs[index].mean(0), pairs[index].std(0, ddof=1) / np.sqrt(pairs.shape[1])
        cells = [f"{m:.3f} ± {e:.3f}" for m, e in zip(mean, error, strict=True)]
        print(f"| {row} | {' | '.join(cells)} | {ranks[index]:.2f} | {_tests(pairs, index)} |")
    print(f"\n| n={TESTED[0]} / {TESTED[1]} / {TESTED[2]} | {' | '.join(path.stem for path in paths)} |")
    print(f"| --- |{' --- |' * len(paths)}")
    chosen = [BUDGETS.index(n) for n in TESTED]
    for index, row in enumerate(ROWS):
        means = regrets[index].mean(1)[:, chosen]
        print(f"| {row} | {' | '.join(' / '.join(f'{value:.2f}' for value in cell) for cell in means)} |")


def _tests(pairs: np.ndarray, index: int) -> str:
    """Return how likely differences to the first row would be by chance: Wilcoxon's test on pairs of searches."""
    if index == 0:
        return ""
    found = []
    for n in TESTED:
        differences = pairs[index, :, BUDGETS.index(n)] - pairs[0, :, BUDGETS.index(n)]
        found.append(f"{wilcoxon(differences).pvalue:.1g}" if differences.any() else "1")
    return ", ".join(found)
