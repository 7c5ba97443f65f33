"""What a trained model costs: parameters, memory, and the time of a prediction.

Owns how each is measured, which is the same for every model of a study.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from typing import Any

from tuning.data import n_samples
from tuning.data.folds import rows_of
from tuning.training.models import comes_in_batches, fixed_batch, one_sample

PREDICTED = (1, 1000)
"""Sizes of the batches whose prediction is timed, in samples."""
WARM_UP, REPEATS = 3, 20
"""Predictions before the first that is timed, and timed ones, of each size."""


def measured(model: Any, x: Any, wanted: Sequence[str], epoch_seconds: Sequence[float]) -> dict[str, float]:
    """Measure what is wanted of a trained Keras model.

    Args:
        model: the trained model.
        x: what it was trained on, as `model.fit` got it.
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
        size = fixed_batch(model)
        sizes = PREDICTED if size is None else (size,)
        found["predict_ms"] = statistics.fmean(predict_ms(model, x, size) for size in sizes)
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
    import numpy as np

    return int(np.prod(weight.shape, dtype=int)) * np.dtype(str(weight.dtype)).itemsize


def _batch(x: Any, size: int) -> Any:
    """Return `size` samples of `x`, repeated where there are fewer, as arrays."""
    import keras
    import numpy as np

    x = one_sample(x) if comes_in_batches(x) else x
    return keras.tree.map_structure(_as_array, rows_of(x, np.arange(size) % n_samples(x)))


def _as_array(part: Any) -> Any:
    if hasattr(part, "toarray"):  # a sparse matrix of SciPy
        return part.toarray()
    return part.to_numpy("float32") if hasattr(part, "iloc") else part
