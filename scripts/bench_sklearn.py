"""Time scikit-learn over a `tuning.KerasRegressor` and over plain SciKeras: GridSearchCV, and a short training.

    python scripts/bench_sklearn.py                     both sides, as whole commands in turns
    python scripts/bench_sklearn.py --run ours          GridSearchCV over one: "ours" or "scikeras"; prints JSON
    python scripts/bench_sklearn.py --short ours        the short training of one; prints JSON
    python scripts/bench_sklearn.py --epochs 1 --candidates 2 --repetitions 1

California housing (all 20,640 samples, standardised inside each fold), 12 candidates x 3 folds x 20 epochs: 1 to 3
hidden layers of 50, learning rates 0.001 and 0.01, SGD and Adam, batches of 32; `n_jobs=2`; then the best one on all
samples. Both get the same folds and the same seed. Wall times are whole commands, imports included. Mean test scores
agree when their median difference is not larger than the median standard deviation over folds.

The short training is `cross_val_score` of 3 epochs on diabetes with 5 folds, in a new process that has trained nothing
before, after its imports: what a model costs that hardly trains.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

GOAL, SHORT_GOAL = 8.0, 1.5
SHORT_REPETITIONS = 3
SIDES = ("ours", "scikeras")
GRID = {
    "n_hidden": [1, 2, 3],
    "learning_rate": [1e-3, 1e-2],
    "optimizer": ["sgd", "adam"],
}


@dataclasses.dataclass(frozen=True)
class Result:
    """Whole commands compared.

    Attributes:
        ours, scikeras: wall times in seconds, one a repetition.
        ratio: how many times longer SciKeras takes, by medians.
        difference: median over candidates of the absolute difference of mean test scores (RMSE).
        noise: median over candidates of the standard deviation over folds.
        scores: mean test scores (negative RMSE) of each candidate, by side.
        short: seconds of the short trainings, by side, one a repetition.
    """

    ours: list[float]
    scikeras: list[float]
    ratio: float
    difference: float
    noise: float
    scores: dict[str, list[float]]
    short: dict[str, list[float]]

    @property
    def short_ratio(self) -> float:
        return statistics.median(self.short["scikeras"]) / statistics.median(self.short["ours"])


def network(n_hidden: int, learning_rate: float, optimizer: str, meta: Any) -> Any:
    """Return the compiled network that both sides train."""
    import keras

    hidden = [keras.layers.Dense(50, activation="relu") for _ in range(n_hidden)]
    model = keras.Sequential([keras.Input((meta["n_features_in_"],)), *hidden, keras.layers.Dense(1)])
    kinds = {"sgd": keras.optimizers.SGD, "adam": keras.optimizers.Adam}
    model.compile(kinds[optimizer](learning_rate, clipnorm=1.0), "mse")
    return model


def build_model(hp: Any, meta: Any) -> Any:
    """Return the network of a space."""
    n_hidden = hp.Int("n_hidden", 1, 3)
    rate = hp.Float("learning_rate", 1e-3, 1e-2, sampling="log")
    return network(n_hidden, rate, hp.Choice("optimizer", ["sgd", "adam"]), meta)


def regressor(side: str, epochs: int) -> Any:
    """Return the estimator of one side."""
    if side == "ours":
        import tuning

        return tuning.KerasRegressor(build_model, epochs=epochs, random_state=42)
    from scikeras.wrappers import KerasRegressor

    arguments = {"n_hidden": 1, "learning_rate": 1e-3, "optimizer": "sgd"}
    routed = {f"model__{name}": value for name, value in arguments.items()}
    return KerasRegressor(network, epochs=epochs, batch_size=32, verbose=0, random_state=42, **routed)


def search(side: str, epochs: int, candidates: int) -> dict[str, Any]:
    """Run one grid search; return its scores."""
    from sklearn.datasets import fetch_california_housing
    from sklearn.model_selection import GridSearchCV, KFold, ParameterGrid
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    x, y = fetch_california_housing(return_X_y=True)
    prefix = "net__" if side == "ours" else "net__model__"
    grid = [{f"{prefix}{k}": [v] for k, v in values.items()} for values in list(ParameterGrid(GRID))[:candidates]]
    pipeline = Pipeline([("scale", StandardScaler()), ("net", regressor(side, epochs))])
    folds = KFold(3, shuffle=True, random_state=42)
    found = GridSearchCV(pipeline, grid, cv=folds, n_jobs=2, scoring="neg_root_mean_squared_error").fit(x, y)
    return {name: found.cv_results_[f"{name}_test_score"].tolist() for name in ("mean", "std")}


def short(side: str) -> dict[str, float]:
    """Cross-validate three epochs; return the seconds that it took without its imports."""
    from sklearn.datasets import load_diabetes
    from sklearn.model_selection import KFold, cross_val_score

    x, y = load_diabetes(return_X_y=True)
    net = regressor(side, 3)
    started = time.perf_counter()
    scores = cross_val_score(net, x, y / 100, cv=KFold(5), error_score="raise")
    return {"seconds": time.perf_counter() - started, "score": float(scores.mean())}


def run(side: str, *arguments: Any) -> tuple[float, Any]:
    """Run a side as a program of its own; return its wall time in seconds and what it printed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, __file__, *map(str, arguments)]
    started = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(f"scikit-learn over {side} ended with {done.returncode}:\n{done.stderr}")
    return seconds, json.loads(done.stdout[done.stdout.index("{") :])


def measure(repetitions: int = 1, epochs: int = 20, candidates: int = 12) -> Result:
    """Run both sides in turns, each as a program of its own."""
    seconds: dict[str, list[float]] = {side: [] for side in SIDES}
    shorts: dict[str, list[float]] = {side: [] for side in SIDES}
    scores: dict[str, Any] = {}
    for _ in range(SHORT_REPETITIONS):
        for side in SIDES:
            shorts[side].append(run(side, "--short", side)[1]["seconds"])
            print(f"  3 epochs of diabetes, {side}: {shorts[side][-1]:.2f} s", file=sys.stderr, flush=True)
    for _ in range(repetitions):
        for side in SIDES:
            wall, scores[side] = run(side, "--run", side, "--epochs", epochs, "--candidates", candidates)
            seconds[side].append(wall)
            print(f"  GridSearchCV over {side}: {wall:.1f} s", file=sys.stderr, flush=True)
    means = {side: scores[side]["mean"] for side in SIDES}
    return Result(
        short=shorts,
        ours=seconds["ours"],
        scikeras=seconds["scikeras"],
        ratio=statistics.median(seconds["scikeras"]) / statistics.median(seconds["ours"]),
        difference=statistics.median(abs(a - b) for a, b in zip(*means.values(), strict=True)),
        noise=statistics.median(scores["scikeras"]["std"]),
        scores=means,
    )


def print_result(result: Result) -> None:
    """Print what a person wants to know."""
    ours, other = statistics.median(result.ours), statistics.median(result.scikeras)
    title = "GridSearchCV, n_jobs=2, against plain SciKeras"
    print(f"{title:50}{other:>10.1f} s{ours:>10.1f} s{result.ratio:>8.1f}{GOAL:>7.1f}")
    print(
        f"  mean test RMSE: median difference {result.difference:.4f}, standard deviation of folds {result.noise:.4f}"
    )
    ours, other = (statistics.median(result.short[side]) for side in SIDES)
    title = "cross_val_score, 3 epochs of diabetes, 5 folds"
    print(f"{title:50}{other:>10.1f} s{ours:>10.1f} s{result.short_ratio:>8.1f}{SHORT_GOAL:>7.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", choices=SIDES, help="one side only; print its scores as JSON")
    parser.add_argument("--short", choices=SIDES, help="the short training of one side only; print its time as JSON")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--candidates", type=int, default=12)
    parser.add_argument("--repetitions", type=int, default=1)
    options = parser.parse_args()
    if options.short is not None:
        print(json.dumps(short(options.short)))
    elif options.run is not None:
        print(json.dumps(search(options.run, options.epochs, options.candidates)))
    else:
        print_result(measure(options.repetitions, options.epochs, options.candidates))


if __name__ == "__main__":
    main()
