"""Lets `model.fit` train several batches before it comes back to Python.

Owns what of Keras's `steps_per_execution` is used where epochs are not compiled: how many batches an execution may
have, and that the model is afterwards as it was. Weights, orders and logs are those of single steps, because Keras
computes the same steps, in a loop of TensorFlow's or, on JAX, one compiled step after the other; that loop is none of
XLA's, so convolutions do not suffer in it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras

from tuning.compiled import backends, eligibility, private

MOST = 32
"""Batches of an execution; more hardly save any more."""

_FUNCTIONS = ("train_function", "test_function", "predict_function")
_STEPS = ("evaluate", "train_step", "test_step", "make_train_function", "make_test_function")
_KEPT = f"{private.TRACKING}several_steps"
"""Attribute of a model: what it was compiled as, the number, and the functions of that; fitted again, nothing is traced
again. On the model itself, because the functions hold it."""


def number_of(model: Any, arguments: Mapping[str, Any]) -> int:
    """Return how many batches an execution of `model.fit(**arguments)` may have; 1 where Keras is to decide that."""
    try:
        return _number_of(model, arguments)
    except private.GoneError:
        return 1


def _number_of(model: Any, arguments: Mapping[str, Any]) -> int:
    if backends.name() not in backends.SUPPORTED or not model.compiled or model.steps_per_execution != 1:
        return 1
    if model.run_eagerly or keras.distribution.distribution() is not None or backends.current().steps_singly(model):
        return 1
    if any(getattr(type(model), name) is not getattr(keras.Model, name) for name in ("fit", *_STEPS)):
        return 1
    if not vars(model).keys().isdisjoint(_STEPS) or eligibility.looks_at_batches(arguments["callbacks"]):
        return 1
    # With a number of steps, an execution that went beyond it would take batches of the next epoch.
    steps = math.gcd(*(arguments[name] or 0 for name in ("steps_per_epoch", "validation_steps")))
    return next(number for number in range(MOST, 0, -1) if steps % number == 0)


@contextmanager
def executed(model: Any, number: int) -> Iterator[None]:
    """Let `model` execute so many steps at once, and put everything back afterwards."""
    try:
        compiled = private.of(model, "compile_config") if number > 1 else None
    except private.GoneError:
        compiled = None
    if compiled is None:
        yield
        return
    before = [getattr(model, name) for name in _FUNCTIONS]
    of, kept_number, functions = vars(model).get(_KEPT, (None, 1, None))
    _put(model, number, functions if of is compiled and kept_number == number else [None for _ in _FUNCTIONS])
    try:
        yield
    finally:
        if private.of(model, "compile_config") is compiled:  # and not compiled anew by a callback
            vars(model)[_KEPT] = compiled, number, [getattr(model, name) for name in _FUNCTIONS]
            _put(model, 1, before)


def _put(model: Any, number: int, functions: list[Any]) -> None:
    model.steps_per_execution = number
    for name, function in zip(_FUNCTIONS, functions, strict=True):
        setattr(model, name, function)
