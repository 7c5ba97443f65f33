"""Train one run, wherever it is: build or restore, fit, report each epoch, obey, checkpoint.

Owns what happens between a `Task` and its last message. Knows nothing of engines, the store or other
trials. A worker needs no more than the space, its data and the task, so it may sit in any process.
"""

from __future__ import annotations

import contextlib
import enum
import random
import sys
import time
import traceback as traceback_module
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tuning.compiled.naming import numbered_afresh
from tuning.data import Data, fold
from tuning.errors import StudyError
from tuning.records.objective import Objective
from tuning.records.trial import Run
from tuning.space import HyperParameters, SearchSpace
from tuning.training import callbacks as callbacks_
from tuning.training import checkpoints, summaries
from tuning.training.resources import measured

CHECKPOINT_SECONDS = 10.0
"""Least time between two checkpoints of a running trial, in seconds."""

MAX_TRACEBACK = 20_000
"""Most characters of a traceback that are kept: its beginning and its end."""


class Decision(enum.Enum):
    """The answer to a report."""

    GO = "go"
    STOP = "stop"
    PAUSE = "pause"  # stop, and keep what is needed to go on later


@dataclass(frozen=True)
class Task:
    """All that a worker is told about a run.

    Attributes:
        run: what to train; training starts at epoch `trained`, whatever `run.start` says.
        seed: seeds initial weights, shuffling and dropout; the same for all runs of a trial.
        objective: decides which epoch is best.
        folder: where checkpoints are read and written; None for none.
        trained: epochs in the checkpoint to start from; 0 for fresh weights.
        best: the trial's score so far; only a better epoch is kept.
        resumable: whether the last epoch must be kept for a later run.
        compiled: whether to run epochs as compiled programs where that is possible.
        uses_keras: whether the space builds Keras models; otherwise Keras is not imported.
        patience: epochs without a better objective after which the run ends; None for never.
        anneal: epochs over which the learning rate falls to nearly zero; None to leave it alone.
        resources: what is to be measured of the trained model; see `tuning.training.resources`.
        fit_options: further keyword arguments of `fit`.
        part: which of the trial's trainings this is; None for a trial that is trained once.
        fold: the fold of the data to train on; None for all of them.
        files: the trial's own folder, for what callbacks write; None where there are no callbacks.
        log: what to write for TensorBoard besides curves and hyperparameters.
        log_folder: where to write that; None for nowhere.
    """

    run: Run
    seed: int
    objective: Objective
    folder: str | None = None
    trained: int = 0
    best: float | None = None
    resumable: bool = False
    compiled: bool = True
    uses_keras: bool = True
    patience: int | None = None
    anneal: int | None = None
    resources: tuple[str, ...] = ()
    fit_options: Mapping[str, Any] = field(default_factory=dict)
    part: int | None = None
    fold: int | None = None
    files: str | None = None
    log: summaries.Log = summaries.Log()
    log_folder: str | None = None

    @property
    def key(self) -> tuple[int, int | None]:
        """What tells this task from all others that are under way, and is found in all messages about it."""
        return self.run.number, self.part


@dataclass(frozen=True)
class Report:
    """An epoch has ended. `checkpoint` is set when the epochs so far are on disk."""

    number: int
    epoch: int
    metrics: Mapping[str, float]
    checkpoint: bool = False
    part: int | None = None


@dataclass(frozen=True)
class Finished:
    """A run ended in the ordinary way."""

    number: int
    values: Mapping[str, Any]
    space: tuple[Mapping[str, Any], ...]
    checkpoint: int
    seconds: float
    compiled: bool | None = None
    reason: str | None = None
    part: int | None = None
    resources: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Failed:
    """A run raised. `is_fatal`: the fault is not the trial's, and every other trial would have it."""

    number: int
    error: str
    traceback: str
    seconds: float
    is_fatal: bool = False
    part: int | None = None


@dataclass(frozen=True)
class Lost:
    """The process that trained the run has died."""

    number: int
    reason: str
    part: int | None = None


Message = Report | Finished | Failed | Lost
Reporter = Callable[[Report], Decision]


def train(space: SearchSpace, data: Data, task: Task, report: Reporter) -> Finished | Failed:
    """Train one run and return its last message; exceptions of the space become `Failed`."""
    started = time.perf_counter()
    try:
        data = fold(data, task.fold)
        with (
            generators_kept(),
            numbered_afresh(),
            summaries.written(task.log, task.log_folder, task.trained, lambda: one_sample(data.x)) as logging,
        ):
            _seed(task)
            return _train(space, data, task, report, started, logging)
    except (Exception, SystemExit) as error:
        return failure(task.key, error, time.perf_counter() - started)


def failure(key: tuple[int, int | None], error: BaseException, seconds: float = 0.0) -> Failed:
    """Return the message that the task of that key has raised `error`."""
    number, part = key
    text = "".join(traceback_module.format_exception(error))
    if len(text) > MAX_TRACEBACK:
        text = f"{text[: MAX_TRACEBACK // 2]}\n...\n{text[-MAX_TRACEBACK // 2 :]}"
    if isinstance(error, StudyError):  # a disk that is full is not the trial's fault
        return Failed(number, str(error), text, seconds, is_fatal=True, part=part)
    return Failed(number, _one_line(error), text, seconds, part=part)


def _train(
    space: SearchSpace, data: Data, task: Task, report: Reporter, started: float, logging: list[Any]
) -> Finished:
    hp = HyperParameters(task.run.values)
    model = space.build(hp)
    # The rate to begin with is that of the fresh model: a checkpoint has the one it was saved with.
    schedule = [] if task.anneal is None else [callbacks_.annealing(model, task.anneal)]
    if task.trained and not _restore(model, data, task):
        task = replace(task, trained=0, best=None)
        _seed(task)
        hp = HyperParameters(task.run.values)
        model = space.build(hp)  # part of the checkpoint may have been read
    progress = _Progress(model, task, report)
    options = {name: value for name, value in task.fit_options.items() if name != "callbacks"}
    outcome = fit_space(
        space,
        hp,
        model,
        data,
        callbacks=[*logging, *_callbacks(space, task, progress, schedule)],
        compiled=task.compiled,
        epochs=task.run.stop,
        initial_epoch=progress.epochs,
        **options,
    )
    progress.take(outcome)
    progress.finish()
    compiled, reason = _how_it_was_trained(model, task)
    return Finished(
        task.run.number,
        hp.used,
        tuple(h.to_json() for h in hp.space),
        progress.saved,
        time.perf_counter() - started,
        compiled,
        reason,
        task.part,
        measured(model, data.x, task.resources, progress.epoch_seconds) if is_keras_model(model) else {},
    )


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


def ensure_built(model: Any, x: Any) -> None:
    """Create the weights of a model that builds itself on its first batch."""
    if not getattr(model, "built", True):
        model(one_sample(x))


def one_sample(x: Any) -> Any:
    """Return the inputs of one sample, as a batch."""
    import keras

    if hasattr(x, "take") and not hasattr(x, "shape"):  # a tf.data.Dataset, which yields batches
        first = next(iter(x.take(1)))
        return first[0] if isinstance(first, tuple) else first
    return keras.tree.map_structure(lambda a: a[:1], x)


class _Progress:
    """Counts epochs, reports them, keeps the best epoch in memory and writes checkpoints."""

    def __init__(self, model: Any, task: Task, report: Reporter) -> None:
        self.epochs = task.trained
        self.saved = task.trained
        self._model, self._task, self._report = model, task, report
        self._best = task.best
        self._best_state: list[Any] | None = None
        self._reported = 0
        self._saved_at = time.monotonic()
        self.epoch_seconds: list[float] = []
        self._epoch_began = time.perf_counter()
        self._resumable = task.resumable
        self._keeps = task.folder is not None and hasattr(model, "save_weights")

    def epoch_ended(self, logs: Mapping[str, Any]) -> Decision:
        """Take the metrics of the epoch that ended; return what to do next."""
        self.epoch_seconds.append(time.perf_counter() - self._epoch_began)
        metrics = {name: float(value) for name, value in logs.items() if _is_number(value)}
        epoch, self.epochs = self.epochs, self.epochs + 1
        self._reported += 1
        score = metrics.get(self._task.objective.name)
        if score is not None and self._task.objective.is_better(score, self._best):
            self._best = score
            self._best_state = self._state() if self._keeps else None
        due = self._keeps and time.monotonic() - self._saved_at >= CHECKPOINT_SECONDS
        if due:
            self._save_epoch()
        decision = self._report(Report(self._task.run.number, epoch, metrics, due, self._task.part))
        if due:  # only now is the new checkpoint the one that is gone back to
            checkpoints.delete_other_epochs(str(self._task.folder), self._task.run.number, self.epochs, self._task.part)
        self._resumable |= decision is Decision.PAUSE
        self._epoch_began = time.perf_counter()
        return decision

    def take(self, outcome: Any) -> None:
        """Report what `fit` returned, unless its epochs were reported while it ran."""
        if not self._reported:
            for metrics in returned_epochs(outcome, self._task.objective.name):
                self.epoch_ended(metrics)

    def finish(self) -> None:
        """Write what a later run and the end of the search need."""
        if not self._keeps:
            return
        if self._resumable:
            self._save_epoch()
        self._save_best()

    def _state(self) -> list[Any]:
        from keras import ops

        return [ops.convert_to_numpy(v) for v in _variables(self._model)]

    def _save_epoch(self) -> None:
        self._save_best()
        checkpoints.save_epoch(self._model, str(self._task.folder), self._task.run.number, self.epochs, self._task.part)
        self.saved, self._saved_at = self.epochs, time.monotonic()

    def _save_best(self) -> None:
        """Write the best epoch, and leave the model as it was."""
        if self._best_state is None:
            return
        last = self._state()
        _assign(self._model, self._best_state)
        checkpoints.save(self._model, checkpoints.best_path(str(self._task.folder), *self._task.key))
        _assign(self._model, last)
        self._best_state = None


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
    if _is_number(outcome):
        return [{objective: outcome}]
    raise TypeError(f"`fit` must return the History of model.fit, a dict of metrics or a number, but got {outcome!r}")


def _restore(model: Any, data: Data, task: Task) -> bool:
    """Load the checkpoint to start from; tell whether that worked."""
    path = checkpoints.epoch_path(str(task.folder), task.run.number, task.trained, task.part)
    try:
        if task.best is not None and not checkpoints.best_path(str(task.folder), *task.key).is_file():
            raise FileNotFoundError("the weights of its best epoch are missing")
        ensure_built(model, data.x)
        checkpoints.restore(model, path)
    except Exception as error:  # whatever can be wrong with a file
        print(
            f"trial {task.run.number}: the checkpoint {path.name} could not be read ({_one_line(error)}); "
            "the trial starts again from epoch 0",
            file=sys.stderr,
        )
        return False
    return True


def _callbacks(space: SearchSpace, task: Task, progress: _Progress, schedule: list[Any]) -> list[Any]:
    """Return the run's own callbacks: the space's, the user's, annealing, early stopping, and the one that reports.

    That one is last for Keras, so that it sees what the others add to the metrics; and first otherwise, where a
    `fit` that stops at the first callback that wants to stop would not come to it.
    """
    folder = Path(task.files or ".")
    given = (space.callbacks, task.fit_options.get("callbacks"))
    own = [*(callback for each in given for callback in callbacks_.fresh(each, folder)), *schedule]
    if task.uses_keras and task.patience is not None:
        import keras

        own.append(
            keras.callbacks.EarlyStopping(
                monitor=task.objective.name, mode=task.objective.direction, patience=task.patience
            )
        )
    reporting = reporting_callback(progress.epoch_ended, task.uses_keras)
    return [*own, reporting] if task.uses_keras else [reporting, *own]


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


@contextlib.contextmanager
def generators_kept() -> Iterator[None]:
    """Leave Python's and NumPy's own random generators as they were."""
    import numpy

    python_state, numpy_state = random.getstate(), numpy.random.get_state()
    try:
        yield
    finally:
        random.setstate(python_state)
        numpy.random.set_state(numpy_state)


def _seed(task: Task) -> None:
    """Seed everything that training may draw from."""
    import numpy

    if task.uses_keras:
        import keras

        keras.utils.set_random_seed(task.seed)
    else:
        random.seed(task.seed)
        numpy.random.seed(task.seed)


def _how_it_was_trained(model: Any, task: Task) -> tuple[bool | None, str | None]:
    if not is_keras_model(model):
        return None, None
    if not task.compiled:
        return False, "turned off"
    from tuning import compiled as training

    report = training.last_report(model)
    return (False, "fit did not call model.fit") if report is None else (report.compiled, report.reason)


def is_keras_model(model: Any) -> bool:
    """Tell whether `model` is a Keras model, without importing Keras."""
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(model, keras.Model)


def _variables(model: Any) -> list[Any]:
    optimizer = getattr(model, "optimizer", None)
    return [*model.weights, *(optimizer.variables if optimizer is not None else ())]


def _assign(model: Any, state: list[Any]) -> None:
    for variable, value in zip(_variables(model), state, strict=True):
        variable.assign(value)


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:500] if text else type(error).__name__
