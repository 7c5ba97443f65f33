"""A space of pure Python: the loss is a formula.

`CURVE_EPOCH_SECONDS` makes an epoch take time; `CURVE_FAILS` and `CURVE_DIVERGES` name values of `k` that
raise or turn NaN.
"""

import os
import time

import numpy as np

from tuning import Data, SearchSpace


def loss_of(values, epoch):
    """Return the loss of a configuration after an epoch."""
    return (values["a"] - 0.3) ** 2 + values["b"] / 10 + values["c"] + 1 / (epoch + 1)


class Curve(SearchSpace):
    """Searches a formula with a float, an int, a choice, and a log float asked for in `fit`."""

    name = "curve"
    objective = "val_loss"

    def build(self, hp):
        return {"a": hp.Float("a", 0, 1), "b": hp.Int("b", 1, 9), "k": hp.Choice("k", ["x", "y", "z"])}

    def fit(self, hp, model, x, *, epochs, initial_epoch=0, callbacks=(), **_):
        values = {**model, "c": hp.Float("c", 1e-3, 1, sampling="log")}
        if values["k"] in os.environ.get("CURVE_FAILS", "").split(","):
            raise ValueError(f"k={values['k']} cannot be trained")
        for epoch in range(initial_epoch, epochs):
            time.sleep(float(os.environ.get("CURVE_EPOCH_SECONDS", "0")))
            loss = loss_of(values, epoch)
            if epoch and values["k"] in os.environ.get("CURVE_DIVERGES", "").split(","):
                loss = float("nan")
            if any(callback.on_epoch_end(epoch, {"val_loss": loss}) for callback in callbacks):
                break

    def load_data(self):
        return Data(np.arange(3.0))
