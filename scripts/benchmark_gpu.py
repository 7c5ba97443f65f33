"""Time compiled epochs, and many trials in one program, on a machine with a GPU, in under five minutes.

Run `python scripts/benchmark_gpu.py [--backend tensorflow jax] [--minutes 5] [--json PATH]` from the repository's root.
It needs TensorFlow, JAX with its plugin for the GPU (`pip install 'jax[cuda12]'`), Keras and this package, and
downloads nothing. Each backend has a process of its own, which begins no row that it has no time left for.

Epochs: each model of `breadth_models` with `tuning.compiled.fit` and with `model.fit`; medians of warm epochs,
validation included, and the time from `compile` to the end of a first epoch.

Trials: so many of a network of 3 x 50 units on as many rows as California housing has, each with weights, learning rate
and orders of its own: one after the other, each epoch a compiled program, and all in one program (JAX: `vmap` over the
state). The largest difference between the losses of the two ways is printed.

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
    """Train trials one after the other and all in one program; return the seconds of an epoch of all, and more."""
    import jax
    import jax.numpy as jnp
    import keras

    from scripts.breadth_models import BREADTH
    from tuning.compiled import arrays, fitting
    from tuning.compiled.jax_program import one_epoch, state_of

    row = BREADTH["small"]
    given = row.arguments(n_rows)
    training = arrays.load(given["x"], given["y"], batch_size=given["batch_size"])
    validation = arrays.load(*given["validation_data"], batch_size=given["batch_size"])
    rng = np.random.default_rng(0)
    states = []
    for rate in np.geomspace(*RATES, n_trials):
        model = row.build()
        model.compile(**row.compiling() | {"optimizer": keras.optimizers.Adam(rate)})
        fitting._build(model, training)
        states.append(state_of(model))
    size = training.n_batches * training.batch_size
    orders = np.zeros((n_epochs, n_trials, size), "int32")
    for epoch in orders:
        for order in epoch:
            order[:n_rows] = rng.permutation(n_rows)
    rest = (list(training.tensors), *_counts(training), list(validation.tensors), *_counts(validation))

    def arguments(values: Any, constants: Any, order: Any) -> tuple[Any, ...]:
        return values, constants, rest[0], jnp.asarray(order), *rest[1:]

    epoch_of_one = one_epoch(model, training, validation)
    single = jax.jit(epoch_of_one)
    lanes = jax.jit(jax.vmap(epoch_of_one, in_axes=(0, None, None, 0, *(None,) * 5)))
    results = []
    for function, groups in ((single, [[state] for state in states]), (lanes, [states])):
        seconds, losses = [], np.zeros(n_trials)
        stacked = [_stacked(group) if len(groups) == 1 else group[0].read() for group in groups]
        for epoch in orders:
            started = time.perf_counter()
            for lane, (group, values) in enumerate(zip(groups, stacked, strict=True)):
                order = epoch if len(groups) == 1 else epoch[lane]
                stacked[lane], _, test = function(*arguments(values, group[0].constants, order))
                at = slice(None) if len(groups) == 1 else lane
                losses[at] = np.asarray(test[0])
            seconds.append(time.perf_counter() - started)
        results.append((seconds, losses))
    (one_by_one, expected), (at_once, found) = results
    return {
        "trials": n_trials,
        "epoch_of_all_one_by_one": statistics.median(one_by_one[1:] or one_by_one),
        "epoch_of_all_at_once": statistics.median(at_once[1:] or at_once),
        "first_one_by_one": one_by_one[0],
        "first_at_once": at_once[0],
        "largest_relative_difference": float(np.max(np.abs(found - expected) / expected)),
    }


def _counts(samples: Any) -> tuple[int, int]:
    return samples.n_rows // samples.batch_size, int(samples.n_short > 0)


def _stacked(states: Sequence[Any]) -> Any:
    import jax
    import jax.numpy as jnp

    return jax.tree.map(lambda *values: jnp.stack(values), *(state.read() for state in states))


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
