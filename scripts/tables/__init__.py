"""Engines compared on tables: whole searches in seconds, answered from curves that were trained once.

`compare_engines.py --replay` runs it. A search goes through the driver's own loop, with a store, with the engines as
they are, and with an executor that trains nothing: it answers each epoch of a configuration from a table of
scripts/make_tables.py. Engines propose from ranges, and a table has some hundred points. So a forest of trees, grown
on the table without leaving anything out, answers in between. It does so for each of the two trainings of a
configuration, and the search's seed decides which of them is meant. On a configuration of the table that is the
training itself, elsewhere a mixture of those that are near, and nowhere more than the best of them.

What counts is the model that a search would keep, so regret is that of one training and not of its configuration: a
seed that was lucky on the validation data counts, as it does for whoever searches.

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
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import rankdata, wilcoxon
from sklearn.ensemble import ExtraTreesRegressor

from tuning.driver.budget import Budget, Limits
from tuning.driver.loop import Search
from tuning.engines.gaussian_process.cube import Cube
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
    "`optuna -o model=gaussian_process`": ("optuna", {"model": "gaussian_process"}),
    "`optuna -o model=tpe`": ("optuna", {"model": "tpe"}),
    "`optuna -o model=tpe -o pruner=median`": ("optuna", {"model": "tpe", "pruner": "median"}),
    "`optuna -o pruner=none`": ("optuna", {"pruner": "none"}),
    "`hyperband`": ("hyperband", {"hyperband_iterations": 20}),
    "`random`": ("random", {}),
    "`bayesian`": ("bayesian", {}),
}
"""What is compared: an engine and its options. The first row is tested against all others."""

SLOW = ("`bayesian`",)
"""Rows that take longer than all the others together."""

WITHOUT_CURVES = (
    "`optuna`, the default",
    "`optuna -o model=gaussian_process`",
    "`optuna -o model=tpe`",
    "`random`",
    "`bayesian`",
)
"""Rows that differ where every training reports once, at its end."""


class Table:
    """A table, and the forest that answers between its configurations.

    Args:
        path: of the table.
        with_curves: whether trainings report every epoch; else they have one, the best.

    Attributes:
        name: of the table.
        space: the hyperparameters.
        objective: metric and direction.
        epochs: length of its curves.
    """

    def __init__(self, path: Path, with_curves: bool = True) -> None:
        stored = np.load(path)
        self.name = path.stem
        self.space = tuple(map(Hyperparameter.from_json, json.loads(str(stored["space"]))))
        self.objective = Objective.parse(str(stored["objective"]))
        self.sign = 1.0 if self.objective.direction == "max" else -1.0
        curves = self.sign * stored["curves"].astype(float)  # larger is better from here on
        curves = np.maximum(np.nan_to_num(curves, nan=-np.inf), np.nanquantile(curves, 0.02))
        curves = curves if with_curves else curves.max(2, keepdims=True)
        self.epochs = curves.shape[2]
        self._cube = Cube(self.space)
        points = self._coordinates(json.loads(str(stored["values"])))
        forest = ExtraTreesRegressor(N_TREES, random_state=0).fit(points, curves.reshape(len(curves), -1))
        self._trees = [tree.tree_ for tree in forest.estimators_]
        self._best, self._median = curves.max(), np.median(curves.mean(1).max(1))

    def _coordinates(self, configurations: Iterable[Mapping[str, Any]]) -> np.ndarray:
        return self._cube.coordinates(np.array([self._cube.row(values) for values in configurations]))

    def curve(self, values: Mapping[str, Any], seed: str) -> np.ndarray:
        """Return what the training of a configuration with that seed gives, float [epochs]; larger is better."""
        point = self._coordinates([values]).astype(np.float32)
        curves = np.mean([tree.predict(point).ravel() for tree in self._trees], axis=0).reshape(-1, self.epochs)
        return np.asarray(curves[hashlib.sha256(seed.encode()).digest()[0] % len(curves)])

    def regret(self, value: float) -> float:
        """Return 0 for the best training of the table and 1 for the configuration in the middle."""
        return float((self._best - value) / (self._best - self._median))


@cache
def table_of(path: Path, with_curves: bool) -> Table:
    """Return a table, which takes as long to grow as a short search."""
    return Table(path, with_curves)


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
    _tasks: dict[int, tuple[Task, int, np.ndarray]] = field(default_factory=dict)
    _best: float = -np.inf

    def load(self, source: str | None, space: Any, data: Any, is_own: bool = False) -> None:
        """Take nothing: the table has all."""

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Refuse: there is no space to look at."""
        raise NotImplementedError

    def submit(self, task: Task) -> None:
        curve = self.table.curve(task.run.values, f"{self.seed}/{task.run.number}")
        self._tasks[task.run.number] = (task, task.trained, curve)

    def poll(self, handle: Handler) -> None:
        """Train every task for one epoch."""
        for number, (task, epoch, curve) in list(self._tasks.items()):
            decision = Decision.GO
            if epoch < task.run.stop:
                self._best = max(self._best, curve[epoch])
                self.regrets.append(self.table.regret(self._best))
                value = float(self.table.sign * curve[epoch])
                decision = handle(Report(number, epoch, {self.table.objective.name: value}))
                epoch += 1
            self._tasks[number] = (task, epoch, curve)
            if decision is not Decision.GO or epoch >= task.run.stop:
                del self._tasks[number]
                handle(Finished(number, task.run.values, (), epoch if task.resumable else 0, SECONDS))

    def close(self) -> None:
        self._tasks.clear()


def searched(path: Path, row: str, seed: int, slots: int, with_curves: bool) -> list[float]:
    """Search a table; return the regret of the kept model at each of `BUDGETS`."""
    table, (engine, options) = table_of(path, with_curves), ROWS[row]
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


def print_regrets(n_seeds: int, slots: int, jobs: int, with_slow: bool, with_curves: bool) -> None:
    """Search every table with every row of `ROWS`, the slow ones if asked, and print what came of it, in Markdown."""
    paths = sorted(TABLES.glob("*.npz"))
    rows = [row for row in (ROWS if with_curves else WITHOUT_CURVES) if with_slow or row not in SLOW]
    seeds = range(1, n_seeds + 1)  # 0 is that of the tables, whose configurations would be a search's first points
    tasks = [(path, row, seed, slots, with_curves) for row in rows for path in paths for seed in seeds]
    with ProcessPoolExecutor(jobs) as pool:
        found = list(pool.map(searched, *zip(*tasks, strict=True)))
    regrets = np.array(found).reshape(len(rows), len(paths), n_seeds, len(BUDGETS))
    print_table(regrets, rows, [path.stem for path in paths], slots)


def print_table(regrets: np.ndarray, rows: Sequence[str], names: Sequence[str], slots: int) -> None:
    """Print regrets, float [rows, tables, seeds, budgets], as tables in Markdown.

    Args:
        regrets: see above.
        rows: names of what was compared.
        names: of the tables.
        slots: trainings at once.
    """
    n_seeds = regrets.shape[2]
    print(f"Mean regret and its standard error, {len(names)} tables, {n_seeds} seeds, {slots} at a time:\n")
    print(f"| | {' | '.join(f'n={n}' for n in BUDGETS)} | mean rank | p at {', '.join(map(str, TESTED))} |")
    print(f"| --- |{' --- |' * (len(BUDGETS) + 2)}")
    pairs = regrets.reshape(len(rows), -1, len(BUDGETS))
    ranks = np.apply_along_axis(rankdata, 0, pairs.round(9)).mean((1, 2))
    for index, row in enumerate(rows):
        mean, error = pairs[index].mean(0), pairs[index].std(0, ddof=1) / np.sqrt(pairs.shape[1])
        cells = [f"{m:.3f} ± {e:.3f}" for m, e in zip(mean, error, strict=True)]
        print(f"| {row} | {' | '.join(cells)} | {ranks[index]:.2f} | {_tests(pairs, index)} |")
    print(f"\n| n={TESTED[0]} / {TESTED[1]} / {TESTED[2]} | {' | '.join(names)} |")
    print(f"| --- |{' --- |' * len(names)}")
    chosen = [BUDGETS.index(n) for n in TESTED]
    for index, row in enumerate(rows):
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
