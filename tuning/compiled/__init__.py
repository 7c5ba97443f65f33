"""`fit` with the meaning of `keras.Model.fit`, in which an epoch is one compiled program.

Owns how a model's epochs are run, and nothing else: no trials, no searches, no checkpoints. Keras is
loaded when a name of this package is first used. What differs between TensorFlow and JAX is behind `backends`; what
follows is true of TensorFlow. On JAX a short last batch always has a body of its own, convolutions on a CPU and data
that come in batches are left to Keras, and indices are checked no more than Keras checks them there.

An epoch, training and validation, is one XLA program over arrays that stay on the device. It calls the
model's own `train_step` and `test_step`, so losses, metrics, several outputs, regularizers and custom steps
are Keras's own. All that varies is an argument of the program: the variables of the model, the statistics of
its `Normalization` layers, the numbers of its optimizer, regularizers, losses and dropout (see `numbers`), the arrays,
the order of the samples and their number. So one program serves all models of one architecture, whatever their learning
rate, momentum, dropout, seed or fold (see `architecture`), and nothing of a model is kept alive by it.

The short last batch
    XLA knows no arrays of unknown size, and a second body for the last batch costs half as much compilation
    again (California housing, 2 cores: 1.2 s instead of 0.8 s). It does know arrays whose size is at most a
    constant, and counts only their valid rows in sums, means, shapes and contractions. So the one body gets a
    batch that is declared to have `min(batch_size, rows left)` rows. That is exact also for
    BatchNormalization and for custom steps, but the masks that XLA inserts cost up to a fifth of an epoch's
    time. Where every layer treats each row by itself (the usual multilayer perceptron), the layers therefore
    see whole batches, the declaration is made for the model's outputs, and the surplus rows get no gradient:
    no cost is left. Not all operations count right (`x[-1]`, `ones_like`, `cumsum` do not), so a step with
    one that has not been checked gets the second body (see `short_batch`).

What cannot be compiled
    `fit` then calls `model.fit` and `last_report` says why: data that are not numbers, callbacks that look at
    single batches, `run_eagerly`, strategies of distribution, operations without an XLA kernel, and on a CPU
    those convolutions that are not written as products (see `convolutions`), which XLA trains up to twenty
    times slower than TensorFlow does. For arrays the program is compiled before the first callback is called,
    by running it over no rows, so a failure leaves no trace in the model. Of data that come in batches nothing
    is read before its epoch begins (see `batches`); there a failure means that they are trained one by one.
    An explicit `jit_compile=False` is respected where it can be told from the default; on a machine without
    an accelerator Keras turns "auto" into False as well, and the two are the same.

Runs that are too short
    Where XLA's compiling would cost more than it saves, TensorFlow runs what was traced (see `worthwhile`).

Differences from `model.fit` that remain
    Dropout and shuffling draw other random numbers, though the same ones for the same seed. The order of
    epoch e depends on the seed of `keras.utils.set_random_seed` and on e alone, so a training that is
    continued sees what an uninterrupted one sees. `TerminateOnNaN` acts at the end of an epoch. A progress
    bar moves once an epoch. As on an accelerator, an index out of range is no error: a label that is no class
    gives a loss of NaN, and an index beyond a table the table's last row. Where the data are such indices
    themselves, they are looked at before and left to Keras (see `indices`).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tuning.compiled.cache import clear, compiled_programs, traced_programs
    from tuning.compiled.fitting import FitReport, fit, last_report

_HOMES = {
    "FitReport": "tuning.compiled.fitting",
    "clear": "tuning.compiled.cache",
    "compiled_programs": "tuning.compiled.cache",
    "fit": "tuning.compiled.fitting",
    "last_report": "tuning.compiled.fitting",
    "traced_programs": "tuning.compiled.cache",
}

__all__ = ["FitReport", "clear", "compiled_programs", "fit", "last_report", "traced_programs"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tuning.compiled' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
