"""A model as it is handled around its training: built, restored, its state taken and given back.

Owns what can be done with any model that a space builds. Keras is imported only where there is a model of it.
"""

from __future__ import annotations

import sys
from typing import Any

from tuning.errors import one_line
from tuning.training import checkpoints
from tuning.training.messages import Task


def is_keras_model(model: Any) -> bool:
    """Tell whether `model` is a Keras model, without importing Keras."""
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(model, keras.Model)


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


def restore(model: Any, x: Any, task: Task) -> bool:
    """Load the checkpoint to start from; tell whether that worked."""
    path = checkpoints.epoch_path(str(task.folder), task.stem, task.trained)
    try:
        if task.best is not None and not checkpoints.best_path(str(task.folder), task.stem).is_file():
            raise FileNotFoundError("the weights of its best epoch are missing")
        ensure_built(model, x)
        checkpoints.restore(model, path)
    except Exception as error:  # whatever can be wrong with a file
        print(
            f"trial {task.run.number}: the checkpoint {path.name} could not be read ({one_line(error)}); "
            "the trial starts again from epoch 0",
            file=sys.stderr,
        )
        return False
    return True


def state_of(model: Any) -> list[Any]:
    """Return copies of a model's weights and of its optimizer's state."""
    from keras import ops

    return [ops.convert_to_numpy(variable) for variable in _variables(model)]


def assign(model: Any, state: list[Any]) -> None:
    """Give a model the state that `state_of` returned."""
    for variable, value in zip(_variables(model), state, strict=True):
        variable.assign(value)


def _variables(model: Any) -> list[Any]:
    optimizer = getattr(model, "optimizer", None)
    return [*model.weights, *(optimizer.variables if optimizer is not None else ())]
