"""Trains a model as `keras.Model.fit` does, an epoch at a time.

Owns `fit`: the preparation, the loop over epochs with its callbacks, and the way back to Keras when an epoch
cannot be compiled.
"""

from __future__ import annotations

import dataclasses
import random
import threading
import weakref
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from tuning.compiled import (
    arrays,
    backends,
    batches,
    cache,
    eligibility,
    lanes,
    private,
    several_steps,
    streaming,
    worthwhile,
)
from tuning.compiled.arrays import Samples
from tuning.compiled.backends import Program
from tuning.compiled.batches import Stream


@dataclasses.dataclass(frozen=True)
class FitReport:
    """How a call of `fit` was run.

    Attributes:
        compiled: whether an epoch was one program; if not, Keras's own `fit` was used.
        reason: why it was not, or why XLA did not compile that program.
        reused: whether the program had been compiled before, for this or another model.
        trace_seconds: what tracing took in this call.
        compile_seconds: what compiling took in this call.
        short_batch: how the short last batch is done; see `short_batch`.
        steps: how many batches Keras's own `fit` trained before it came back to Python.
    """

    compiled: bool
    reason: str | None = None
    reused: bool = False
    trace_seconds: float = 0.0
    compile_seconds: float = 0.0
    short_batch: str | None = None
    steps: int = 1

    @property
    def explanation(self) -> str | None:
        """The reason, and what was done instead; None for epochs compiled by XLA."""
        return self.reason if self.steps == 1 else f"{self.reason}; {self.steps} batches at a time"


_DEFAULTS: dict[str, Any] = {
    "x": None,
    "y": None,
    "batch_size": None,
    "epochs": 1,
    "verbose": "auto",
    "callbacks": None,
    "validation_split": 0.0,
    "validation_data": None,
    "shuffle": True,
    "class_weight": None,
    "sample_weight": None,
    "initial_epoch": 0,
    "steps_per_epoch": None,
    "validation_steps": None,
    "validation_batch_size": None,
    "validation_freq": 1,
}
_reports: weakref.WeakKeyDictionary[Any, FitReport] = weakref.WeakKeyDictionary()
_left_to_keras = threading.local()


def fit(
    model: Any,
    x: Any = None,
    y: Any = None,
    batch_size: int | None = None,
    epochs: int = 1,
    verbose: Any = "auto",
    callbacks: Any = None,
    validation_split: float = 0.0,
    validation_data: Any = None,
    shuffle: Any = True,
    class_weight: dict[int, float] | None = None,
    sample_weight: Any = None,
    initial_epoch: int = 0,
    steps_per_epoch: int | None = None,
    validation_steps: int | None = None,
    validation_batch_size: int | None = None,
    validation_freq: Any = 1,
) -> keras.callbacks.History:
    """Train `model`: `keras.Model.fit`, with whole epochs compiled where that can be done.

    The arguments and their meaning are those of `keras.Model.fit`. `last_report(model)` tells how it went.

    Args:
        model: a compiled `keras.Model`; need not be built.
        x: inputs.
        y: targets.
        batch_size: samples for each gradient; 32 by default.
        epochs: the epoch to stop before.
        verbose: 0, 1, 2 or "auto".
        callbacks: Keras callbacks.
        validation_split: fraction of the samples, the last ones, to validate on.
        validation_data: (x, y) or (x, y, sample_weight) to validate on.
        shuffle: whether to draw a new order of the samples for each epoch.
        class_weight: weight of each class in the loss.
        sample_weight: weight of each sample in the loss.
        initial_epoch: the epoch to start with.
        steps_per_epoch: batches of an epoch, for data that come in batches; with arrays it leads to `model.fit`.
        validation_steps: likewise, of validation.
        validation_batch_size: `batch_size` by default.
        validation_freq: validate every so many epochs, or in these epochs.

    Returns:
        The history of the training.

    Raises:
        Exception: what `model.fit` raises; nothing else.
    """
    given = locals()
    arguments = {name: given[name] for name in _DEFAULTS}
    try:
        prepared = _prepare(model, arguments)
    except _LeftToKerasError as left:
        return _fit_with_keras(model, arguments, str(left))
    return _Epochs(model, arguments, prepared).run()


def last_report(model: Any) -> FitReport | None:
    """Return how the last `fit` of this model was run, or None if there was none."""
    return _reports.get(model)


class _LeftToKerasError(Exception):
    """This call is for `model.fit`; the text says why."""


def _fit_with_keras(model: Any, arguments: Mapping[str, Any], reason: str) -> keras.callbacks.History:
    """Call the `fit` of the model's class, whatever the instance's may be."""
    number = several_steps.number_of(model, arguments)
    _reports[model] = FitReport(compiled=False, reason=reason, steps=number)
    running = _left_to_keras.__dict__.setdefault("models", set())
    if id(model) in running:
        # The class's own `fit` has called this one: what is left is Keras's.
        return keras.Model.fit(model, **arguments)
    running.add(id(model))
    try:
        given = {name: value for name, value in arguments.items() if value is not _DEFAULTS[name]}
        with several_steps.executed(model, number):
            return type(model).fit(model, **given)
    finally:
        running.discard(id(model))


@dataclasses.dataclass(frozen=True)
class _OnArrays:
    """The epochs of one `fit` on arrays: each is one call of one program."""

    training: Samples
    validation: Samples | None
    program: Program
    state: Any
    names: cache.Names

    @property
    def n_batches(self) -> int:
        return self.training.n_batches

    def run(self, order: Any, validate: bool, only_one: bool) -> tuple[dict[str, Any], dict[str, Any]]:
        """Train an epoch, only its first batch if asked to, and validate it; return the logs of both."""
        training, validation = self.training, self.validation
        n_rows = training.batch_size if only_one else training.n_rows
        given = self.program, self.state, training, validation, order, n_rows, validate
        values, validation_values = lanes.run(*given)
        logs = dict(zip(self.names[0], values, strict=True))
        return logs, dict(zip(self.names[1], validation_values, strict=True)) if validate else {}


@dataclasses.dataclass(frozen=True)
class _Prepared:
    """All that the epochs of one `fit` need."""

    work: _OnArrays | streaming.Streamed
    order: _Order
    is_validated: bool


def _prepare(model: Any, arguments: dict[str, Any]) -> _Prepared:
    """Load the data, build the model and find or compile its program.

    Raises:
        _LeftToKerasError: something of that cannot be done.
    """
    try:
        reason = eligibility.why_not(model, arguments)
        private.of(model, "initial_epoch")  # read when training has begun, where there is no way back
        if reason is None:
            training, validation = _load(arguments)
            if isinstance(training, Stream) or isinstance(validation, Stream):
                return _streamed(model, arguments, training, validation)
            build(model, training)
            both = [samples for samples in (training, validation) if samples is not None]
            reason = next(filter(None, (backends.current().mistake(model, samples) for samples in both)), None)
            if reason is None:
                return _on_arrays(model, arguments, training, validation)
    except Exception as error:
        # Whatever it is, Keras gets the same call next and finds it too, or does without what failed here.
        moved = isinstance(error, private.GoneError)
        raise _LeftToKerasError(str(error) if moved else f"{type(error).__name__}: {error}") from error
    raise _LeftToKerasError(reason)


def _on_arrays(model: Any, arguments: Mapping[str, Any], training: Samples, validation: Samples | None) -> _Prepared:
    short = worthwhile.too_short(model, _n_batches(arguments, training, validation))
    program, names, reused = cache.program_for(model, training, validation, by_xla=short is None)
    spent = (0.0, 0.0) if reused else (program.trace_seconds, program.compile_seconds)
    _reports[model] = FitReport(True, short, reused, *spent, program.short.value)
    samples = lanes.shared(training), None if validation is None else lanes.shared(validation)
    work = _OnArrays(*samples, program, backends.current().state_of(model), names)
    return _Prepared(work, _Order(training, arguments["shuffle"]), validation is not None)


def _streamed(
    model: Any, arguments: Mapping[str, Any], training: streaming.Source, validation: streaming.Source | None
) -> _Prepared:
    n_batches = _n_batches(arguments, training, validation)

    def by_xla(built: Any) -> bool:
        reason = worthwhile.too_short(built, n_batches)
        _reports[model] = dataclasses.replace(_reports[model], reason=_reports[model].reason or reason)
        return reason is None

    def refused(reason: str) -> None:
        _reports[model] = FitReport(False, reason)

    _reports[model] = FitReport(True)
    work = streaming.Streamed(model, training, validation, build, by_xla, refused)
    order = _Order(training if isinstance(training, Samples) else None, arguments["shuffle"])
    return _Prepared(work, order, validation is not None)


def _load(arguments: dict[str, Any]) -> tuple[streaming.Source, streaming.Source | None]:
    x, y, weight = (arguments[name] for name in ("x", "y", "sample_weight"))
    batch_size, validation_data = arguments["batch_size"], arguments["validation_data"]
    if arguments["validation_split"] and validation_data is None:
        (x, y, weight), validation_data = arrays.split(x, y, weight, arguments["validation_split"])
    training: streaming.Source
    if eligibility.comes_in_batches(x) and y is None and weight is None:
        options = arguments["steps_per_epoch"], arguments["shuffle"], arguments["class_weight"]
        training = _stream(arguments, "x", x, *options)
    else:
        training = arrays.load(x, y, weight, batch_size, arguments["class_weight"])
    if validation_data is None:
        return training, None
    x, y, weight = keras.utils.unpack_x_y_sample_weight(validation_data)
    if eligibility.comes_in_batches(x) and y is None and weight is None:
        return training, _stream(arguments, "validation_data", x, arguments["validation_steps"], shuffle=False)
    return training, arrays.load(x, y, weight, arguments["validation_batch_size"] or batch_size)


def _stream(arguments: dict[str, Any], name: str, x: Any, *options: Any, **others: Any) -> Stream:
    """Return a stream of `x`, and let what it begins with be what Keras is given, should the call be left to it."""
    arguments[name], wrong = batches.looked_at(x)
    if wrong is not None:
        raise arrays.UnsupportedDataError(wrong)
    stream = Stream(arguments[name], *options, **others)
    arguments[name] = stream.adapter
    if not stream.n_batches:
        raise arrays.UnsupportedDataError("it is not known how many batches an epoch has")
    return stream


def _n_batches(arguments: Mapping[str, Any], training: streaming.Source, validation: streaming.Source | None) -> int:
    """Return how many batches a run has."""
    epochs = range(arguments["initial_epoch"], arguments["epochs"])
    validated = [epoch for epoch in epochs if _is_validated(epoch, arguments["validation_freq"])]
    n_validation = 0 if validation is None else validation.n_batches
    return len(epochs) * training.n_batches + len(validated) * n_validation


def build(model: Any, training: Samples) -> None:
    """Create all variables that training needs, as Keras would while tracing its first batch."""
    batch = [keras.KerasTensor((None, *tensor.shape[1:]), tensor.dtype.name) for tensor in training.tensors]
    private.of(model, "symbolic_build")(data_batch=training.pack(batch))


class _Epochs:
    """The loop of one `fit`."""

    def __init__(self, model: Any, arguments: Mapping[str, Any], prepared: _Prepared) -> None:
        self._model, self._arguments, self._prepared = model, arguments, prepared
        callbacks = arguments["callbacks"]
        if not isinstance(callbacks, keras.callbacks.CallbackList):
            callbacks = keras.callbacks.CallbackList(
                callbacks,
                model=model,
                add_history=True,
                add_progbar=arguments["verbose"] != 0,
                verbose=arguments["verbose"],
                epochs=arguments["epochs"],
                steps=prepared.work.n_batches,
            )
        self._callbacks = callbacks

    def run(self) -> keras.callbacks.History:
        """Train; return the history."""
        model, callbacks, n_epochs = self._model, self._callbacks, self._arguments["epochs"]
        logs = None
        model.stop_training = False
        callbacks.on_train_begin()
        # A callback that restores a backup says where to go on.
        for epoch in range(private.of(model, "initial_epoch") or self._arguments["initial_epoch"], n_epochs):
            logs = self._epoch(epoch)
            if model.stop_training:
                break
        if isinstance(model.optimizer, keras.optimizers.Optimizer) and n_epochs > 0:
            model.optimizer.finalize_variable_values(model.trainable_weights)
        callbacks.on_train_end(logs=logs)
        return model.history

    def _epoch(self, epoch: int) -> dict[str, Any]:
        model, callbacks, prepared = self._model, self._callbacks, self._prepared
        callbacks.on_epoch_begin(epoch)
        validate = prepared.is_validated and _is_validated(epoch, self._arguments["validation_freq"])
        # Keras looks at `stop_training` after the first batch.
        logs, validation_logs = prepared.work.run(prepared.order.of(epoch), validate, only_one=model.stop_training)
        self._stop_if_not_a_number(logs)
        if validate:
            callbacks.on_test_begin()
            callbacks.on_test_end(validation_logs)
            logs |= {f"val_{name}": value for name, value in validation_logs.items()}
        callbacks.on_epoch_end(epoch, logs)
        return logs

    def _stop_if_not_a_number(self, logs: Mapping[str, Any]) -> None:
        for callback in self._callbacks.callbacks:
            if isinstance(callback, keras.callbacks.TerminateOnNaN):
                callback.on_batch_end(self._prepared.work.n_batches - 1, logs)


def _is_validated(epoch: int, frequency: int | list[int]) -> bool:
    """Tell whether an epoch, counted from 0, is one of every so many, or listed; Keras counts them from 1."""
    return epoch + 1 in frequency if isinstance(frequency, list) else (epoch + 1) % frequency == 0


class _Order:
    """The order of the samples in each epoch: a function of the seed and the epoch's number."""

    def __init__(self, samples: Samples | None, shuffle: bool) -> None:
        self._n_rows, self._size = (samples.n_rows, samples.size) if samples is not None else (0, 0)
        shuffle = shuffle and samples is not None
        self._seed = _seed() if shuffle else 0
        self._fixed = None if shuffle else np.arange(self._size, dtype="int32")

    def of(self, epoch: int) -> np.ndarray | None:
        """Return int32 [samples.size], where entries from `n_rows` on mean nothing; None for data that have one."""
        if self._size == 0:
            return None
        if self._fixed is not None:
            return self._fixed
        order = np.zeros(self._size, "int32")
        order[: self._n_rows] = np.random.default_rng([self._seed, epoch]).permutation(self._n_rows)
        return order


def _seed() -> int:
    """Return the seed that Keras, or what it runs on, has been given, or a random one."""
    for seed in (private.get("get_random_seed")(), backends.current().seed()):
        if seed is not None:
            return int(seed) % 2**63
    return random.randrange(2**63)
