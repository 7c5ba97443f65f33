"""Time every kind of model of `breadth_models` with `tuning.compiled.fit` and with `model.fit`, on this machine.

Run `python scripts/benchmark.py --only breadth [--model NAME ...]` from the repository's root; with KERAS_BACKEND=jax
on Keras's JAX backend, where `model.fit` is compiled with `steps_per_execution=32` and is to be no quicker. The two
sides take turns in one process, each with a model of its own in every turn, and medians
are compared. In a turn a model is compiled and trained for a run of one epoch (`first`, from `compile` to the end of
`fit`, with nothing compiled before), and then for some epochs of a long run, of which the first does not count
(`warm`, validation included).
"""

from __future__ import annotations

import dataclasses
import gc
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

from scripts.breadth_models import BREADTH, Breadth

LONG = 100
"""Epochs that a long run is to have; it is ended after a few."""
LONGEST_FIRST = 1.1
"""How much longer than with `model.fit` a run of one epoch may take."""


@dataclasses.dataclass(frozen=True)
class Measured:
    """What was measured for one row, in seconds: `[ours, model.fit]`.

    Attributes:
        name: the row.
        title: what was trained.
        warm: of each side, every epoch of a model that has been trained before.
        first: of each side, every run of one epoch.
        long_first: of ours, what the first epoch of a long run took afterwards, if that compiled.
        goal: the ratio of warm epochs to reach.
        reason: how ours were trained in the long run.
    """

    name: str
    title: str
    warm: tuple[list[float], list[float]]
    first: tuple[list[float], list[float]]
    long_first: list[float]
    goal: float
    reason: str

    @property
    def medians(self) -> list[float]:
        """Ours and Keras's warm epoch, ours and Keras's first."""
        return [statistics.median(seconds) for seconds in (*self.warm, *self.first)]


def measure(name: str, row: Breadth, repetitions: int = 3, n_epochs: int = 3) -> Measured:
    """Measure one row; the two sides take turns."""
    import keras

    from tuning import compiled

    warm: tuple[list[float], list[float]] = [], []
    first: tuple[list[float], list[float]] = [], []
    long_first: list[float] = []
    for _ in range(repetitions):
        for side, fit in enumerate((compiled.fit, _by_keras)):
            _forget()
            keras.utils.set_random_seed(42)
            model, arguments = row.build(), row.arguments()
            started = time.perf_counter()
            model.compile(**row.compiling(), **(_options_of_keras() if side else {}))
            fit(model, **arguments, epochs=1, verbose=0)
            first[side].append(time.perf_counter() - started)
            timer = _timer(1 + n_epochs)
            fit(model, **arguments, epochs=LONG, verbose=0, callbacks=[timer])
            warm[side].extend(timer.seconds[1:])
            if side == 0:
                long_first.append(timer.seconds[0])
                report = compiled.last_report(model)
    goal = 1.0 if _options_of_keras() else row.goal
    return Measured(name, row.title, warm, first, long_first, goal, report.explanation or "compiled")


def _options_of_keras() -> dict[str, int]:
    """Return what Keras's side is compiled with: the best there is on JAX, the default elsewhere."""
    import keras

    from tuning.compiled.several_steps import MOST

    return {"steps_per_execution": MOST} if keras.config.backend() == "jax" else {}


def _forget() -> None:
    """Let nothing be compiled yet; JAX would keep what either side has, down to the zeros that a shape begins with."""
    import keras

    from tuning import compiled

    compiled.clear()
    keras.utils.clear_session()
    gc.collect()
    if keras.config.backend() == "jax":
        import jax

        jax.clear_caches()


def _by_keras(model: Any, **arguments: Any) -> Any:
    return type(model).fit(model, **arguments)


def _timer(n_epochs: int) -> Any:
    import keras

    class Timer(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_begin(self, logs: Any = None) -> None:
            self.seconds: list[float] = []
            self._ended = time.perf_counter()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            now = time.perf_counter()
            self.seconds.append(now - self._ended)
            self._ended = now
            if len(self.seconds) == n_epochs:
                self.model.stop_training = True

    return Timer()


def line(measured: Measured) -> str:
    """Return a row of the printed table."""
    ours, other, ours_first, other_first = measured.medians
    marks = "ok" if round(other / ours, 1) >= measured.goal else "slow", (
        "ok" if ours_first <= LONGEST_FIRST * other_first else "late"
    )  # fmt: skip
    return (
        f"{measured.title:42}{ours:>8.3f}{other:>9.3f}{other / ours:>7.1f}{measured.goal:>6.1f} {marks[0]:5}"
        f"{ours_first:>7.2f}{other_first:>8.2f}{ours_first / other_first:>7.2f} {marks[1]:5}{measured.reason}"
    )


HEAD = f"{'seconds':42}{'ours':>8}{'fit':>9}{'ratio':>7}{'goal':>6} {'':5}{'first':>7}{'fit':>8}{'share':>7}"


def run(names: Sequence[str] | None = None, repetitions: int = 3) -> list[Measured]:
    """Measure the rows with these names, all by default, and print each as it is done."""
    _warm_up()
    print(HEAD, flush=True)
    results = []
    for name in names or BREADTH:
        results.append(measure(name, BREADTH[name], repetitions))
        print(line(results[-1]), flush=True)
    return results


def _warm_up() -> None:
    """Let both sides train once, so that no row pays for what a process does only once."""
    from tuning import compiled

    sides: tuple[Callable[..., Any], ...] = compiled.fit, _by_keras
    for fit in sides:
        row = BREADTH["small"]
        model = row.build()
        model.compile(**row.compiling())
        fit(model, **row.arguments(64), verbose=0)
