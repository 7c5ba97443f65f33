"""Says whether a run is long enough for its epochs to be compiled by XLA.

Owns what compiling is expected to cost, in batches: a batch that XLA has compiled saves so much time that a layer is
paid for after so many. The answer depends on the model and on the run alone, not on what a process has compiled before,
so that a run is trained in the same way wherever and whenever it is.
"""

from __future__ import annotations

from typing import Any

import keras

from tuning.compiled import backends, eligibility, private

BATCHES_PER_LAYER = 100
"""After so many batches for each layer, what XLA saves is more than compiling takes: `scripts/benchmark.py --only
breadth` measures it, between 70 (recurrent layers) and 350 (three small dense ones)."""


def too_short(model: Any, n_batches: int) -> str | None:
    """Return why a run of so many batches is better not compiled by XLA, or None.

    Args:
        model: what is trained.
        n_batches: of training and validation, in all epochs of the run.
    """
    if backends.name() != "tensorflow" or eligibility.has_accelerator():
        return None
    layers = list(private.of(model, "flatten_layers")(include_self=False))
    n_layers = sum(not isinstance(layer, keras.layers.InputLayer) for layer in layers)
    least = BATCHES_PER_LAYER * n_layers
    if n_batches >= least:
        return None
    return f"XLA would pay from {least} batches on, and the run has {n_batches}"
