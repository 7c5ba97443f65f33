"""Time a search on a cluster of this machine against the same with worker processes.

Run `python scripts/bench_cluster.py [--trials 12] [--epochs 8]` from the repository's root. Two Dask workers with a
thread each, in processes of their own as their scheduler is, are compared with two worker processes: the whole search
on the digits, and one report with its answer, as the training process sees it. The search is repeated, in turns; the
shorter time of each counts. With `--elsewhere` the workers take themselves for another machine, which loads its data.
Arrays of 188 MB, as many as those of Fashion-MNIST, are sent to three workers that take themselves for a machine each.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import distributed  # noqa: E402
from distributed.deploy.subprocess import SubprocessCluster  # noqa: E402

import tuning  # noqa: E402
from tuning.executors.cluster.executor import ClusterExecutor  # noqa: E402
from tuning.executors.cluster.look import look  # noqa: E402

GOAL_TIMES, GOAL_REPORT_MILLISECONDS, GOAL_ARRAYS_SECONDS = 1.15, 6.0, 6.0
WORKERS = 2
REPORTS = 300
MACHINES, ARRAYS = 3, (60_000, 28, 28)
OF_ITS_OWN = "import os, socket; name = f'machine-{os.getpid()}'; socket.gethostname = lambda: name"
"""What makes a worker of Dask's a machine, for whoever asks."""
ELSEWHERE = "import socket; socket.gethostname = lambda: 'elsewhere'"
"""What makes all of them another machine than the driver's."""


class Reporting(tuning.SearchSpace):
    """Trains nothing, and says how long each report took."""

    name, objective = "reporting", "score:max"

    def build(self, hp: Any) -> float:
        return float(hp.Float("a", 0, 1))

    def fit(self, hp: Any, model: Any, x: Any, *, epochs: int, callbacks: Sequence[Any] = (), **_: Any) -> None:
        milliseconds = 0.0
        for epoch in range(epochs):
            begun = time.perf_counter()
            for callback in callbacks:
                callback.on_epoch_end(epoch, {"score": model, "milliseconds": milliseconds})
            milliseconds = 1000 * (time.perf_counter() - begun)

    def load_data(self) -> tuning.Data:
        return tuning.Data(np.arange(3.0))


def report_milliseconds(logs: str, **where: Any) -> float:
    """Return the median of a report with its answer."""
    given = {"engine": "random", "trials": 1, "epochs": REPORTS, "seed": 0, "logs": logs, "verbose": 0, **where}
    study = tuning.search(Reporting(), overwrite=True, study="reports", **given)
    return statistics.median(epoch["milliseconds"] for epoch in study.trials[0].curve.epochs[1:])


def search_seconds(logs: str, trials: int, epochs: int, **where: Any) -> float:
    """Return the wall time of a search on the digits."""
    begun = time.perf_counter()
    given = {"engine": "random", "trials": trials, "epochs": epochs, "seed": 0, "logs": logs, "verbose": 0, **where}
    tuning.search("digits", overwrite=True, study="digits", **given)
    return time.perf_counter() - begun


def arrays_seconds(logs: str) -> float:
    """Return how long it takes from a connection to the scheduler until all machines have the arrays."""
    data = tuning.Data(np.ones(ARRAYS, "float32"), np.ones(ARRAYS[0], "int64"))
    settings = {"threads_per_worker": 1, "dashboard_address": ":0", "preload": [OF_ITS_OWN]}
    with distributed.LocalCluster(n_workers=MACHINES, **settings) as cluster:
        if len({found.host for found in look(cluster.scheduler_address, Path(logs))}) != MACHINES:
            raise RuntimeError("the workers are not machines of their own")
        begun = time.perf_counter()
        with contextlib.closing(ClusterExecutor(cluster.scheduler_address)) as executor:
            executor.load(None, Reporting(), data)
            while executor.slots < MACHINES:
                executor.poll(_nothing)
            return time.perf_counter() - begun


def _nothing(message: Any) -> Any:
    raise RuntimeError(f"nothing is trained, but {message} came")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=2, help="of the search; 0 for the report and the arrays only")
    parser.add_argument("--elsewhere", action="store_true", help="the cluster's workers are another machine")
    arguments = parser.parse_args()
    workers = {"preload": [ELSEWHERE]} if arguments.elsewhere else {}
    here: dict[str, Any] = {"workers": WORKERS, "in_process": False}
    with (
        tempfile.TemporaryDirectory(prefix="bench-cluster-") as logs,
        SubprocessCluster(
            n_workers=WORKERS, threads_per_worker=1, dashboard_address=None, worker_kwargs=workers
        ) as cluster,
    ):
        there = {"cluster": cluster.scheduler_address}
        for name, where in (("worker processes", here), ("cluster", there)):
            print(f"a report, {name}: {report_milliseconds(logs, **where):.2f} ms", flush=True)
        print(f"goal on the cluster: {GOAL_REPORT_MILLISECONDS:g} ms")
        print(f"188 MB to {MACHINES} machines: {arrays_seconds(logs):.1f} s (goal {GOAL_ARRAYS_SECONDS:g})", flush=True)
        seconds: dict[str, list[float]] = {"worker processes": [], "cluster": []}
        for _ in range(arguments.repeats):
            for name, where in (("worker processes", here), ("cluster", there)):
                seconds[name].append(search_seconds(logs, arguments.trials, arguments.epochs, **where))
                print(f"a search, {name}: {seconds[name][-1]:.1f} s", flush=True)
        if not arguments.repeats:
            return
        times = min(seconds["cluster"]) / min(seconds["worker processes"])
        print(f"cluster against worker processes: {times:.2f} times (goal {GOAL_TIMES:g})")


if __name__ == "__main__":
    main()
