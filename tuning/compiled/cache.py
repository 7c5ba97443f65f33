"""Keeps compiled programs for as long as they may be of use.

Owns the programs of this process. Each model keeps its own until it is compiled anew, as Keras does with the
functions it has traced. Models of the same architecture and data of the same shape share one; of those, the
least recently used are dropped.

Dropping frees Python's side of a program only. The machine code stays in TensorFlow until the process ends,
and nothing that TensorFlow offers gives it back: 12 MB for three small layers, 27 MB for nine. Who trains
many architectures must start a new process now and then; `compiled_programs` says how many this one has made.
"""

from __future__ import annotations

import dataclasses
import itertools
import threading
import weakref
from collections import OrderedDict
from typing import Any

from tuning.compiled import backends
from tuning.compiled.architecture import key_of
from tuning.compiled.arrays import Samples
from tuning.compiled.backends import Program, ShortBatch
from tuning.compiled.state import flat, held

CAPACITY = 64
"""How many shared programs are kept, and at most an eighth as many for one model."""

Names = tuple[tuple[str, ...], tuple[str, ...]]


@dataclasses.dataclass(frozen=True)
class _Own:
    """A program that a model has used, for as long as Keras would use what it has traced."""

    token: Any
    program: Program
    names: Names

    def serves(self, model: Any) -> bool:
        return self.token() is model.train_function and self.program.fits(model)


_lock = threading.RLock()
_shared: OrderedDict[tuple[Any, ...], Program] = OrderedDict()
_own: weakref.WeakKeyDictionary[Any, OrderedDict[Any, _Own]] = weakref.WeakKeyDictionary()
_compiled = 0


def program_for(
    model: Any, training: Samples | None, validation: Samples | None, by_xla: bool = True
) -> tuple[Program, Names, bool]:
    """Return a program for `model`, the names of its metrics, and whether the program was there already.

    Args:
        model: built and compiled.
        training: samples to train on, or None.
        validation: samples to validate on, or None.
        by_xla: whether XLA is to compile it.

    Raises:
        CannotCompileError: the steps cannot be traced or compiled.
        NotWorthwhileError: they would be slower.
    """
    # Keras makes it where there is none, and drops it when the model is compiled or the user wants a new
    # trace.
    model.make_train_function()
    both = (training, validation)
    data = (*(samples.signature if samples is not None else None for samples in both), by_xla)
    rests = tuple(samples.n_short if samples is not None else 0 for samples in both)
    with _lock:
        own = _own.setdefault(model, OrderedDict())
        for key in (data, (*data, *rests)):
            if key in own and own[key].serves(model):
                own.move_to_end(key)
                return own[key].program, own[key].names, True
        return _shared_program(model, training, validation, data, rests)


def traced_programs() -> int:
    """Return how often the body of a training loop has been traced in this process."""
    return backends.current().n_traced()


def compiled_programs() -> int:
    """Return how many programs this process has compiled; the memory of their code is never freed."""
    return _compiled


def clear() -> None:
    """Drop all programs."""
    with _lock:
        _shared.clear()
        _own.clear()


def _shared_program(
    model: Any, training: Samples | None, validation: Samples | None, data: tuple[Any, ...], rests: tuple[int, ...]
) -> tuple[Program, Names, bool]:
    global _compiled
    structure = next(samples.structure for samples in (training, validation) if samples is not None)
    x = structure[0] if isinstance(structure, tuple) else structure
    architecture = key_of(model, x_is_named=isinstance(x, dict))
    numbers = tuple(held(backends.current().numbers_of(model)))
    # A second body for the last batch has one size; a program without serves all sizes. Where the numbers are arguments
    # of a program, it serves all numbers.
    for key, given in itertools.product((data, (*data, *rests)), ((), numbers)) if architecture is not None else ():
        program = _shared.get((architecture, key, given))
        if program is not None and program.fits(model):
            _shared.move_to_end((architecture, key, given))
            names = _names(model, program)
            _keep_own(model, key, program, names)
            return program, names, True
    trace = None if architecture is None else (architecture, *data, *rests)
    program = backends.current().compile_epoch(model, training, validation, data[2], trace)
    _compiled += 1
    key = (*data, *rests) if program.short is ShortBatch.SECOND else data
    _keep_own(model, key, program, program.names)
    if architecture is not None and not program.is_bound:
        shared_key = (architecture, key, () if program.takes_numbers else numbers)
        _shared[shared_key] = program
        while len(_shared) > CAPACITY:
            _shared.popitem(last=False)
    return program, program.names, False


def _keep_own(model: Any, key: Any, program: Program, names: Names) -> None:
    own = _own[model]
    # Only a weak reference: the function refers to the model.
    own[key] = _Own(weakref.ref(model.train_function), program, names)
    while len(own) > CAPACITY // 8:
        own.popitem(last=False)


def _names(model: Any, program: Program) -> Names:
    """Return what this model calls its metrics: Keras numbers names through the process ("auc_3")."""
    names = tuple(flat(model.get_metrics_result()))
    return names, names if program.names[1] else ()
