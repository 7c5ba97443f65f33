"""The learning-rate range test: one short training in which the learning rate grows from tiny to far too large.

Owns the schedule, the smoothing, the suggestion, and the files that are left: the numbers, a picture, and scalars for
TensorBoard. The model is that of the space's default values, trained by the space's own `fit` with its own optimizer.

References:
    L. N. Smith (2015), Cyclical Learning Rates for Training Neural Networks, arXiv:1506.01186, section 3.3.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tuning.data import Data
from tuning.errors import OptionError, SpaceError, TuningError, briefly, guess, must, raise_all, whole_number
from tuning.files import write_text
from tuning.hyperparameters import Float, Hyperparameter
from tuning.space import HyperParameters, SearchSpace, as_space, resolve
from tuning.space.imports import import_keras
from tuning.tools.picture import curve_picture
from tuning.training.fit import fit_space
from tuning.training.models import is_keras_model
from tuning.training.seeding import seed_keras

LOW, HIGH, ITERATIONS = 1e-5, 10.0, 500
SMOOTHING = 0.95
"""Share of the past in the smoothed loss."""
EXPLODED = 4.0
"""The test ends when the smoothed loss is above its start and so many times its lowest."""
BELOW_THE_TURN = 10.0
"""How far the suggested rate lies below the one at which the loss turns up."""
FOLDER = "learning_rate"


@dataclass(frozen=True)
class RangeTest:
    """What a range test found.

    Attributes:
        space: the space's name.
        values: hyperparameters of the model.
        rates: the learning rate of each iteration.
        losses: the loss of each batch, before its step.
        smoothed: the same, smoothed.
        turn: rate at which the smoothed loss is lowest, from where it turns up; None when it never does.
        suggested: a tenth of that.
        hyperparameter: the space's learning rate, where it has one.
        reason: why the test ended before its last iteration; empty when it did not.
        folder: where numbers, picture and scalars are.
    """

    space: str
    values: Mapping[str, Any]
    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    turn: float | None
    suggested: float | None
    hyperparameter: Hyperparameter | None
    reason: str
    folder: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        h = self.hyperparameter
        return {**asdict(self), "hyperparameter": None if h is None else h.to_json()}


@briefly
def range_test(
    space: Any,
    *,
    data: Data | None = None,
    fix: Mapping[str, Any] | None = None,
    low: float = LOW,
    high: float = HIGH,
    iterations: int = ITERATIONS,
    seed: int = 42,
    logs: str | Path = "logs",
    listener: Callable[[int, float, float], None] | None = None,
) -> RangeTest:
    """Train one model while its learning rate grows exponentially; suggest a rate.

    Args:
        space: as for `search`.
        data: default: the space's own.
        fix: hyperparameters that differ from their defaults.
        low, high: the first and the last learning rate.
        iterations: number of batches.
        seed: seeds weights and shuffling.
        logs: folder of all studies; the files go into `learning_rate/SPACE` there.
        listener: told of each iteration: its number, its rate, its loss.

    Raises:
        OptionError: the rates or the number of iterations make no range.
        SpaceError: the model has no optimizer with a learning rate, reports no loss, or training raises.
    """
    raise_all(
        [
            *([] if 0 < low < high else [must("low, high", "be 0 < low < high", (low, high))]),
            *whole_number("iterations", iterations, 10),
        ]
    )
    folder = Path(logs).absolute() / FOLDER  # now: a space may change the working folder
    problem = as_space(resolve(space) if isinstance(space, str) else space)
    import_keras()

    seed_keras(seed)
    hp = HyperParameters(fix)
    model = problem.build(hp)
    _prepare(problem.name, model, low)
    given = data if data is not None else problem.load_data()
    climb = _climb(low, high, iterations, listener)
    _train(problem, hp, model, given, climb, iterations)
    unknown = [name for name in fix or {} if name not in hp.used]
    raise_all(
        [must("fix", f"name one of {', '.join(hp.used)}", name, guess(name, hp.used)) for name in unknown], OptionError
    )
    smoothed = smooth(climb.losses)
    turn = turning_point(climb.rates, smoothed)
    found = RangeTest(
        problem.name,
        hp.used,
        tuple(climb.rates),
        tuple(climb.losses),
        tuple(smoothed),
        turn,
        None if turn is None else turn / BELOW_THE_TURN,
        next((h for h in hp.space if isinstance(h, Float) and "learning_rate" in h.name), None),
        climb.reason,
        str(Path(logs) / FOLDER / problem.name),
    )
    _write(found, folder / problem.name)
    return found


def _train(problem: SearchSpace, hp: HyperParameters, model: Any, data: Data, climb: Any, iterations: int) -> None:
    """Train until `climb` ends it.

    Raises:
        SpaceError: training raises.
    """
    epochs: dict[str, Any] = {"epochs": iterations, "initial_epoch": 0}  # of one batch at least
    try:
        fit_space(problem, hp, model, replace(data, validation=None), [climb], compiled=False, **epochs)
    except TuningError:
        raise
    except Exception as error:
        raise SpaceError(
            f"'{problem.name}' could not be trained: {type(error).__name__}: {' '.join(str(error).split())[:500]}"
        ) from error


def smooth(losses: Sequence[float], share: float = SMOOTHING) -> list[float]:
    """Return the exponential moving average of `losses`, each value divided by the weight it has seen so far."""
    smoothed, average = [], 0.0
    for count, loss in enumerate(losses, 1):
        average = share * average + (1 - share) * loss
        smoothed.append(average / (1 - share**count))
    return smoothed


def turning_point(rates: Sequence[float], smoothed: Sequence[float]) -> float | None:
    """Return the rate at which the smoothed loss is lowest; None when it is lowest at one of the ends."""
    finite = [(loss, i) for i, loss in enumerate(smoothed) if math.isfinite(loss)]
    if not finite:
        return None
    _, at = min(finite)
    return rates[at] if 0 < at < len(smoothed) - 1 else None


def _prepare(name: str, model: Any, low: float) -> None:
    """Give the model an optimizer of its own kind at the lowest rate, without a schedule."""
    import keras

    if not is_keras_model(model) or not isinstance(model.optimizer, keras.optimizers.Optimizer):
        raise SpaceError(f"'{name}' must build Keras models with an optimizer for a range test, but does not.")
    kind = type(model.optimizer)
    model.optimizer = kind.from_config({**model.optimizer.get_config(), "learning_rate": low})
    model.steps_per_execution = 1


def _climb(low: float, high: float, iterations: int, listener: Callable[[int, float, float], None] | None) -> Any:
    """Return the callback that sets the rate before each batch and takes the loss after it."""
    import keras

    factor = (high / low) ** (1 / (iterations - 1))

    class Climb(keras.callbacks.Callback):
        def __init__(self) -> None:
            super().__init__()
            self.rates: list[float] = []
            self.losses: list[float] = []
            self.reason = ""
            self._average = self._lowest = self._first = math.nan

        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            self.model.reset_metrics()  # what is reported is then the loss of this batch, not a mean
            self.model.optimizer.learning_rate = low * factor ** len(self.rates)

        def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
            if "loss" not in (logs or {}):
                raise SpaceError(f"training must report a loss, but reports {', '.join(logs or {}) or 'nothing'}.")
            loss, rate = float((logs or {})["loss"]), low * factor ** len(self.rates)
            if math.isfinite(loss):
                self.rates.append(rate)
                self.losses.append(loss)
            if listener is not None:
                listener(len(self.rates), rate, loss)
            self.reason = self._why_end(loss, rate)
            if self.reason or len(self.rates) >= iterations:
                self.model.stop_training = True

        def _why_end(self, loss: float, rate: float) -> str:
            if not math.isfinite(loss):
                return f"the loss is {loss} at {rate:.3g}"
            count = len(self.losses)
            average = 0.0 if count == 1 else self._average
            self._average = SMOOTHING * average + (1 - SMOOTHING) * loss
            now = self._average / (1 - SMOOTHING**count)
            self._lowest = now if count == 1 else min(self._lowest, now)
            self._first = now if count == 1 else self._first
            exploded = now > max(EXPLODED * self._lowest, self._first)
            return f"the loss has exploded at {rate:.3g}" if exploded else ""

    return Climb()


# What is left ---------------------------------------------------------------------------------------------


def _write(found: RangeTest, folder: Path) -> None:
    """Write numbers, picture and scalars."""
    from tuning.tensorboard.writer import scalars, write_once

    shutil.rmtree(folder / "tensorboard", ignore_errors=True)
    write_text(folder / "range_test.json", json.dumps(found.to_json(), indent=2) + "\n")
    marks = {} if found.turn is None or found.suggested is None else {
        f"suggested {found.suggested:.2g}": found.suggested, f"turns up at {found.turn:.2g}": found.turn
    }  # fmt: skip
    write_text(
        folder / "range_test.svg",
        curve_picture(
            found.rates, found.losses, found.smoothed, marks, f"Learning-rate range test: {found.space}",
            "learning rate", "loss",
        ),
    )  # fmt: skip
    series = {"learning_rate": found.rates, "loss": found.losses, "smoothed_loss": found.smoothed}
    points = [(f"range_test/{name}", v, i) for name, values in series.items() for i, v in enumerate(values)]
    write_once(folder / "tensorboard", scalars(points, time.time()))
