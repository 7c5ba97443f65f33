"""Time compiled epochs against `model.fit` on this machine.

Run `python scripts/bench_training.py [--quick] [--json PATH] [--work NAME ...]` from the repository's root.
Each row trains the same model on the same data with `model.fit` and with `tuning.compiled.fit`, in turns in
one process, and compares the medians. An epoch's time is from `on_epoch_begin` to `on_epoch_end`, validation
included, of a model that has been trained before. A cold trial is everything from building the model to its
last epoch, with nothing compiled before.

GFLOP/s count the matrix products of an epoch. Their limit is what NumPy's sgemm makes of the same products,
one batch at a time.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

BATCH_SIZE = 32


@dataclasses.dataclass(frozen=True)
class Work:
    """One row of the table.

    Attributes:
        name: what `--work` selects.
        title: what the table says.
        load: returns x, y, validation x and validation y.
        units: sizes of the hidden layers.
        optimizer: its name.
        dropout: its rate after each hidden layer.
        is_regression: one linear output and the mean squared error, instead of ten classes.
        n_epochs: epochs in each turn.
        is_cold: whether a turn is a whole trial; else it is epochs of a model that has been trained before.
        goal: the ratio to reach.
    """

    name: str
    title: str
    load: Callable[[], tuple[Any, Any, Any, Any]]
    units: tuple[int, ...]
    optimizer: str
    is_regression: bool
    n_epochs: int
    is_cold: bool
    goal: float
    dropout: float = 0.0


@dataclasses.dataclass(frozen=True)
class Result:
    """What was measured for one row.

    Attributes:
        name: the row.
        title: what was trained.
        keras_seconds: every time of `model.fit`.
        compiled_seconds: every time of `tuning.compiled.fit`.
        ratio: median of the former by median of the latter.
        goal: the ratio to reach.
        keras_gflops: rate of the matrix products, for `model.fit`.
        compiled_gflops: likewise, for `tuning.compiled.fit`.
        sgemm_gflops: rate of NumPy's sgemm on the same products.
    """

    name: str
    title: str
    keras_seconds: list[float]
    compiled_seconds: list[float]
    ratio: float
    goal: float
    keras_gflops: float
    compiled_gflops: float
    sgemm_gflops: float


def fashion_mnist() -> tuple[Any, Any, Any, Any]:
    from search_spaces.data import fashion_mnist as load

    data = load()
    return data.x, data.y, *data.validation


def california_housing() -> tuple[Any, Any, Any, Any]:
    from search_spaces.data import california_housing as load

    data = load()
    mean, std = data.x.mean(axis=0), data.x.std(axis=0)
    x_validation, y_validation = data.validation
    return (data.x - mean) / std, data.y, (x_validation - mean) / std, y_validation


WORKS = (
    Work(
        "fashion_300_100",
        "Fashion-MNIST 300-100 SGD, warm epoch",
        fashion_mnist,
        units=(300, 100),
        optimizer="sgd",
        is_regression=False,
        n_epochs=1,
        is_cold=False,
        goal=5.0,
    ),
    Work(
        "fashion_8x256",
        "Fashion-MNIST 8x256 Adam, warm epoch",
        fashion_mnist,
        units=8 * (256,),
        optimizer="adam",
        is_regression=False,
        n_epochs=1,
        is_cold=False,
        goal=3.5,
    ),
    # Several epochs in a turn: a single one takes a hundredth of a second.
    Work(
        "california_warm",
        "California 3x50 Adam, warm epoch",
        california_housing,
        units=3 * (50,),
        optimizer="adam",
        is_regression=True,
        n_epochs=5,
        is_cold=False,
        goal=30.0,
    ),
    Work(
        "california_cold",
        "California 3x50 Adam, cold trial",
        california_housing,
        units=3 * (50,),
        optimizer="adam",
        is_regression=True,
        n_epochs=20,
        is_cold=True,
        goal=6.0,
    ),
    Work(
        "california_dropout",
        "California 3x50 dropout Adam, warm epoch",
        california_housing,
        units=3 * (50,),
        optimizer="adam",
        is_regression=True,
        n_epochs=5,
        is_cold=False,
        goal=6.0,
        dropout=0.2,
    ),
)


def build_model(work: Work, input_shape: tuple[int, ...]) -> Any:
    """Return a new compiled model."""
    import keras

    layers = []
    for n in work.units:
        layers += [keras.layers.Dense(n, activation="relu")]
        layers += [keras.layers.Dropout(work.dropout)] if work.dropout else []
    flatten = [keras.layers.Flatten()] if len(input_shape) > 1 else []
    output = keras.layers.Dense(1) if work.is_regression else keras.layers.Dense(10, activation="softmax")
    model = keras.Sequential([keras.Input(input_shape), *flatten, *layers, output])
    if work.is_regression:
        model.compile(work.optimizer, "mse", metrics=[keras.metrics.RootMeanSquaredError(name="rmse")])
    else:
        model.compile(work.optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def measure(work: Work, repetitions: int = 3) -> Result:
    """Measure one row.

    Args:
        work: the row.
        repetitions: how often each side is timed; the two take turns.
    """
    data = work.load()
    times = _cold_trials(work, data, repetitions) if work.is_cold else _warm_epochs(work, data, repetitions)
    medians = [statistics.median(side) for side in times]
    gflop, sgemm_seconds = products(work, data)
    rates = [(work.n_epochs if work.is_cold else 1) * gflop / median for median in medians]
    return Result(work.name, work.title, *times, medians[0] / medians[1], work.goal, *rates, gflop / sgemm_seconds)


def _fit_with_keras(model: Any, *args: Any, **kwargs: Any) -> Any:
    return type(model).fit(model, *args, **kwargs)


def _sides() -> tuple[Callable[..., Any], Callable[..., Any]]:
    from tuning import compiled as training

    return _fit_with_keras, training.fit


def _warm_epochs(work: Work, data: Sequence[Any], repetitions: int) -> list[list[float]]:
    x, y, x_validation, y_validation = data
    models = [build_model(work, x.shape[1:]) for _ in range(2)]
    times: list[list[float]] = [[], []]
    for repetition in range(repetitions + 1):
        for model, fit, seconds in zip(models, _sides(), times, strict=True):
            timer = _timer()
            fit(
                model,
                x,
                y,
                batch_size=BATCH_SIZE,
                validation_data=(x_validation, y_validation),
                verbose=0,
                epochs=work.n_epochs if repetition else 1,
                callbacks=[timer],
            )
            seconds += timer.seconds if repetition else []
    _check_compiled(models[1])
    return times


def _cold_trials(work: Work, data: Sequence[Any], repetitions: int) -> list[list[float]]:
    from tuning import compiled as training

    x, y, x_validation, y_validation = data
    times: list[list[float]] = [[], []]
    for _ in range(repetitions):
        for fit, seconds in zip(_sides(), times, strict=True):
            training.clear()
            started = time.perf_counter()
            model = build_model(work, x.shape[1:])
            fit(
                model,
                x,
                y,
                batch_size=BATCH_SIZE,
                validation_data=(x_validation, y_validation),
                verbose=0,
                epochs=work.n_epochs,
            )
            seconds.append(time.perf_counter() - started)
    _check_compiled(model)
    return times


def _check_compiled(model: Any) -> None:
    from tuning import compiled as training

    report = training.last_report(model)
    if not report.compiled:
        raise SystemExit(f"the epochs were not compiled: {report.reason}")


def _timer() -> Any:
    import keras

    class Timer(keras.callbacks.Callback):
        def __init__(self) -> None:
            super().__init__()
            self.seconds: list[float] = []

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self._started = time.perf_counter()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.seconds.append(time.perf_counter() - self._started)

    return Timer()


def products(work: Work, data: Sequence[Any]) -> tuple[float, float]:
    """Return the GFLOP of an epoch's matrix products, and the seconds that sgemm takes for them.

    Training multiplies forward, for the weights' gradients and, but in the first layer, for the inputs';
    validation forward.
    """
    x, _, x_validation, _ = data
    sizes = [int(np.prod(x.shape[1:])), *work.units, 1 if work.is_regression else 10]
    training, validation = (len(part) / BATCH_SIZE for part in (x, x_validation))
    gflop = seconds = 0.0
    for number, (n_in, n_out) in enumerate(zip(sizes, sizes[1:], strict=False)):
        shapes = [(BATCH_SIZE, n_in, n_out), (n_in, BATCH_SIZE, n_out), (BATCH_SIZE, n_out, n_in)]
        counts = [training + validation, training, training if number else 0.0]
        for shape, count in zip(shapes, counts, strict=True):
            gflop += count * 2e-9 * np.prod(shape)
            seconds += count * _sgemm_seconds(shape) if count else 0.0
    return float(gflop), seconds


def _sgemm_seconds(shape: tuple[int, int, int]) -> float:
    """Return the seconds of one product of [m, k] and [k, n], the best of several."""
    m, k, n = shape
    generator = np.random.default_rng(0)
    a, b = (generator.normal(size=s).astype("float32") for s in ((m, k), (k, n)))
    out = np.empty((m, n), "float32")
    repetitions = max(10, int(2e7 / (m * k * n)))
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        for _ in range(repetitions):
            np.matmul(a, b, out=out)
        best = min(best, (time.perf_counter() - started) / repetitions)
    return best


def table(results: Sequence[Result]) -> str:
    """Return the table to print."""
    lines = [
        f"{'work':40}{'model.fit':>12}{'compiled':>12}{'ratio':>8}{'goal':>7}{'GFLOP/s':>10}{'sgemm':>8}",
    ]
    for r in results:
        keras_s, compiled_s = statistics.median(r.keras_seconds), statistics.median(r.compiled_seconds)
        lines.append(
            f"{r.title:40}{keras_s:>10.3f} s{compiled_s:>10.3f} s{r.ratio:>8.1f}{r.goal:>7.1f}"
            f"{r.compiled_gflops:>10.1f}{r.sgemm_gflops:>8.1f}"
        )
    return "\n".join(lines)


def environment() -> dict[str, Any]:
    """Return what the figures were measured on."""
    import keras
    import tensorflow

    return {
        "python": platform.python_version(),
        "tensorflow": tensorflow.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
    }


def run(works: Sequence[Work] = WORKS, repetitions: int = 5) -> list[Result]:
    """Measure all rows, printing each as it is done."""
    results = []
    for work in works:
        results.append(measure(work, repetitions))
        print(table(results[-1:]) if len(results) == 1 else table(results[-1:]).splitlines()[1], flush=True)
    return results


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Time compiled epochs against model.fit.")
    parser.add_argument("--quick", action="store_true", help="three times each instead of five")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the figures there as well")
    parser.add_argument("--work", nargs="+", choices=[w.name for w in WORKS], help="only these rows")
    options = parser.parse_args(argv)
    works = [work for work in WORKS if options.work is None or work.name in options.work]
    results = run(works, repetitions=3 if options.quick else 5)
    if options.json is not None:
        record = {"environment": environment(), "results": [dataclasses.asdict(r) for r in results]}
        options.json.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
