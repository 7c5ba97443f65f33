"""KerasTuner programs, run by Python alone and with the toolkit behind their searches: whole commands.

Part of `scripts/benchmark.py`. The program is `scripts/peer_kerastuner.py`: the same command line both times.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "scripts" / "peer_kerastuner.py"
GOAL = 5.0
"""How many times faster a search with two workers is to be."""

SEARCHES = {
    "RandomSearch 5 x 10 epochs": ["--engine", "random", "--trials", "5", "--epochs", "10"],
    "Hyperband 10/3/2": ["--engine", "hyperband", "--epochs", "10", "--patience", "2"],
    "BayesianOptimization 10 x 10 epochs": ["--engine", "bayesian", "--trials", "10", "--epochs", "10"],
}

ENGINES = tuple(search[1] for search in SEARCHES.values())

SEEDS = (42, 43, 44)


@dataclass
class Compared:
    """One search, by KerasTuner alone and with the toolkit and two workers.

    Attributes:
        theirs, ours: seconds of each run.
        their_best, our_best: best scores, one a seed.
        same_values: whether with one worker and the same seed the configurations are the same; None if not looked at.
    """

    title: str
    theirs: list[float] = field(default_factory=list)
    ours: list[float] = field(default_factory=list)
    their_best: list[float] = field(default_factory=list)
    our_best: list[float] = field(default_factory=list)
    same_values: bool | None = None

    @property
    def ratio(self) -> float:
        return statistics.median(self.theirs) / statistics.median(self.ours)


def run_program(before: Sequence[str], arguments: Sequence[str], workers: int) -> tuple[float, Any]:
    """Run the program; return its wall time in seconds, imports included, and the JSON that it printed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", "TUNE_WORKERS": str(workers)}
    command = [sys.executable, *before, str(PROGRAM), *arguments]
    started = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return seconds, json.loads(done.stdout.splitlines()[-1])


def measure(seeds: Sequence[int], engines: Sequence[str]) -> list[Compared]:
    """Run the searches of some engines in turns, once a seed, and tell of each run as it ends: some take long."""
    wanted = {title: search for title, search in SEARCHES.items() if search[1] in engines}
    found, ours = [Compared(title) for title in wanted], ["-m", "tuning.keras_tuner"]
    for seed in seeds:
        for compared, search in zip(found, wanted.values(), strict=True):
            arguments = [*search, "--seed", str(seed)]
            seconds, record = run_program(ours, arguments, 2)
            compared.ours.append(seconds)
            compared.our_best.append(record["best"])
            tell(f"{compared.title}, seed {seed}: ours {seconds:.1f} s, best {record['best']:.4f}")
            seconds, theirs = run_program([], arguments, 1)
            compared.theirs.append(seconds)
            compared.their_best.append(theirs["best"])
            tell(f"{compared.title}, seed {seed}: KerasTuner {seconds:.1f} s, best {theirs['best']:.4f}")
            if compared.same_values is None and "random" in search:
                compared.same_values = run_program(ours, arguments, 1)[1]["values"] == theirs["values"]
    return found


def tell(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


def print_results(found: Sequence[Compared]) -> None:
    print(f"{'KerasTuner programs, 2 workers':50}{'other':>12}{'ours':>12}{'ratio':>8}{'goal':>7}")
    for one in found:
        theirs, ours = statistics.median(one.theirs), statistics.median(one.ours)
        print(f"{one.title:50}{theirs:>10.1f} s{ours:>10.1f} s{one.ratio:>8.1f}{GOAL:>7.1f}")
        print(f"    best scores {_scores(one.their_best)}, ours {_scores(one.our_best)}")
        if one.same_values is not None:
            print(f"    one worker, the same configurations: {'yes' if one.same_values else 'no'}", flush=True)


def _scores(scores: Sequence[float]) -> str:
    return " ".join(f"{score:.4f}" for score in scores)
