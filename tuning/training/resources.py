"""What a trained model costs: parameters, memory, and the time of a prediction.

Owns how each is measured, which is the same for every model of a study.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from typing import Any

PREDICTED = (1, 1000)
"""Sizes of the batches whose prediction is timed, in samples."""
WARM_UP, REPEATS = 3, 20
"""Predictions before the first that is timed, and timed ones, of each size."""


def measured(model: Any, x: Any, wanted: Sequence[str], epoch_seconds: Sequence[float]) -> dict[str, float]:
    """Measure what is wanted of a trained Keras model.

    Args:
        model: the trained model.
        x: what it was trained on: arrays, nested or not, or a `tf.data.Dataset` of batches.
        wanted: names in `tuning.records.objective.RESOURCES`.
        epoch_seconds: wall time of each epoch that was trained in this process, in seconds.
    """
    found: dict[str, float] = {}
    if "n_params" in wanted:
        found["n_params"] = int(model.count_params())
    if "model_bytes" in wanted:
        found["model_bytes"] = sum(_bytes(weight) for weight in model.weights)
    if "seconds_per_epoch" in wanted and epoch_seconds:
        # The first epoch compiles.
        found["seconds_per_epoch"] = statistics.median(epoch_seconds[1:] or epoch_seconds)
    if "predict_ms" in wanted:
        found["predict_ms"] = statistics.fmean(predict_ms(model, x, size) for size in PREDICTED)
    return found


def predict_ms(model: Any, x: Any, size: int) -> float:
    """Return the median time of predicting one batch of `size` samples, in milliseconds."""
    batch = _batch(x, size)
    for _ in range(WARM_UP):
        model.predict_on_batch(batch)
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        model.predict_on_batch(batch)
        times.append(time.perf_counter() - started)
    return 1000 * statistics.median(times)


def _bytes(weight: Any) -> int:
    import numpy

    return int(numpy.prod(weight.shape, dtype=int)) * numpy.dtype(str(weight.dtype)).itemsize


def _batch(x: Any, size: int) -> Any:
    """Return `size` samples of `x`, repeated where there are fewer."""
    import keras
    import numpy

    if hasattr(x, "take") and not hasattr(x, "shape"):  # a dataset of batches
        first = next(iter(x.take(1)))
        x = first[0] if isinstance(first, tuple) else first
    return keras.tree.map_structure(lambda array: numpy.resize(_first(array, size), (size, *array.shape[1:])), x)


def _first(array: Any, size: int) -> Any:
    import numpy

    return numpy.asarray(array[:size])
