"""A model as it is handled around its training: built, restored, its state taken and given back.

Owns what can be done with any model that a space builds. Keras is imported only where there is a model of it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuning.data import Data
from tuning.errors import one_line
from tuning.training import checkpoints
from tuning.training.messages import Task
from tuning.training.shapes import is_keras_model

__all__ = [
    "State",
    "assign",
    "comes_in_batches",
    "ensure_built",
    "fixed_batch",
    "is_keras_model",
    "one_batch",
    "one_sample",
    "restore",
    "state_of",
]


def ensure_built(model: Any, x: Any) -> None:
    """Create the weights of a model that builds itself on its first batch."""
    if not getattr(model, "built", True):
        model(one_sample(x))


def one_sample(x: Any, size: int = 1) -> Any:
    """Return the inputs of one sample, or of `size`, as a batch; or a whole batch, of data that come in batches."""
    import keras

    if comes_in_batches(x):
        first = _first_batch(x)
        return first[0] if isinstance(first, (tuple, list)) else first
    return keras.tree.map_structure(lambda a: _first_rows(a, size), x)


def _first_rows(array: Any, size: int) -> Any:
    if hasattr(array, "tocsr"):  # a model is called with arrays
        return array.tocsr()[:size].toarray()
    return array.iloc[:size] if hasattr(array, "iloc") else array[:size]


def fixed_batch(model: Any) -> int | None:
    """Return the only size of batches that a model takes; None where it takes any."""
    import keras

    sizes = [tensor.shape[0] for tensor in keras.tree.flatten(getattr(model, "inputs", None) or [])]
    return sizes[0] if sizes else None


def one_batch(data: Data, size: int = 1) -> dict[str, Any]:
    """Return so many samples, as arguments of `model.evaluate`; or a whole batch, of data that come in batches."""
    if not comes_in_batches(data.x):
        x, y = (None if part is None else one_sample(part, size) for part in (data.x, data.y))
        return {"x": x, "y": y, "batch_size": size}
    first = _first_batch(data.x)
    return dict(zip(("x", "y", "sample_weight"), first if isinstance(first, tuple) else (first,), strict=False))


def _first_batch(x: Any) -> Any:
    return x[0] if hasattr(x, "__getitem__") else next(iter(x))


def comes_in_batches(x: Any) -> bool:
    """Tell whether x is a dataset, a sequence of batches, or anything else that yields them."""
    if hasattr(x, "shape") or isinstance(x, (Mapping, list, tuple)):
        return False
    return hasattr(x, "__iter__") or hasattr(x, "__getitem__")


def restore(model: Any, x: Any, task: Task) -> str | None:
    """Load the checkpoint to start from; return why that did not work, or None."""
    path = checkpoints.epoch_path(str(task.folder), task.stem, task.trained)
    try:
        if task.best is not None and not checkpoints.put_back(str(task.folder), task.stem, task.best_epoch):
            raise FileNotFoundError("the weights of its best epoch are missing")
        if checkpoints.shapes_in(path) is None:
            ensure_built(model, x)
        rate = _learning_rate(model) if task.changes else None
        checkpoints.restore(model, path)
        if rate is not None:
            model.optimizer.learning_rate = rate
    except Exception as error:  # whatever can be wrong with a file
        reason = f"the checkpoint {path.name} could not be read ({one_line(error)})"
        print(f"trial {task.run.number}: {reason}; the trial starts again from epoch 0", file=sys.stderr)
        return reason
    return None


def go_on_from(model: Any, other: Any, x: Any) -> None:
    """Give a freshly built model the weights and optimizer state of another one of its kind; its rate stays its own."""
    from keras import ops

    ensure_built(model, x)
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    rate = _learning_rate(model)
    mine, theirs = ([*one.weights, *one.optimizer.variables] for one in (model, other))
    for variable, value in zip(mine, theirs, strict=True):
        variable.assign(ops.convert_to_numpy(value))
    if rate is not None:
        model.optimizer.learning_rate = rate


def _learning_rate(model: Any) -> float | None:
    """Return the learning rate that a model was built with; None where it has a schedule of its own, or none."""
    try:
        rate = float(model.optimizer.learning_rate)
        model.optimizer.learning_rate = rate
    except (AttributeError, TypeError, ValueError):
        return None
    return rate


@dataclass(frozen=True)
class State:
    """What a model's variables held.

    Attributes:
        values: each variable with its value.
        optimizer: the model's then; `fit` may have compiled it anew since.
    """

    values: tuple[tuple[Any, Any], ...]
    optimizer: Any


def state_of(model: Any) -> State:
    """Return copies of a model's weights and of its optimizer's state."""
    from keras import ops

    optimizer = getattr(model, "optimizer", None)
    variables = [*model.weights, *(optimizer.variables if optimizer is not None else ())]
    return State(tuple((variable, ops.convert_to_numpy(variable)) for variable in variables), optimizer)


def assign(model: Any, state: State) -> None:
    """Give a model the state that `state_of` returned."""
    for variable, value in state.values:
        variable.assign(value)
    if getattr(model, "optimizer", None) is not state.optimizer:
        model.optimizer = state.optimizer
