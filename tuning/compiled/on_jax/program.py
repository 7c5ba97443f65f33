"""Traces and compiles an epoch of a model as one XLA program on JAX, and runs it.

Owns the program, its arguments and its results. Keras's own `train_step` and `test_step` on JAX are pure functions of
the model's state, so an epoch is a loop over them. A short last batch has a body of its own: JAX knows no arrays of
unknown size.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
from jax import lax
from jax.extend.core import jaxpr_as_fun

from tuning import programs
from tuning.compiled import eligibility
from tuning.compiled.arrays import Samples
from tuning.compiled.backends import CannotCompileError, NotWorthwhileError, ShortBatch
from tuning.compiled.numbers import Kind, Number, kinds_of
from tuning.compiled.on_jax.arguments import Slots, numbers_of
from tuning.compiled.state import constants_of, flat, has_own_steps, held, replaced

n_bodies_traced = 0
"""How often a training step has been traced in this process."""

Values = tuple[list[Any], list[Any], list[Any], list[Any]]
"""Of a model's variables, as Keras's steps take them: trainable, not trainable, the optimizer's, the metrics'."""


@dataclasses.dataclass(frozen=True)
class State:
    """What a program gets of a model.

    Attributes:
        variables: Keras's, by kind, as in `Values`.
        constants: the tensors that are statistics of its layers.
        numbers: see `numbers`.
    """

    variables: tuple[list[Any], list[Any], list[Any], list[Any]]
    constants: list[Any]
    numbers: list[float]

    def read(self) -> Values:
        """Return the variables' values."""
        a, b, c, d = ([variable.value for variable in kind] for kind in self.variables)
        return a, b, c, d

    def write(self, values: Values) -> None:
        """Give the variables other values."""
        for kind, new in zip(self.variables, values, strict=True):
            for variable, value in zip(kind, new, strict=True):
                variable.assign(value)


def state_of(model: Any) -> State:
    """Return what a program trains."""
    optimizer = [] if model.optimizer is None else model.optimizer.variables
    kinds = (model.trainable_variables, model.non_trainable_variables, optimizer, model.metrics_variables)
    a, b, c, d = map(list, kinds)
    return State((a, b, c, d), held(constants_of(model)), held(numbers_of(model)))


@dataclasses.dataclass(frozen=True, eq=False)
class Program:
    """A compiled epoch.

    Attributes:
        epoch: takes values, constants and numbers, tensors to train on, their order, number of batches, whether to
            train on the short one, tensors to validate on, and likewise; returns values, and those of both kinds of
            metrics.
        names, short, is_bound, trace_seconds, compile_seconds: see `backends.Program`.
        variables: shapes and types of the model's variables.
        slots: what it makes of the model's numbers, and where that is in an array.
        kinds: those of the numbers, where they are arguments; None where they are constants.
        traced: the epoch as it was traced, of flat arguments, and the form of what it returns.
        several: programs for several models at once, by whether all have the same samples.
    """

    epoch: Callable[..., Any]
    names: tuple[tuple[str, ...], tuple[str, ...]]
    short: ShortBatch
    is_bound: bool
    variables: Any
    slots: Slots
    kinds: list[Kind] | None
    trace_seconds: float
    compile_seconds: float
    traced: tuple[Callable[..., Any], Any]
    several: dict[bool, Callable[..., Any]] = dataclasses.field(default_factory=dict)

    @property
    def takes_numbers(self) -> bool:
        """Whether the model's numbers are arguments."""
        return self.kinds is not None

    def fits(self, model: Any) -> bool:
        """Tell whether `model` has variables, and numbers, such as the program expects."""
        return bool(_specs(state_of(model)) == self.variables) and self.kinds in (None, kinds_of(model))

    def run(
        self, state: State, training: Samples, validation: Samples | None, order: Any, n_rows: int, validate: bool
    ) -> tuple[list[Any], list[Any]]:
        """Train a model for an epoch and validate it; see `backends.Program`."""
        values, *results = self.epoch(*_arguments(self.slots, state, training, validation, order, n_rows, validate))
        state.write(values)
        train, test = jax.device_get(results)
        return train, test

    def run_together(self, epochs: Sequence[tuple[Any, ...]]) -> list[tuple[list[Any], list[Any]]]:
        """Do what `run` does for several models of the architecture at once.

        There is a program for each power of two: surplus lanes train the first model once more, and are not looked at.

        Args:
            epochs: the arguments of `run` for each; `n_rows` and `validate` are equal.
        """
        is_same = all(e[1] is epochs[0][1] and e[2] is epochs[0][2] for e in epochs)
        n_lanes = 1 << (len(epochs) - 1).bit_length()
        given = [_arguments(self.slots, *epoch) for epoch in (*epochs, *[epochs[0]] * (n_lanes - len(epochs)))]
        lanes = _repeated(given[0][:2], n_lanes)
        for lane in range(1, len(epochs)):
            lanes = _with_lane(lanes, lane, given[lane][:2])
        places = zip(_axes(is_same)[2:], zip(*(one[2:] for one in given), strict=True), strict=True)
        rest = [values[0] if axis is None else _stacked(values) for axis, values in places]
        values, *results = self.of_lanes(is_same)(*lanes, *rest)
        train, test = jax.device_get(results)
        for lane, (state, *_) in enumerate(epochs):
            state.write(_lane(values, lane))
        return [([v[lane] for v in train], [v[lane] for v in test]) for lane in range(len(epochs))]

    def of_lanes(self, is_same: bool) -> Callable[..., Any]:
        """Return the program for several models at once.

        Args:
            is_same: whether all have the same samples.
        """
        if is_same not in self.several:
            together = jax.vmap(_unflattened(*self.traced), in_axes=_axes(is_same))
            self.several[is_same] = jax.jit(together, compiler_options=options_of_compiling())
        return self.several[is_same]


def options_of_compiling() -> dict[str, int] | None:
    """Return how to compile: on a CPU as on TensorFlow, by `programs.XLA_FLAGS`, unless the user says how."""
    name, level = programs.XLA_FLAGS.removeprefix("--").split("=")
    if eligibility.has_accelerator() or name in os.environ.get("XLA_FLAGS", ""):
        return None
    return {name: int(level)}


def compile_epoch(
    model: Any, training: Samples, validation: Samples | None, by_xla: bool = True, key: Any = None
) -> Program:
    """Return a program for a model that is built and compiled, always by XLA; the model does not change.

    Raises:
        CannotCompileError: the steps cannot be traced or compiled.
        NotWorthwhileError: something in them convolves, on a CPU.
    """
    del by_xla, key  # JAX knows what it has compiled by the program alone
    errors, places = [], numbers_of(model)
    # What cannot be traced with its numbers as arguments may be with them as constants.
    for numbers in (places, []) if places else ([],):
        try:
            return _compile(model, training, validation, numbers)
        except NotWorthwhileError:
            raise
        except Exception as error:  # `model.fit` shows what is wrong
            errors.append(f"{type(error).__name__}: {error}")
    raise CannotCompileError(errors[-1])


def _compile(model: Any, training: Samples, validation: Samples | None, numbers: list[Number]) -> Program:
    """Return a program in which the numbers that are at `numbers` are arguments."""
    started = time.perf_counter()
    state, steps = state_of(model), _Steps(model, training, validation, numbers)
    order = np.zeros(training.size, "int32")
    arguments = _arguments(steps.slots, state, training, validation, order, 0, validate=False)
    traced = jax.jit(_one_program(steps)).trace(*arguments)
    if not eligibility.has_accelerator() and _is_convolving(traced.jaxpr.jaxpr):
        raise NotWorthwhileError("XLA is slow at convolutions inside a loop on a CPU")
    of_the_model = {id(value) for value in jax.tree.leaves((state.read(), state.constants))}
    is_bound = any(id(const) in of_the_model for const in traced.jaxpr.consts)
    traced_at = time.perf_counter()
    epoch = traced.lower().compile(options_of_compiling())
    has_short = training.n_short or (validation is not None and validation.n_short)
    return Program(
        epoch,
        (steps.names["train"], steps.names["test"]),
        ShortBatch.SECOND if has_short else ShortBatch.WHOLE,
        is_bound,
        _specs(state),
        steps.slots,
        kinds_of(model) if numbers else None,
        traced_at - started,
        time.perf_counter() - traced_at,
        (jaxpr_as_fun(traced.jaxpr), jax.tree.structure(traced.out_info)),
    )


def _arguments(
    slots: Slots, state: State, training: Samples, validation: Samples | None, order: Any, n_rows: int, validate: bool
) -> tuple[Any, ...]:
    """Return the arguments of `Program.epoch`."""
    n_validation = validation.n_rows if validation is not None and validate else 0
    return (
        state.read(),
        (state.constants, slots.filled(state.numbers)),
        [*training.tensors],
        order,
        *_counts(training, n_rows),
        [*validation.tensors] if validation is not None else [],
        *_counts(validation, n_validation),
    )


def _axes(is_same: bool) -> tuple[int | None, ...]:
    """Return along which axis several models' arguments of an epoch lie; None where they have one for all."""
    samples = None if is_same else 0
    return 0, 0, samples, 0, None, None, samples, None, None


def _unflattened(flat: Callable[..., Any], form: Any) -> Callable[..., Any]:
    """Return an epoch of a function of the leaves of its arguments, which returns the leaves of its results."""
    return lambda *arguments: jax.tree.unflatten(form, flat(*jax.tree.leaves(arguments)))


def _stacked(values: Sequence[Any]) -> Any:
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *values)


# To stack and unstack in the program of an epoch itself takes XLA longer to compile than all the rest.


@partial(jax.jit, static_argnums=1)
def _repeated(state: Any, n_lanes: int) -> Any:
    return jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (n_lanes, *jnp.shape(leaf))), state)


@partial(jax.jit, donate_argnums=0)
def _with_lane(lanes: Any, lane: Any, state: Any) -> Any:
    return jax.tree.map(lambda leaf, value: leaf.at[lane].set(value), lanes, state)


@jax.jit
def _lane(lanes: Any, lane: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf[lane], lanes)


def _specs(state: State) -> Any:
    return [[(tuple(v.shape), v.dtype) for v in kind] for kind in state.variables]


def _counts(samples: Samples | None, n_rows: int) -> tuple[int, int]:
    """Return how many whole batches and how many short ones there are among the first `n_rows` samples."""
    return (0, 0) if samples is None else (n_rows // samples.batch_size, int(n_rows % samples.batch_size > 0))


def _is_convolving(jaxpr: Any) -> bool:
    """Tell whether anything in a trace is a convolution, which XLA is slow at inside a loop on a CPU."""
    return any(
        equation.primitive.name == "conv_general_dilated" or any(map(_is_convolving, _inner(equation)))
        for equation in jaxpr.eqns
    )


def _inner(equation: Any) -> Iterator[Any]:
    for parameter in equation.params.values():
        for part in parameter if isinstance(parameter, (list, tuple)) else (parameter,):
            part = getattr(part, "jaxpr", part)
            if hasattr(part, "eqns"):
                yield part


def _as(old: Any, new: Any) -> Any:
    """Return `new` with the types of `old`, which a loop needs."""
    return jax.tree.map(lambda before, after: jnp.asarray(after, before.dtype), old, new)


def _count(n: int) -> None:
    global n_bodies_traced
    n_bodies_traced = n


class _Steps:
    """The pieces of an epoch, as pure functions of the model's values."""

    def __init__(self, model: Any, training: Samples, validation: Samples | None, numbers: list[Number]) -> None:
        self.names: dict[str, tuple[str, ...]] = {"train": (), "test": ()}
        self.samples: dict[str, Any] = {"train": training, "test": validation}
        self._model, self._has_own = model, has_own_steps(model)
        self._numbers, self.slots = numbers, Slots(len(numbers))
        self._last: dict[str, Any] = {}

    def begin(self, values: Values) -> Values:
        """Return the values with metrics that have seen nothing."""
        variables = self._model.metrics_variables
        with keras.StatelessScope(state_mapping=list(zip(variables, values[3], strict=True))) as scope:
            self._model.reset_metrics()
            fresh = [scope.get_current_value(variable) for variable in variables]
        return *values[:3], fresh

    def first_logs(self, phase: str, values: Values, constants: Any, tensors: Any) -> Any:
        """Return logs to begin with, where Keras reports those of the last batch; None where it reports metrics."""
        if not self._has_own:
            return None
        rows = jnp.zeros(self.samples[phase].batch_size, "int32")
        returned = jax.eval_shape(lambda v: self._step(phase, v, constants, tensors, rows)[1], values)
        with self._scope(values):
            if set(returned) == set(self._model.get_metrics_result()):
                return None
        self._last[phase] = returned
        return jax.tree.map(lambda spec: jnp.zeros(spec.shape, spec.dtype), returned)

    def whole(self, phase: str, index: Any, carried: Any, constants: Any, tensors: Any, order: Any) -> Any:
        """Run batch number `index`, which is not the short one."""
        size = self.samples[phase].batch_size
        if order is None:
            rows: Any = index * size + jnp.arange(size)
        else:
            rows = lax.dynamic_slice_in_dim(order, index * size, size)
        return self._carry(phase, carried, constants, tensors, rows)

    def rest(self, phase: str, _: Any, carried: Any, constants: Any, tensors: Any, order: Any) -> Any:
        """Run the short batch."""
        samples = self.samples[phase]
        start, stop = samples.n_rows - samples.n_short, samples.n_rows
        return self._carry(
            phase, carried, constants, tensors, jnp.arange(start, stop) if order is None else order[start:stop]
        )

    def end(self, phase: str, carried: Any) -> tuple[Values, list[Any]]:
        """Return the values, and what Keras would report."""
        values, logs = carried
        with self._scope(values):
            results = flat(self._model.get_metrics_result() if logs is None else logs)
        self.names[phase] = tuple(results)
        return values, [jnp.asarray(value) for value in results.values()]

    def _carry(self, phase: str, carried: Any, constants: Any, tensors: Any, rows: Any) -> Any:
        values, logs = carried
        after, returned = self._step(phase, values, constants, tensors, rows)
        return _as(values, after), None if logs is None else _as(logs, returned)

    def _step(self, phase: str, values: Values, constants: Any, tensors: Any, rows: Any) -> tuple[Values, Any]:
        """Return what a model's step on some rows makes of the values, and its logs."""
        _count(n_bodies_traced + (phase == "train"))
        samples = self.samples[phase]
        data = samples.pack([tensor.at[rows].get(mode="promise_in_bounds") for tensor in tensors])
        tensors, entries = constants
        numbers = self.slots.arguments(self._numbers, entries)
        with replaced([*constants_of(self._model), *self._numbers], [*tensors, *numbers]):
            if phase == "train":
                logs, (a, b, c, d) = self._model.train_step(values, data)
                return (list(a), list(b), list(c), list(d)), logs
            logs, (a, b, d) = self._model.test_step((values[0], values[1], values[3]), data)
            return (list(a), list(b), values[2], list(d)), logs

    def _scope(self, values: Values) -> Any:
        variables = self._model.metrics_variables
        return keras.StatelessScope(state_mapping=list(zip(variables, values[3], strict=True)))


def _one_program(steps: _Steps) -> Callable[..., Any]:
    """Return an epoch as one function that can be traced."""

    def phase(name: str, values: Any, constants: Any, tensors: Any, order: Any, n_whole: Any, n_rest: Any) -> Any:
        values = steps.begin(values)
        carried = values, steps.first_logs(name, values, constants, tensors)
        for part, n in ((steps.whole, n_whole), (steps.rest, n_rest)):
            if part == steps.whole or steps.samples[name].n_short:

                def body(index: Any, carried: Any, part: Any = part) -> Any:
                    return part(name, index, carried, constants, tensors, order)

                carried = lax.fori_loop(0, n, body, carried)
        return steps.end(name, carried)

    def epoch(
        values: Any, constants: Any, tensors: Any, order: Any, n_whole: Any, n_rest: Any, validation: Any, *n_test: Any
    ) -> Any:
        values, train = phase("train", values, constants, tensors, order, n_whole, n_rest)
        test: Sequence[Any] = []
        if steps.samples["test"] is not None:
            values, test = phase("test", values, constants, validation, None, *n_test)
        return values, train, list(test)

    return epoch
