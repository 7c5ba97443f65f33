"""Every kind of model that the benchmark times is trained to the numbers of `model.fit`, by XLA and traced only.

On JAX, with KERAS_BACKEND=jax, XLA compiles them all but convolutions and data in batches, which are Keras's there.
"""

import keras
import numpy as np
import pytest

from scripts.breadth_models import BREADTH
from tests.tuning.compiled import cases
from tuning import compiled
from tuning.compiled import worthwhile

N = 75
"""Two whole batches and a short one."""
QUICK = ("wide",) if cases.BACKEND == "jax" else ("small_sequence",)


def trained(fit, row):
    keras.utils.set_random_seed(1)
    model = row.build()
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0  # XLA draws other masks
    model.compile(**row.compiling())
    history = fit(model, **row.arguments(N), epochs=2, shuffle=False, verbose=0).history
    return history, model


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.medium if name in QUICK else pytest.mark.slow) for name in BREADTH]
)
def test_weights_and_logs_are_those_of_keras(name, monkeypatch):
    row = BREADTH[name]
    theirs, one = trained(keras.Model.fit, row)
    is_traced_too = cases.BACKEND == "tensorflow"
    for least in (0, 10**6) if is_traced_too else (0,):
        monkeypatch.setattr(worthwhile, "BATCHES_PER_LAYER", least)
        ours, other = trained(compiled.fit, row)
        report = compiled.last_report(other)
        is_ours = is_traced_too or (row.pieces is None and not name.startswith("conv"))
        assert report.compiled == is_ours and (report.reason is None) == (is_ours and least == 0), report
        assert cases.largest_difference(one.get_weights(), other.get_weights()) < 1e-5
        assert theirs.keys() == ours.keys()
        for metric, values in theirs.items():
            np.testing.assert_allclose(ours[metric], values, rtol=1e-4, atol=1e-4, err_msg=metric)
