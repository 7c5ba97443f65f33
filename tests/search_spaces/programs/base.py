"""What a program is, and the arrays that most of them train on.

Spaces and functions that return data stand at the top of their modules, so that worker processes find them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from keras import layers

ROWS, HELD = 48, 17  # the last batch of either is a short one
X = np.random.default_rng(0).normal(size=(ROWS + HELD, 4)).astype("float32")
Y = (X[:, :1] - 0.5 * X[:, 1:2]).astype("float32")
CLASSES = X[:, :3].argmax(1)


def parts(*arrays: Any) -> dict[str, Any]:
    """Return the first rows to train on, and the others to validate on."""
    first = tuple(keras.tree.map_structure(lambda a: a[:ROWS], array) for array in arrays)
    held = tuple(keras.tree.map_structure(lambda a: a[ROWS:], array) for array in arrays)
    return dict(zip(("x", "y", "sample_weight"), first, strict=False)) | {"validation_data": held}


@dataclass(frozen=True)
class Program:
    """What is searched.

    Attributes:
        space: a build function or a space.
        given: arguments of `search`: data, and what `fit` gets besides.
        objective: what decides.
        evaluates: whether `evaluate` on the data as they were given measures the objective.
        compiles: whether its epochs can be compiled.
        draws: whether it draws random numbers while it trains, which are others when compiled.
    """

    space: Any
    given: dict[str, Any] = field(default_factory=lambda: parts(X, Y))
    objective: str = "val_loss"
    evaluates: bool = True
    compiles: bool = True
    draws: bool = False


def compiled(model: Any, loss: Any = "mse", optimizer: Any = "adam", **options: Any) -> Any:
    model.compile(optimizer, loss, **options)
    return model


def dense(hp: Any, n_outputs: int = 1, activation: str | None = None) -> list[Any]:
    return [layers.Dense(hp.Int("units", 2, 6), activation="relu"), layers.Dense(n_outputs, activation)]


WEIGHTS = np.linspace(0.5, 2, ROWS + HELD).astype("float32")
