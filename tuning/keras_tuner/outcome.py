"""What a trial came to in a worker process, on its way to the oracle.

Owns the files in the trial's folder that say it, and how it is told to the oracle: the worker's oracle is a copy, so
what the trial reported to it is reported again; and an error that ends the search is made again. Where a trial is run
in the program itself there is nothing to tell.
"""

from __future__ import annotations

import builtins
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras_tuner
import numpy as np

from tuning.files import replaced
from tuning.keras_tuner import private

_FILE, _FATAL = "outcome.json", "fatal.json"


@contextmanager
def written(oracle: Any, trial: Any) -> Iterator[None]:
    """Write down what a trial reports to a copy of the oracle meanwhile, and what it has become."""
    updates: list[Any] = []
    genuine: Callable[..., Any] = oracle.update_trial

    def update_trial(trial_id: str, metrics: Mapping[str, Any], step: Any = 0) -> Any:
        updated = genuine(trial_id, metrics, step)  # first: what it refuses is the trial's failure
        updates.append(({name: np.asarray(value, float).tolist() for name, value in metrics.items()}, step))
        return updated

    oracle.update_trial = update_trial
    try:
        yield
    finally:
        del oracle.update_trial
    record = {
        "updates": updates,
        "status": trial.status,
        "message": trial.message,
        "hyperparameters": trial.hyperparameters.get_config(),
    }
    with replaced(private.trial_folder(oracle, trial.trial_id) / _FILE, synced=False) as draft:
        draft.write_text(json.dumps(record, default=float), encoding="utf-8")


def told(oracle: Any, trial: Any) -> None:
    """Tell the oracle what a worker has written of one of its trials, if it has."""
    path = private.trial_folder(oracle, trial.trial_id) / _FILE
    if not path.is_file():
        return
    record = json.loads(path.read_text(encoding="utf-8"))
    trial.hyperparameters = keras_tuner.HyperParameters.from_config(record["hyperparameters"])
    trial.status, trial.message = record["status"], record["message"]
    for metrics, step in record["updates"]:
        oracle.update_trial(trial.trial_id, metrics, step)
    path.unlink()


def dropped(oracle: Any, trial: Any) -> None:
    """Delete what an earlier attempt at a trial has left."""
    for name in (_FILE, _FATAL):
        (private.trial_folder(oracle, trial.trial_id) / name).unlink(missing_ok=True)


class InWorkerError(Exception):
    """The cause of an error that was raised in a worker process: its traceback there."""


def write_fatal(oracle: Any, trial: Any, error: BaseException) -> None:
    """Write down an error that ends the search: the class next to its own that any program has, and its text."""
    kind = next(kind.__name__ for kind in type(error).__mro__ if _kind(kind.__name__) is kind)
    code = error.code if isinstance(error, SystemExit) else str(error)
    with replaced(private.trial_folder(oracle, trial.trial_id) / _FATAL, synced=False) as draft:
        draft.write_text(json.dumps({"kind": kind, "argument": code}, default=str), encoding="utf-8")


def fatal(oracle: Any, trial: Any, traceback: str) -> BaseException | None:
    """Return the error by which a trial has ended the search in a worker; None where it was none of the trial's."""
    path = private.trial_folder(oracle, trial.trial_id) / _FATAL
    if not path.is_file():
        return None
    record = json.loads(path.read_text(encoding="utf-8"))
    path.unlink()
    try:
        error: BaseException = _kind(record["kind"])(record["argument"])
    except TypeError:  # a class that wants to know more
        error = RuntimeError(f"{record['kind']}: {record['argument']}")
    error.__cause__ = InWorkerError(f"\n{traceback}")
    return error


def _kind(name: str) -> Any:
    found = getattr(keras_tuner.errors, name, getattr(builtins, name, None))
    return found if isinstance(found, type) and issubclass(found, BaseException) else None


def metrics_of(trial: Any, objective: str) -> dict[str, float]:
    """Return one value a metric of a trial of KerasTuner's: of the objective the best, of others the last."""
    found = {}
    for name in trial.metrics.metrics:
        value = (trial.metrics.get_best_value if name == objective else trial.metrics.get_last_value)(name)
        if value is not None:
            found[name] = float(value)
    return found
