"""The call of a space's `fit`: what it is given, and what it returns.

Owns how a run's callbacks are put together, that `model.fit` runs compiled epochs, and how the return value is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tuning.data import Data
from tuning.space import HyperParameters, SearchSpace
from tuning.training import callbacks as callbacks_
from tuning.training.messages import Decision, Task
from tuning.training.models import is_keras_model


def fit_space(
    space: SearchSpace,
    hp: HyperParameters,
    model: Any,
    data: Data,
    callbacks: Sequence[Any],
    compiled: bool,
    **options: Any,
) -> Any:
    """Call the space's `fit` in such a way that `model.fit` runs compiled epochs and the callbacks.

    A `fit` that forgets to hand on `callbacks` is reported on all the same, because `model.fit` adds them.
    """
    if hasattr(model, "fit") and is_keras_model(model):
        genuine = type(model).fit

        def fit(*args: Any, **kwargs: Any) -> Any:
            given = list(kwargs.get("callbacks") or ())
            kwargs["callbacks"] = given + [c for c in callbacks if c not in given]
            if not compiled:
                return genuine(model, *args, **kwargs)
            from tuning import compiled as training

            return training.fit(model, *args, **kwargs)

        model.fit = fit
    arguments = (data.x,) if data.y is None else (data.x, data.y)
    if data.validation is not None:
        options.setdefault("validation_data", data.validation)
    if data.sample_weight is not None:
        options.setdefault("sample_weight", data.sample_weight)
    options.setdefault("verbose", 0)
    return space.fit(hp, model, *arguments, callbacks=list(callbacks), **options)


def returned_epochs(outcome: Any, objective: str) -> list[Mapping[str, Any]]:
    """Return the metrics of each epoch that the return value of `fit` tells of.

    Args:
        outcome: a `History`, a dict of metrics (one epoch), or the objective as a number (one epoch).
        objective: the number's name.
    """
    history = getattr(outcome, "history", None)
    if history is not None:
        return [dict(zip(history, row, strict=True)) for row in zip(*history.values(), strict=False)]
    if isinstance(outcome, Mapping):
        return [outcome]
    if is_number(outcome):
        return [{objective: outcome}]
    raise TypeError(f"`fit` must return the History of model.fit, a dict of metrics or a number, but got {outcome!r}")


def callbacks_of(
    space: SearchSpace, task: Task, listen: Callable[[Mapping[str, Any]], Decision], schedule: list[Any]
) -> list[Any]:
    """Return the run's own callbacks: the space's, the user's, annealing, early stopping, and the one that reports.

    That one is last for Keras, so that it sees what the others add to the metrics; and first otherwise, where a
    `fit` that stops at the first callback that wants to stop would not come to it.
    """
    folder = Path(task.files or ".")
    given = (space.callbacks, task.options.fit_options.get("callbacks"))
    own = [*(callback for each in given for callback in callbacks_.fresh(each, folder)), *schedule]
    if task.options.uses_keras and task.options.patience is not None:
        import keras

        own.append(
            keras.callbacks.EarlyStopping(
                monitor=task.objective.name, mode=task.objective.direction, patience=task.options.patience
            )
        )
    reporting = reporting_callback(listen, task.options.uses_keras)
    return [*own, reporting] if task.options.uses_keras else [reporting, *own]


def reporting_callback(listen: Callable[[Mapping[str, Any]], Decision], uses_keras: bool) -> Any:
    """Return a callback that passes each epoch's metrics to `listen` and obeys its answer.

    For Keras it is a `keras.callbacks.Callback`. Otherwise a `fit` calls `on_epoch_end(epoch, logs)` itself
    and ends when that returns True (`stop_training` says the same).
    """
    if not uses_keras:
        return _PlainCallback(listen)
    import keras

    class Reporting(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
            if listen(logs or {}) is not Decision.GO:
                self.model.stop_training = True

    return Reporting()


class _PlainCallback:
    def __init__(self, listen: Callable[[Mapping[str, Any]], Decision]) -> None:
        self._listen = listen
        self.stop_training = False

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> bool:
        self.stop_training = self._listen(logs or {}) is not Decision.GO
        return self.stop_training


def is_number(value: Any) -> bool:
    """Tell whether `value` can be read as one number."""
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True
