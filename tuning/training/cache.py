"""Keeps compiled programs for as long as they may be of use.

Owns the programs of this process: one per architecture and shape of the data, the least recently used dropped first,
those that serve a single model dropped with it.

What dropping frees: the traced graph and its functions, about a quarter of what a program holds. The machine code
stays in TensorFlow until the process ends (about 6 MB for three small layers, and nothing that TensorFlow offers
gives it back), so who trains many architectures should start a new process now and then; `compiled_programs` says
how many this one has made.
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from typing import Any

from tuning.training import program as programs
from tuning.training.architecture import key_of
from tuning.training.arrays import Samples
from tuning.training.program import Program

CAPACITY = 64
"""How many programs are kept."""

_lock = threading.RLock()
_programs: OrderedDict[tuple[Any, ...], tuple[Program, Any]] = OrderedDict()
_compiled = 0


def program_for(model: Any, training: Samples, validation: Samples | None) -> tuple[Program, bool]:
    """Return a program for `model`, and whether it was there already.

    Args:
        model: built and compiled.
        training: samples to train on.
        validation: samples to validate on, or None.

    Raises:
        CannotCompileError: the steps cannot be traced or compiled.
    """
    data = (training.signature, validation.signature if validation is not None else None)
    with _lock:
        own = ("model", id(model), id(model._loss_tracker), *data)
        shared = _shared_key(model, training)
        for key in ([own] if shared is None else [own, (shared, *data)]):
            found = _find(key, training, validation)
            if found is not None:
                return found, True
        program = programs.compile_epoch(model, training, validation)
        _keep(model, program, own if shared is None or program.is_bound else (shared, *data), training, validation)
        return program, False


def traced_programs() -> int:
    """Return how often the body of a training loop has been traced in this process."""
    return programs.n_bodies_traced


def compiled_programs() -> int:
    """Return how many programs have been compiled in this process; the memory of their code is never freed."""
    return _compiled


def clear() -> None:
    """Drop all programs."""
    with _lock:
        _programs.clear()


def _shared_key(model: Any, training: Samples) -> str | None:
    x = training.structure[0] if isinstance(training.structure, tuple) else training.structure
    return key_of(model, x_is_named=isinstance(x, dict))


def _with_rest(key: tuple[Any, ...], training: Samples, validation: Samples | None) -> tuple[Any, ...]:
    """Return the key under which a program with a second body is kept: that body has one size."""
    return (*key, training.n_short, validation.n_short if validation is not None else 0)


def _find(key: tuple[Any, ...], training: Samples, validation: Samples | None) -> Program | None:
    for candidate in (key, _with_rest(key, training, validation)):
        if candidate in _programs:
            _programs.move_to_end(candidate)
            return _programs[candidate][0]
    return None


def _keep(
    model: Any, program: Program, key: tuple[Any, ...], training: Samples, validation: Samples | None
) -> None:
    global _compiled
    _compiled += 1
    if program.short is programs.ShortBatch.SECOND:
        key = _with_rest(key, training, validation)
    tracker = None
    if key[0] == "model":
        # The tracker is new with each `model.compile`; holding it keeps its id from being given away.
        tracker = model._loss_tracker
        weakref.finalize(model, _programs.pop, key, None)
    _programs[key] = (program, tracker)
    while len(_programs) > CAPACITY:
        _programs.popitem(last=False)
