"""Measure what the README promises, on this machine, as ratios of two things measured in the same run.

    python scripts/benchmark.py --quick              epochs and a cold trial against model.fit: under 3 minutes
    python scripts/benchmark.py                      the driver, whole searches and GridSearchCV, too: an hour or two
    python scripts/benchmark.py --only searches --json figures.json

Each row alternates A and B and compares medians; rows with the same B share its runs. A search is a whole command,
imports included; KerasTuner trains the same configurations with the same seed.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
os.environ.setdefault("TUNE_CACHE", "off")  # so that what is measured is compiled
sys.path.insert(0, str(ROOT))

from scripts import bench_breadth, bench_driver, bench_keras_tuner, bench_programs, bench_sklearn, bench_training  # noqa: E402

TUNE = [
    sys.executable, "-m", "tuning.cli", "run", "fashion_mnist", "--quiet", "--json", "--seed", "42", "--patience", "0",
]  # fmt: skip
PEER = [sys.executable, str(ROOT / "scripts" / "peer_kerastuner.py"), "--seed", "42"]
RANDOM = ["--engine", "random", "--trials", "5", "--epochs", "10"]
HYPERBAND = ["--engine", "hyperband", "--epochs", "10", "--patience", "2"]
OURS_HYPERBAND = [*HYPERBAND, "-o", "factor=3", "-o", "hyperband_iterations=2"]


@dataclasses.dataclass(frozen=True)
class Row:
    """Two commands, the ratio of whose wall times is of interest.

    Attributes:
        ours: arguments of `tune run`.
        other: the command it is compared with.
        repetitions: how often each is run.
        measure: turns what `tune run --json` printed into the seconds that count; None for the wall time.
    """

    title: str
    ours: Sequence[str]
    other: Sequence[str]
    goal: float
    repetitions: int = 3
    measure: Callable[[Any], float] | None = None


def training_seconds(record: Any) -> float:
    """Return the time from the first run's beginning to the last one's end, without any start-up."""
    return max(t["ended_at"] for t in record["trials"]) - min(t["started_at"] for t in record["trials"])


THROUGHPUT = ["--engine", "random", "--trials", "8", "--epochs", "5"]
SEARCHES = [
    Row("random search 5 x 10 epochs, 1 worker", [*RANDOM, "--workers", "1"], [*PEER, *RANDOM], 3.0),
    Row("random search 5 x 10 epochs, 2 workers", [*RANDOM, "--workers", "2"], [*PEER, *RANDOM], 5.5),
    Row("Hyperband 10/3/2, 1 worker", [*OURS_HYPERBAND, "--workers", "1"], [*PEER, *HYPERBAND], 4.5),
    Row("Hyperband 10/3/2, 2 workers", [*OURS_HYPERBAND, "--workers", "2"], [*PEER, *HYPERBAND], 8.0),
    Row("8 x 5 epochs after start-up, 2 workers against 1", [*THROUGHPUT, "--workers", "2"],
        [*TUNE, *THROUGHPUT, "--workers", "1"], 1.6, 5, training_seconds),
]  # fmt: skip


def run_command(command: Sequence[str]) -> tuple[float, Any]:
    """Run a program; return its wall time in seconds and the JSON it printed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    started = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return seconds, json.loads(done.stdout[done.stdout.index("{") :])


def run_search(arguments: Sequence[str]) -> tuple[float, Any]:
    """Run `tune run` in an empty folder of logs; add to its trials when they began and ended."""
    with tempfile.TemporaryDirectory() as folder:
        seconds, record = run_command([*TUNE, *arguments, "--logs", folder])
        import tuning

        for shown, trial in zip(record["trials"], tuning.load(record["path"]).trials, strict=True):
            shown.update(started_at=trial.started_at, ended_at=trial.ended_at)
    return seconds, record


def measure_rows(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Run the commands of rows that are compared with the same one in turns; yield each row's result."""
    seconds: dict[str, list[float]] = {row.title: [] for row in rows}
    others: list[float] = []
    for _ in range(rows[0].repetitions):
        for row in rows:
            seconds[row.title].append(time_search(row.ours, row.measure))
            print(f"  {row.title}: {seconds[row.title][-1]:.1f} s", file=sys.stderr, flush=True)
        others.append(time_other(rows[0]))
        print(f"  compared with: {others[-1]:.1f} s", file=sys.stderr, flush=True)
    for row in rows:
        ours = seconds[row.title]
        ratio = statistics.median(others) / statistics.median(ours)
        yield {"title": row.title, "ours": ours, "other": others, "ratio": ratio, "goal": row.goal}


def time_search(arguments: Sequence[str], measure: Callable[[Any], float] | None) -> float:
    """Return the seconds that count of one `tune run`."""
    wall, record = run_search(arguments)
    return wall if measure is None else measure(record)


def time_other(row: Row) -> float:
    """Return the seconds that count of the command that a row is compared with."""
    if list(row.other[: len(TUNE)]) == TUNE:
        return time_search(row.other[len(TUNE) :], row.measure)
    return run_command(row.other)[0]


def print_row(result: dict[str, Any]) -> None:
    ours, other = (statistics.median(result[name]) for name in ("ours", "other"))
    figures = f"{other:>10.1f} s{ours:>10.1f} s{result['ratio']:>8.1f}{result['goal']:>7.1f}"
    print(f"{result['title']:50}{figures}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="training alone, fewer repetitions")
    parts = ["training", "breadth", "programs", "driver", "searches", "sklearn", "keras-tuner"]
    parser.add_argument("--only", choices=parts, help="one part")
    parser.add_argument("--model", nargs="+", choices=bench_breadth.BREADTH, help="only these rows of breadth")
    known = bench_keras_tuner.ENGINES
    parser.add_argument("--engines", choices=known, nargs="+", default=known, help="only these of keras-tuner")
    parser.add_argument("--seeds", type=int, nargs="+", default=bench_keras_tuner.SEEDS, help="those of keras-tuner")
    parser.add_argument("--row", type=int, action="append", metavar="N", help="only this row of the searches, from 0")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the figures there as well")
    options = parser.parse_args()
    record: dict[str, Any] = {}
    if options.only in (None, "training"):
        results = bench_training.run(repetitions=3 if options.quick else 5)
        record["training"] = [dataclasses.asdict(result) for result in results]
    if options.only == "breadth" or (options.only is None and not options.quick):
        breadth = bench_breadth.run(options.model, repetitions=1 if options.quick else 3)
        record["breadth"] = [dataclasses.asdict(measured) for measured in breadth]
    if options.only == "programs" or (options.only is None and not options.quick):
        record["programs"] = [dataclasses.asdict(share) for share in bench_programs.run()]
    if options.only == "driver" or (options.only is None and not options.quick):
        rows = bench_driver.measure()
        bench_driver.print_rows(rows)
        record["driver"] = [dataclasses.asdict(row) for row in rows]
    if options.only == "searches" or (options.only is None and not options.quick):
        print(f"{'whole searches':50}{'other':>12}{'ours':>12}{'ratio':>8}{'goal':>7}")
        record["searches"] = []
        chosen = [row for index, row in enumerate(SEARCHES) if options.row is None or index in options.row]
        for _, group in itertools.groupby(chosen, key=lambda row: (row.other, row.repetitions)):
            for result in measure_rows(list(group)):
                record["searches"].append(result)
                print_row(result)
    if options.only == "sklearn" or (options.only is None and not options.quick):
        compared = bench_sklearn.measure()
        bench_sklearn.print_result(compared)
        record["sklearn"] = dataclasses.asdict(compared)
    if options.only == "keras-tuner" or (options.only is None and not options.quick):
        programs = bench_keras_tuner.measure(options.seeds, options.engines)
        bench_keras_tuner.print_results(programs)
        record["keras-tuner"] = [dataclasses.asdict(compared) for compared in programs]
    record["environment"] = bench_training.environment()
    if options.json is not None:
        options.json.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
