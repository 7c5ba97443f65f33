"""Compare engines on one space: the best score of each seed after the same number of trained epochs.

    python scripts/compare_engines.py                             Fashion-MNIST, seeds 0 to 4, 60 epochs each
    python scripts/compare_engines.py --space digits --seeds 2 --total 20 --epochs 4
    python scripts/compare_engines.py --replay                    engines on tables, without any training
    python scripts/compare_engines.py --overhead --trials 1000    what a proposal costs, without any training

Prints a table in Markdown. An engine's trials cost epochs, not trials: pruned trials make room for others, and a
promoted trial is counted from where it goes on. Five seeds show how far apart equal searches end; they do not rank
engines.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import tuning  # noqa: E402
from scripts.tables import print_regrets  # noqa: E402
from tuning.engines.keras_tuner.kinds import hyperband_epochs  # noqa: E402
from tuning.engines.registry import make_engine, read_options, settle  # noqa: E402
from tuning.hyperparameters import Boolean, Choice, Float, Hyperparameter, Int  # noqa: E402
from tuning.records.definition import Definition  # noqa: E402
from tuning.records.objective import Objective  # noqa: E402
from tuning.records.trial import Curve, Run, State, Training, Trial  # noqa: E402

ENGINES = ("optuna", "random", "hyperband")
REPEATS = 21
"""Proposals whose median is reported."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", default="fashion_mnist")
    parser.add_argument("--engines", nargs="+", default=ENGINES, choices=ENGINES)
    parser.add_argument("--seeds", type=int, default=5, help="seeds 0 to N-1")
    parser.add_argument("--total", type=int, default=60, help="epochs of a whole search")
    parser.add_argument("--epochs", type=int, default=10, help="epochs of one trial")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--logs", type=Path, default=None, help="keep the studies here; run again, they go on")
    parser.add_argument("--overhead", action="store_true", help="measure proposals instead of searches")
    parser.add_argument("--trials", type=int, default=1000, help="recorded trials for --overhead")
    parser.add_argument("--replay", action="store_true", help="answer from scripts/tables instead of training")
    parser.add_argument("--slow", action="store_true", help="bayesian too in --replay: more than all the others")
    parser.add_argument("--no-curves", action="store_true", help="in --replay trainings report once, at their end")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="searches at a time for --replay")
    arguments = parser.parse_args()
    if arguments.replay:
        print_regrets(arguments.seeds, arguments.workers, arguments.jobs, arguments.slow, not arguments.no_curves)
        return
    if arguments.overhead:
        print_overhead(arguments.trials)
        return
    with tempfile.TemporaryDirectory() as folder:
        print_scores(arguments, arguments.logs or Path(folder))


# Searches -------------------------------------------------------------------------------------------------


def print_scores(arguments: argparse.Namespace, logs: Path) -> None:
    """Search with every engine and seed, and print the best scores."""
    seeds = range(arguments.seeds)
    print(f"| engine | {' | '.join(f'seed {seed}' for seed in seeds)} | median | epochs | trials |")
    print(f"| --- |{' --- |' * (len(seeds) + 3)}")
    for engine in arguments.engines:
        studies = [searched(engine, seed, arguments, logs) for seed in seeds]
        scores = [study.best.score if study.best is not None else float("nan") for study in studies]
        epochs = " ".join(str(epochs_of(study)) for study in studies)
        trials = " ".join(str(len(study.trials)) for study in studies)
        row = [*(f"{score:.4f}" for score in scores), f"{statistics.median(scores):.4f}", epochs, trials]
        print(f"| `{engine}` | {' | '.join(row)} |", flush=True)


def searched(engine: str, seed: int, arguments: argparse.Namespace, logs: Path) -> tuning.Study:
    """Search until no further trial fits into the epochs."""
    given: dict[str, Any] = {"engine": engine, "seed": seed, "epochs": arguments.epochs, "workers": arguments.workers}
    given |= {"study": f"{arguments.space}-{engine}-{seed}", "logs": logs, "keep": 1, "verbose": 0}
    if engine == "hyperband":
        return tuning.search(arguments.space, **given, options=schedule(arguments.total, arguments.epochs))
    trials = arguments.total // arguments.epochs
    study = tuning.search(arguments.space, **given, trials=trials)
    while room := (arguments.total - epochs_of(study)) // arguments.epochs:
        trials += room
        study = tuning.search(arguments.space, **given, trials=trials)
    return study


def schedule(total: int, epochs: int) -> dict[str, int]:
    """Return Hyperband's options that use up most of `total` epochs with trials of about `epochs`."""
    found = [
        (hyperband_epochs(longest, factor, 1), longest, factor)
        for longest in range(max(epochs - 2, 1), epochs + 1)
        for factor in (2, 3, 4)
    ]
    fitting = [entry for entry in found if entry[0] <= total] or [min(found)]
    _, longest, factor = max(fitting)
    return {"max_epochs": longest, "factor": factor}


def epochs_of(study: tuning.Study) -> int:
    return sum(trial.epochs for trial in study.trials)


# Proposals ------------------------------------------------------------------------------------------------


def print_overhead(trials: int) -> None:
    """Print the median time of a proposal after so many trials, of samplers that are made for so many."""
    print(f"| proposal with {trials} recorded trials | median | slowest |\n| --- | --- | --- |")
    for name, engine, options in (
        ("`random` (KerasTuner)", "random", {}),
        ("`optuna`, sampler=random", "optuna", {"sampler": "random"}),
        ("`optuna`, sampler=tpe", "optuna", {"sampler": "tpe"}),
        ("`optuna`, sampler=tpe, conditional", "optuna", {"sampler": "tpe", "conditional": True}),
    ):
        times = proposal_seconds(engine, options, trials)
        print(f"| {name} | {1000 * statistics.median(times):.1f} ms | {1000 * max(times):.1f} ms |", flush=True)


def proposal_seconds(engine: str, options: Mapping[str, Any], trials: int) -> list[float]:
    """Return the times of proposals after `trials` random ones, whose scores are a formula."""
    options = dict(options)
    space = _space(options.pop("conditional", False))
    definition = Definition(
        "study", "space", None, space, Objective("score", "max"), engine, read_options(engine, options), 0, 10
    )
    at_random = replace(definition, engine="optuna", options=read_options("optuna", {"sampler": "random"}))
    drawing, engine_ = (make_engine(settle(d, {}), None) for d in (at_random, definition))
    if engine == "random":
        drawing = engine_  # KerasTuner's engine needs its own notes about its trials
    recorded = []
    for number in range(trials):
        run = drawing.ask()
        if not isinstance(run, Run):
            raise SystemExit(f"the space has no more than {number} configurations")
        recorded.append(_trained(run, 2 * number))
        drawing.tell(recorded[-1])
    if engine_ is not drawing:
        engine_.restore(recorded, None)
    times = []
    for number in range(trials, trials + REPEATS):
        started = time.perf_counter()
        run = engine_.ask()
        times.append(time.perf_counter() - started)
        engine_.tell(_trained(run, 2 * number))
    return times


def _space(conditional: bool) -> tuple[Hyperparameter, ...]:
    """Return seven hyperparameters, those of a small network."""
    from tuning.hyperparameters import Condition

    under = (Condition("optimizer", ("sgd",)),) if conditional else ()
    return (
        Int("n_hidden", 2, low=0, high=8, step=1),
        Int("n_neurons", 16, low=16, high=256, step=1),
        Float("learning_rate", 1e-3, low=1e-4, high=1e-1, sampling="log"),
        Choice("optimizer", "sgd", choices=("sgd", "adam")),
        Float("momentum", 0.0, low=0.0, high=0.99, conditions=under),
        Boolean("normalize", False),
        Choice("batch_size", 32, choices=(16, 32, 64, 128), ordered=True),
    )


def _trained(run: Run, event: int) -> Trial:
    score = run.values["n_neurons"] / 256 - abs(run.values["learning_rate"] - 0.01)
    ended = replace(run, asked=event, ended=event + 1, until=1)
    training = Training(Curve(({"score": score},)), score, 0, untils=(1,))
    return Trial(run.number, run.values, State.COMPLETED, (training,), runs=(ended,))


if __name__ == "__main__":
    main()
