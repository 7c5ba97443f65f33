"""Traces and compiles an epoch of a model as one XLA program, and runs it.

Owns the program: the two loops over batches, its arguments and its results. It does not know callbacks, nor
which models may share a program.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import hashlib
import itertools
import os
import time
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tuning import programs
from tuning.compiled import eligibility, private
from tuning.compiled.arrays import Samples
from tuning.compiled.backends import CannotCompileError, NotWorthwhileError, ShortBatch
from tuning.compiled.numbers import Kind, kinds_of, numbers_of
from tuning.compiled.on_tensorflow import convolutions, lookups, short_batch
from tuning.compiled.on_tensorflow.arguments import as_arguments
from tuning.compiled.state import constants_of, flat, has_own_steps, held, replaced, variables_of

# XLA and TensorFlow read these before they first run a function; what the user has set there stays.
os.environ.setdefault("XLA_FLAGS", programs.XLA_FLAGS)
programs.prepare()

n_bodies_traced = 0
"""How often a training step has been traced in this process."""
_named: collections.Counter[str] = collections.Counter()
"""How often functions have been named after a key."""


SLOW_ON_CPU = ("Conv2D", "Conv3D", "DepthwiseConv")
"""How the types of operations begin that XLA runs many times slower on a CPU than TensorFlow does."""


@dataclasses.dataclass(frozen=True)
class State:
    """What a program gets of a model: its variables, the tensors that are statistics of its layers, and its numbers."""

    variables: list[Any]
    constants: list[tf.Tensor]
    numbers: list[tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Program:
    """An epoch as one program.

    Attributes:
        function: takes what `run` passes; returns the values of the training and the validation metrics.
        names: the names of those values, for training and for validation.
        variables: shapes and types of the model's variables.
        short: how the short last batch is done.
        lookups: names of the tables whose rows are looked up, in training and in validation.
        by_xla: whether XLA has compiled it; otherwise TensorFlow runs it as it was traced.
        is_bound: it refers to variables or tensors of the model it was traced for, and serves no other.
        kinds: those of the model's numbers, where they are arguments; None where they are constants.
        trace_seconds: what tracing took.
        compile_seconds: what compiling took.
    """

    function: Any
    names: tuple[tuple[str, ...], tuple[str, ...]]
    variables: tuple[tuple[Any, ...], ...]
    short: ShortBatch
    lookups: tuple[tuple[str, ...], tuple[str, ...]]
    by_xla: bool
    is_bound: bool
    kinds: list[Kind] | None
    trace_seconds: float
    compile_seconds: float

    @property
    def takes_numbers(self) -> bool:
        """Whether the model's numbers are arguments."""
        return self.kinds is not None

    def fits(self, model: Any) -> bool:
        """Tell whether `model` has variables, and numbers, such as the program expects."""
        return _specs(model) == self.variables and self.kinds in (None, kinds_of(model))

    def run(
        self,
        state: State,
        training: Samples | None,
        validation: Samples | None,
        order: Any,
        n_rows: int,
        validate: bool,
        begins: bool = True,
    ) -> tuple[list[Any], list[Any]]:
        """Train a model for an epoch and validate it.

        Args:
            state: what `state_of` returns for a model of the architecture that was traced; its variables are
                updated in place.
            training: samples of the traced shape, or None if the program only validates.
            validation: likewise, or None.
            order: int32 [training.size], the order of the training samples.
            n_rows: how many of them to train on.
            validate: whether to validate as well.
            begins: whether the metrics count from here on.

        Returns:
            Values of the training metrics, and of the validation metrics if there are any.

        Raises:
            tf.errors.InvalidArgumentError: an index is beyond the table that it is looked up in.
        """
        order = tf.constant(order, tf.int32)
        n_validation_rows = validation.n_rows if validation is not None and validate else 0
        *results, found = self.function(
            state.variables,
            state.constants,
            state.numbers if self.takes_numbers else [],
            [*training.tensors] if training is not None else [],
            order,
            tf.constant(n_rows, tf.int32),
            [*validation.tensors] if validation is not None else [],
            tf.constant(n_validation_rows, tf.int32),
            tf.constant(begins),
        )
        for what, names in zip(found, self.lookups, strict=True):
            lookups.complain(what.numpy(), names)
        return tuple([value.numpy() for value in values] for values in results)  # type: ignore[return-value]


def compile_epoch(
    model: Any, training: Samples | None, validation: Samples | None, by_xla: bool = True, key: Any = None
) -> Program:
    """Return a program for a model that is built and compiled; the model does not change.

    Args:
        model: whose epochs it runs.
        training: samples to train on, or None.
        validation: samples to validate on, or None.
        by_xla: whether XLA is to compile it; otherwise it is only traced, and slower.
        key: plain data that are equal where the traces are, in other processes too; None where that is not known.

    Raises:
        CannotCompileError: the steps cannot be traced or compiled.
        NotWorthwhileError: they would be slower.
    """
    errors = []
    ways = list(short_batch.choose(model, training, validation, by_xla))
    # What cannot be traced with its numbers as arguments may be with them as constants.
    for takes_numbers, short in itertools.product((True, False) if numbers_of(model) else (False,), ways):
        try:
            return _compile_or_forget(_Trace(model, training, validation, short, by_xla, key, takes_numbers))
        except NotWorthwhileError:
            raise
        except convolutions.TooLargeError:
            raise NotWorthwhileError("XLA is slow at convolutions as large as these on a CPU") from None
        except Exception as error:
            # The next way may work. If none does, `model.fit` shows what is wrong.
            errors.append(f"{type(error).__name__}: {error}")
    raise CannotCompileError(errors[-1])


def state_of(model: Any) -> State:
    """Return what a program trains: these very variables, as a function that Keras has traced would."""
    numbers = [tf.constant(number, tf.float64) for number in held(numbers_of(model))]
    return State(_resources(model), held(constants_of(model)), numbers)


def _resources(model: Any) -> list[Any]:
    """Return TensorFlow's variables behind those of Keras."""
    return [v.value if isinstance(v, keras.Variable) else v for v in variables_of(model)]


def _specs(model: Any) -> tuple[tuple[Any, ...], ...]:
    return tuple((tuple(v.shape), v.dtype.name, v.trainable) for v in _resources(model))


def _specs_of(samples: Samples | None) -> list[tf.TensorSpec]:
    return [tf.TensorSpec(t.shape, t.dtype) for t in samples.tensors] if samples is not None else []


def _compile_or_forget(trace: _Trace) -> Program:
    """Compile, once more if that failed because of what is kept on disk."""
    try:
        return _compile(trace)
    except tf.errors.OpError as error:
        if not programs.forgotten(str(error)):
            raise
    return _compile(trace)


def _compile(trace: _Trace) -> Program:
    started = time.perf_counter()
    model, training, validation = trace.model, trace.training, trace.validation
    function = trace.function()
    traced = time.perf_counter()
    is_bound = len(function.captured_inputs) > 0
    names = (trace.names["train"], trace.names["test"])
    watched = tuple(map(lookups.name_of, trace.lookups["train"])), tuple(map(lookups.name_of, trace.lookups["test"]))
    spent = traced - started, 0.0
    kinds = kinds_of(model) if trace.takes_numbers else None
    program = Program(function, names, _specs(model), trace.short, watched, trace.by_xla, is_bound, kinds, *spent)
    order = tf.zeros([training.size if training is not None else 0], tf.int32)
    program.run(state_of(model), training, validation, order, n_rows=0, validate=False, begins=False)
    return dataclasses.replace(program, compile_seconds=time.perf_counter() - traced)


class _Trace:
    """One attempt at tracing an epoch."""

    def __init__(
        self,
        model: Any,
        training: Samples | None,
        validation: Samples | None,
        short: ShortBatch,
        by_xla: bool,
        key: Any,
        takes_numbers: bool,
    ) -> None:
        self.by_xla, self._key, self.takes_numbers = by_xla, key, takes_numbers
        self.names: dict[str, tuple[str, ...]] = {"train": (), "test": ()}
        self.lookups: dict[str, list[Any]] = {"train": [], "test": []}
        self.model, self.training, self.validation, self.short = model, training, validation, short
        self._has_own_steps = has_own_steps(model)
        self._last_logs: dict[str, dict[str, tf.TensorSpec]] = {"train": {}, "test": {}}

    def function(self) -> Any:
        """Return the traced program."""
        while True:
            try:
                with self._naming():
                    return self._traced()
            except _CarriesLastLogsError as carries:
                # A custom step returns other names than the metrics' own: Keras reports its last batch.
                self._last_logs[carries.phase] = carries.specs

    def _naming(self) -> contextlib.AbstractContextManager[None]:
        """Give what is traced names by which other processes find it on disk, where it can be told from all else."""
        if self._key is None or not self.by_xla:
            return contextlib.nullcontext()
        constants = None if self.takes_numbers else held(numbers_of(self.model))
        name = hashlib.sha256(repr((self._key, self.short.value, constants)).encode()).hexdigest()[:16]
        _named[name] += 1
        return private.names_of_functions(f"{name}_{_named[name]}")

    def _traced(self) -> Any:
        constants = constants_of(self.model)
        training, validation = self.training, self.validation
        number = tf.TensorSpec([], tf.int32)
        return tf.function(self._epoch, jit_compile=self.by_xla or None, autograph=False).get_concrete_function(
            _resources(self.model),
            [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in held(constants)],
            [tf.TensorSpec([], tf.float64) for _ in numbers_of(self.model) if self.takes_numbers],
            _specs_of(training),
            tf.TensorSpec([training.size if training is not None else 0], tf.int32),
            number,
            _specs_of(validation),
            number,
            tf.TensorSpec([], tf.bool),
        )

    def _epoch(
        self,
        variables: Any,
        constants: Any,
        numbers: Any,
        tensors: Any,
        order: Any,
        n_rows: Any,
        validation: Any,
        n_validation: Any,
        begins: Any,
    ) -> Any:
        # A variable that is an argument is one wherever the model uses it, so `variables` needs no further
        # mention.
        del variables
        model = self.model
        nothing: Any = [], tf.constant(lookups.NOTHING, tf.int64)
        with contextlib.ExitStack() as stack:
            stack.enter_context(replaced(constants_of(model), constants))
            if self.takes_numbers:
                stack.enter_context(as_arguments(model, numbers))
            if self.by_xla and not eligibility.has_accelerator():
                size = max(samples.batch_size for samples in (self.training, self.validation) if samples is not None)
                stack.enter_context(convolutions.written_as_products(model, size))
            train = test = nothing
            if self.training is not None:
                train = self._phase("train", model.train_step, self.training, tensors, order, n_rows, begins)
            if self.validation is not None:
                test = self._phase("test", model.test_step, self.validation, validation, None, n_validation, begins)
        return [train[0], test[0], [train[1], test[1]]]

    def _phase(
        self,
        phase: str,
        step: Callable[[Any], Any],
        samples: Samples,
        tensors: Any,
        order: Any,
        n_rows: Any,
        begins: Any,
    ) -> tuple[list[tf.Tensor], tf.Tensor]:
        """Run all batches through `step`; return the values that Keras would report, and what `lookups` found."""
        tf.cond(begins, self._reset_metrics, lambda: tf.constant(True))
        size = samples.batch_size
        specs = self._last_logs[phase]
        logs = {name: tf.zeros(spec.shape, spec.dtype) for name, spec in specs.items()}
        found = tf.constant(lookups.NOTHING, tf.int64)
        batches = short_batch.Batches(self.model, samples, tensors, order, n_rows, self.short)
        if samples.n_short and self.short is ShortBatch.SECOND:
            found, logs = self._loop(phase, step, batches.whole, n_rows // size, found, logs)
            found, logs = self._loop(phase, step, batches.rest, tf.minimum(n_rows % size, 1), found, logs)
        else:
            found, logs = self._loop(phase, step, batches.any, (n_rows + size - 1) // size, found, logs)
        results = {name: logs[name] for name in specs} or flat(self.model.get_metrics_result())
        self.names[phase] = tuple(results)
        return list(results.values()), found

    def _reset_metrics(self) -> tf.Tensor:
        self.model.reset_metrics()
        return tf.constant(True)

    def _loop(
        self, phase: str, step: Callable[[Any], Any], batch: Any, n_steps: Any, *carried: Any
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        def body(index: tf.Tensor, found: tf.Tensor, logs: dict[str, tf.Tensor]) -> Any:
            global n_bodies_traced
            n_bodies_traced += phase == "train"
            with batch(index) as data:
                graph = tf.compat.v1.get_default_graph()
                n_before = len(graph.get_operations())
                returned = step(data)
            if self.by_xla and not eligibility.has_accelerator():
                self.lookups[phase] = lookups.lookups_in(graph.get_operations()[n_before:])
                found = lookups.found_by(self.lookups[phase], found)
            self._check()
            return index + 1, found, self._kept(phase, returned) if logs else self._none_kept(phase, returned)

        start = (tf.constant(0), *carried)
        # A batch begins with the weights that the one before it leaves behind.
        _, found, logs = tf.while_loop(lambda index, *_: index < n_steps, body, start, parallel_iterations=1)
        return found, logs

    def _check(self) -> None:
        """Refuse what may be computed wrongly or slowly, before XLA gets to see it."""
        if not self.by_xla:
            return
        graph = tf.compat.v1.get_default_graph()
        slow = {op.type for op in graph.get_operations() if op.type.startswith(SLOW_ON_CPU)}
        if slow and not eligibility.has_accelerator():
            raise NotWorthwhileError(f"XLA is slow at {min(slow)} on a CPU")
        if self.short in (ShortBatch.PER_ROW, ShortBatch.BOUNDED):
            unchecked = short_batch.unchecked_operations(graph)
            if unchecked:
                raise CannotCompileError(f"not checked with short batches: {', '.join(sorted(unchecked))}")

    def _none_kept(self, phase: str, returned: Any) -> dict[str, tf.Tensor]:
        if self._has_own_steps and set(returned) != set(self.model.get_metrics_result()):
            specs = {name: tf.TensorSpec(t.shape, t.dtype) for name, t in self._kept(phase, returned).items()}
            raise _CarriesLastLogsError(phase, specs)
        return {}

    def _kept(self, phase: str, returned: Any) -> dict[str, tf.Tensor]:
        tensors = flat(returned)
        if not all(t.shape.is_fully_defined() for t in tensors.values()):
            raise CannotCompileError(f"{phase}_step returns values whose shape depends on the batch")
        return tensors


class _CarriesLastLogsError(Exception):
    def __init__(self, phase: str, specs: dict[str, tf.TensorSpec]) -> None:
        super().__init__(phase)
        self.phase, self.specs = phase, specs
