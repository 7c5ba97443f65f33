"""Measure what the README promises, on this machine, as ratios of two things measured in the same run.

    python scripts/benchmark.py --quick              epochs and a cold trial against model.fit: under 3 minutes
    python scripts/benchmark.py                      also whole searches against KerasTuner's: half an hour
    python scripts/benchmark.py --only searches --json figures.json

Each row alternates A and B and compares medians. A search is a whole command, imports included; KerasTuner trains
the same configurations with the same seed.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scripts import bench_training  # noqa: E402

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
    Row("Hyperband 10/3/2, 1 worker", [*OURS_HYPERBAND, "--workers", "1"], [*PEER, *HYPERBAND], 4.5, 1),
    Row("Hyperband 10/3/2, 2 workers", [*OURS_HYPERBAND, "--workers", "2"], [*PEER, *HYPERBAND], 8.0, 1),
    Row("8 x 5 epochs after start-up, 2 workers against 1", [*THROUGHPUT, "--workers", "2"],
        [*TUNE, *THROUGHPUT, "--workers", "1"], 1.6, 3, training_seconds),
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


def measure_row(row: Row) -> dict[str, Any]:
    """Run both commands in turns."""
    seconds: dict[str, list[float]] = {"ours": [], "other": []}
    for _ in range(row.repetitions):
        for name, command in (("ours", row.ours), ("other", row.other)):
            is_ours = name == "ours" or row.measure is not None
            arguments = command[len(TUNE) :] if name == "other" and row.measure is not None else command
            wall, record = run_search(arguments) if is_ours else run_command(command)
            seconds[name].append(wall if row.measure is None else row.measure(record))
    ratio = statistics.median(seconds["other"]) / statistics.median(seconds["ours"])
    return {"title": row.title, **seconds, "ratio": ratio, "goal": row.goal}


def print_row(result: dict[str, Any]) -> None:
    ours, other = (statistics.median(result[name]) for name in ("ours", "other"))
    figures = f"{other:>10.1f} s{ours:>10.1f} s{result['ratio']:>8.1f}{result['goal']:>7.1f}"
    print(f"{result['title']:50}{figures}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="no whole searches")
    parser.add_argument("--only", choices=["training", "searches"], help="one part")
    parser.add_argument("--row", type=int, action="append", metavar="N", help="only this row of the searches, from 0")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the figures there as well")
    options = parser.parse_args()
    record: dict[str, Any] = {}
    if options.only in (None, "training"):
        results = bench_training.run(repetitions=3 if options.quick else 5)
        record["training"] = [dataclasses.asdict(result) for result in results]
    if options.only == "searches" or (options.only is None and not options.quick):
        print(f"{'whole searches':50}{'other':>12}{'ours':>12}{'ratio':>8}{'goal':>7}")
        record["searches"] = []
        for index, row in enumerate(SEARCHES):
            if options.row is None or index in options.row:
                record["searches"].append(measure_row(row))
                print_row(record["searches"][-1])
    record["environment"] = bench_training.environment()
    if options.json is not None:
        options.json.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
