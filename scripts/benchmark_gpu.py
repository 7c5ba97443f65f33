"""Time compiled epochs, and many trials in one program, on a machine with a GPU, in under five minutes.

Run `python scripts/benchmark_gpu.py [--backend tensorflow jax] [--minutes 5] [--json PATH]` from the repository's root.
It needs TensorFlow, JAX with its plugin for the GPU (`pip install 'jax[cuda12]'`), Keras and this package, and
downloads nothing. Each backend has a process of its own, which begins no row that it has no time left for.

Epochs: each model of `breadth_models` with `tuning.compiled.fit` and with `model.fit`; medians of warm epochs,
validation included, and the time from `compile` to the end of a first epoch.

Trials, on JAX: so many of a network of 3 x 50 units on as many rows as California housing has, each with weights,
learning rate and orders of its own: one after the other, each epoch a compiled program, and all at once in lanes, as
with `--batch-trials`. Seconds of all of it, building the models included, and of an epoch of all of them; `first`
compiles. The largest difference between the losses of the two ways after an epoch is printed: later on rounding grows
to anything at the higher rates, as it does when a weight is changed in its last digit.

With `--rows 128 --trials 4 --epochs 1` it runs on a CPU in a minute, which is what its test does.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # so that what is used can be told
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")

BATCH_SIZES = 32, 512
RATES = 1e-3, 1e-2


def main(argv: Sequence[str] | None = None) -> None:
    """Run the backends one after the other, and print what they found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", nargs="+", choices=("tensorflow", "jax"), default=["tensorflow", "jax"])
    parser.add_argument("--minutes", type=float, default=5.0, help="for all of it")
    parser.add_argument("--rows", type=int, help="to train on; default: each model's own number")
    parser.add_argument("--epochs", type=int, default=5, help="warm epochs in each turn")
    parser.add_argument("--trials", type=int, default=64)
    parser.add_argument("--model", nargs="*", help="rows of the table; default: all on arrays")
    parser.add_argument("--json", type=Path, help="file for all figures")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    if given.child:
        measure(given)
        return
    found = []
    for backend in given.backend:
        seconds = 60 * given.minutes / len(given.backend)
        command = [sys.executable, __file__, "--child", "--backend", backend, "--minutes", str(seconds / 60)]
        for name in ("rows", "epochs", "trials"):
            value = getattr(given, name)
            command += [] if value is None else [f"--{name}", str(value)]
        command += [] if given.model is None else ["--model", *given.model]
        found += _lines_of(command, {**os.environ, "KERAS_BACKEND": backend})
    if given.json is not None:
        given.json.write_text(json.dumps(found, indent=1))


def _lines_of(command: list[str], env: dict[str, str]) -> list[dict[str, Any]]:
    """Run a process that prints records, show each as it comes, and return them."""
    found = []
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            found.append(json.loads(line))
            print("  ".join(f"{name} {value}" for name, value in found[-1].items()), flush=True)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return found


def measure(given: argparse.Namespace) -> None:
    """Measure on the backend that Keras runs on; print a record for each row."""
    import keras

    from scripts.breadth_models import BREADTH

    ends = time.monotonic() + 60 * given.minutes
    say(backend=keras.config.backend(), keras=keras.__version__, python=platform.python_version(), device=device())
    if keras.config.backend() == "jax" and given.trials:
        say(**many_trials(given.trials, given.rows or 9288, given.epochs))
    longest = 0.0
    for name, row in BREADTH.items():
        if row.pieces is not None or (given.model is not None and name not in given.model):
            continue
        for size in BATCH_SIZES:
            started = time.monotonic()
            if started + longest > ends:
                say(row=name, batch_size=size, left_out="no time left")
                continue
            say(row=name, batch_size=size, **epochs_of(row, row.arguments(given.rows, size), given.epochs))
            longest = max(longest, time.monotonic() - started)
    say(peak_megabytes=peak_megabytes())


def say(**record: Any) -> None:
    """Print a record."""
    rounded = {name: float(f"{value:.4g}") if isinstance(value, float) else value for name, value in record.items()}
    print(json.dumps(rounded), flush=True)


def epochs_of(row: Any, arguments: dict[str, Any], n_epochs: int) -> dict[str, Any]:
    """Return medians of warm epochs and of first ones, ours and Keras's, which take turns."""
    import keras

    from tuning import compiled

    warm: tuple[list[float], list[float]] = [], []
    first: list[float] = []
    reason = None
    for side, fit in enumerate((compiled.fit, keras.Model.fit)):
        keras.utils.set_random_seed(42)
        model = row.build()
        started = time.perf_counter()
        model.compile(**row.compiling())
        fit(model, **arguments, verbose=0)
        first.append(time.perf_counter() - started)
        warm[side].extend(_timed(fit, model, arguments, 1 + n_epochs)[1:])
        if side == 0:
            report = compiled.last_report(model)
            reason = None if report is None else report.reason
    ours, theirs = map(statistics.median, warm)
    return {
        "ours": ours,
        "fit": theirs,
        "ratio": theirs / ours,
        "first_ours": first[0],
        "first_fit": first[1],
        "reason": reason,
    }


def _timed(fit: Callable[..., Any], model: Any, arguments: dict[str, Any], n_epochs: int) -> list[float]:
    import keras

    times = [time.perf_counter()]
    timer = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: times.append(time.perf_counter()))
    fit(model, **arguments, epochs=n_epochs, verbose=0, callbacks=[timer])
    return np.diff(times).tolist()


def many_trials(n_trials: int, n_rows: int, n_epochs: int) -> dict[str, Any]:
    """Train trials one after the other and in lanes; return the seconds of both, and how much the losses differ."""
    from scripts.breadth_models import BREADTH
    from tuning.compiled.lanes import Lanes

    given = BREADTH["small"].arguments(n_rows)
    rates = np.geomspace(*RATES, n_trials).tolist()

    def one_by_one(epochs: int) -> list[tuple[list[float], list[float]]]:
        return [_trial(seed, rate, given, epochs) for seed, rate in enumerate(rates)]

    def at_once(epochs: int) -> list[tuple[list[float], list[float]]]:
        found: dict[int, Any] = {}
        lanes = Lanes()
        for seed, rate in enumerate(rates):
            lanes.start(lambda s=seed, r=rate: found.update({s: _trial(s, r, given, epochs)}))
        lanes.wait()
        return [found[seed] for seed in range(n_trials)]

    record: dict[str, Any] = {"trials": n_trials, "epochs": n_epochs}
    losses, whole, warm = [], [], []
    for name, way in (("one_by_one", one_by_one), ("at_once", at_once)):
        started = time.perf_counter()
        way(1)  # which compiles
        ready = time.perf_counter()
        trials = way(1 + n_epochs)
        whole.append(time.perf_counter() - ready)
        ends = np.array([times for times, _ in trials])
        spans = ends[:, -1] - ends[:, 0]
        warm.append((spans.sum() if way is one_by_one else ends[:, -1].max() - ends[:, 0].max()) / n_epochs)
        losses.append(np.array([values[0] for _, values in trials]))
        record |= {f"{name}_first": ready - started, name: whole[-1], f"{name}_epoch_of_all": float(warm[-1])}
    record |= {"ratio": whole[0] / whole[1], "ratio_of_epochs": float(warm[0] / warm[1])}
    return record | {"largest_relative_difference": float(np.max(np.abs(losses[1] - losses[0]) / losses[0]))}


def _trial(seed: int, rate: float, arguments: dict[str, Any], n_epochs: int) -> tuple[list[float], list[float]]:
    """Train a trial; return when its epochs ended, and their validation losses."""
    import keras

    from scripts.breadth_models import BREADTH
    from tuning import compiled

    keras.utils.set_random_seed(seed)
    row, ends = BREADTH["small"], list[float]()
    model = row.build()
    model.compile(**row.compiling() | {"optimizer": keras.optimizers.Adam(rate)})
    timer = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: ends.append(time.perf_counter()))
    history = compiled.fit(model, **arguments, epochs=n_epochs, verbose=0, callbacks=[timer])
    return ends, history.history["val_loss"]


def device() -> str:
    """Return what the backend computes on."""
    import keras

    if keras.config.backend() == "jax":
        import jax

        return ", ".join(sorted({d.device_kind for d in jax.local_devices()}))
    import tensorflow as tf

    cards = [tf.config.experimental.get_device_details(d).get("device_name", d.name) for d in _cards()]
    return ", ".join(cards) or platform.processor() or "cpu"


def _cards() -> Any:
    import tensorflow as tf

    return tf.config.list_physical_devices("GPU")


def peak_megabytes() -> float | None:
    """Return the most memory of the device that was used; of the process where it is no GPU."""
    import keras

    if keras.config.backend() == "jax":
        import jax

        statistics_of = jax.local_devices()[0].memory_stats() or {}
        if "peak_bytes_in_use" in statistics_of:
            return float(statistics_of["peak_bytes_in_use"] / 1e6)
    elif _cards():
        import tensorflow as tf

        return float(tf.config.experimental.get_memory_info("GPU:0")["peak"] / 1e6)
    import psutil

    return float(psutil.Process().memory_info().rss / 1e6)


if __name__ == "__main__":
    main()
