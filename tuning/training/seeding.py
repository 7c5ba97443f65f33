"""The random generators around a training.

Owns that everything a training may draw from is seeded, and that the caller's generators are left as they were.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator

from tuning.compiled import private


@contextlib.contextmanager
def generators_kept() -> Iterator[None]:
    """Leave Python's and NumPy's own random generators as they were."""
    import numpy as np

    python_state, numpy_state = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)


def seed_everything(seed: int, uses_keras: bool) -> None:
    """Seed everything that training may draw from; Keras only where it is used."""
    import numpy as np

    if uses_keras:
        seed_keras(seed)
    else:
        random.seed(seed)
        np.random.seed(seed)


def seed_keras(seed: int) -> None:
    """Call `keras.utils.set_random_seed`, which would import TensorFlow whatever Keras runs on."""
    import keras

    with private.without_tensorflow():
        keras.utils.set_random_seed(seed)
