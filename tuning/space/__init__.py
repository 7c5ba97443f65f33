"""Search spaces: hyperparameters described once, and the `SearchSpace` that builds and trains with them.

`hyperparameters` is the `hp` object that `build(hp)` and `fit(hp, model, ...)` receive (what it describes are
records of the room `tuning.hyperparameters`); `search_space` is the class that people subclass; `resolve` finds a
space by name, module or file; `bound` tells a space about the data. Nothing here imports TensorFlow, Keras or
KerasTuner.
"""

from tuning.space.bound import BoundSpace
from tuning.space.hyperparameters import HyperParameters, active_values
from tuning.space.resolve import bundled_spaces, resolve
from tuning.space.search_space import SearchSpace, as_space

__all__ = [
    "BoundSpace",
    "HyperParameters",
    "SearchSpace",
    "active_values",
    "as_space",
    "bundled_spaces",
    "resolve",
]
