"""The door to what Keras computes with: what compiled epochs need of TensorFlow or of JAX.

Owns the protocol, and which implementation is the one that Keras runs on. Everything else in this room works on
either; only `on_tensorflow` and `on_jax`, and what they import, know which it is.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, Protocol, cast

import keras

if TYPE_CHECKING:
    from tuning.compiled.arrays import Samples
    from tuning.compiled.numbers import Number


class CannotCompileError(Exception):
    """The model's steps cannot be compiled; the text says why."""


class NotWorthwhileError(Exception):
    """The model's steps would be slower when compiled."""


class ShortBatch(enum.Enum):
    """How the short last batch is done."""

    WHOLE = "whole"
    """There is none."""
    PER_ROW = "per row"
    """Layers see whole batches; the step's data and the model's outputs are declared shorter."""
    BOUNDED = "bounded"
    """The data are declared shorter, and all that follows from them."""
    SECOND = "second body"
    """It has a body of its own."""
    AS_IT_IS = "as it is"
    """It is as short as it is, which TensorFlow's own kernels allow and XLA does not."""


class Program(Protocol):
    """An epoch as one program, training and validation.

    Attributes:
        names: those of the metrics it reports, for training and for validation.
        short: how the short last batch is done.
        is_bound: it refers to variables or tensors of the model it was traced for, and serves no other.
        takes_numbers: the model's numbers are arguments of it; otherwise they are constants in it.
        trace_seconds: what tracing took.
        compile_seconds: what compiling took.
    """

    @property
    def names(self) -> tuple[tuple[str, ...], tuple[str, ...]]: ...
    @property
    def short(self) -> ShortBatch: ...
    @property
    def is_bound(self) -> bool: ...
    @property
    def takes_numbers(self) -> bool: ...
    @property
    def trace_seconds(self) -> float: ...
    @property
    def compile_seconds(self) -> float: ...

    def fits(self, model: Any) -> bool:
        """Tell whether `model` has variables such as the program expects."""
        ...

    def run(
        self, state: Any, training: Any, validation: Samples | None, order: Any, n_rows: int, validate: bool
    ) -> tuple[list[Any], list[Any]]:
        """Train a model for an epoch and validate it; return the values of both kinds of metrics.

        Args:
            state: what `state_of` returns for a model of the architecture that was traced, which is updated.
            training: samples of the traced shape.
            validation: likewise, or None.
            order: int32 [training.size], the order of the training samples; entries from the number of
                samples on mean nothing.
            n_rows: how many of them to train on: all, or a whole number of batches.
            validate: whether to validate as well.
        """
        ...


class Backend(Protocol):
    """What Keras computes with; a module."""

    def why_not(self, model: Any) -> str | None:
        """Return why a model's epochs cannot be compiled, or None."""
        ...

    def steps_singly(self, model: Any) -> bool:
        """Tell whether Keras itself must come back to Python after each step of a model's."""
        ...

    def has_accelerator(self) -> bool:
        """Tell whether there is anything besides CPUs."""
        ...

    def seed(self) -> int | None:
        """Return the seed of its own that it has been given."""
        ...

    def settings(self) -> tuple[Any, ...]:
        """Return what it is set to that ends up in a trace."""
        ...

    def described(self, value: Any) -> Any:
        """Return plain data that say everything about a value of one of its types; None for any other."""
        ...

    def tensor(self, leaf: Any) -> Any:
        """Put an array on the device.

        Raises:
            UnsupportedDataError: it is nothing that a compiled program can read.
        """
        ...

    def padded(self, tensor: Any, n_rows: int) -> Any:
        """Return a tensor with so many rows more, of zeros."""
        ...

    def mistake(self, model: Any, samples: Samples) -> str | None:
        """Return what is wrong with whole numbers in the data that Keras would complain of, or None."""
        ...

    def numbers_of(self, model: Any) -> list[Number]:
        """Return where a model has numbers that may be arguments of a program."""
        ...

    def state_of(self, model: Any) -> Any:
        """Return what a program trains."""
        ...

    def compile_epoch(self, model: Any, training: Any, validation: Samples | None, by_xla: bool, key: Any) -> Program:
        """Return a program for a model that is built and compiled; the model does not change.

        Args:
            model: whose epochs it runs.
            training: samples to train on; on TensorFlow None for a program that only validates.
            validation: samples to validate on, or None.
            by_xla: whether XLA is to compile it; on TensorFlow it may be only traced.
            key: plain data that are equal where the traces are, in other processes too; None where that is not known.

        Raises:
            CannotCompileError: the steps cannot be traced or compiled.
            NotWorthwhileError: they would be slower.
        """
        ...

    def n_traced(self) -> int:
        """Return how often a training step has been traced in this process."""
        ...


SUPPORTED = ("tensorflow", "jax")


def name() -> str:
    """Return what Keras runs on."""
    return str(keras.config.backend())


def current() -> Backend:
    """Return what Keras runs on, which must be one of `SUPPORTED`."""
    if name() == "jax":
        from tuning.compiled import on_jax

        return cast(Backend, on_jax)
    from tuning.compiled import on_tensorflow

    return cast(Backend, on_tensorflow)
