"""The space of the golden studies: pure Python, and never changed, because studies are stored that searched it.

Its losses depend on the values, the data of the fold, and the seed of the repeat. Some configurations raise.
"""

import random

import numpy as np

from tuning import Data, SearchSpace


class Formula(SearchSpace):
    """Searches a float, a stepped float, an int, and a choice that decides about a log float, asked for in `fit`."""

    name = "formula"
    objective = "val_loss:min"

    def build(self, hp):
        values = {"a": hp.Float("a", 0, 1), "step": hp.Float("step", 0.1, 0.5, step=0.1), "b": hp.Int("b", 1, 9)}
        return {**values, "k": hp.Choice("k", ["x", "y", "z"])}

    def fit(self, hp, model, x, y=None, *, validation_data=None, epochs, initial_epoch=0, callbacks=(), **_):
        rate = hp.Float("c", 1e-3, 1, sampling="log") if model["k"] == "x" else 0.1
        if model["k"] == "z" and model["b"] > 7:
            raise ValueError(f"b={model['b']} cannot be trained")
        noise = random.random() / 100
        for epoch in range(initial_epoch, epochs):
            loss = (model["a"] - 0.3) ** 2 + model["b"] / 10 + rate * model["step"] + 1 / (epoch + 1)
            metrics = {"loss": loss, "val_loss": loss + float(np.mean(x)) / 100 + noise}
            metrics["val_size"] = float(10 - model["b"]) / (epoch + 2)
            metrics["ratio"] = float("inf") if epoch == 0 else 1 / epoch
            if any(callback.on_epoch_end(epoch, metrics) for callback in callbacks):
                break

    def load_data(self):
        return Data(np.arange(12.0), np.arange(12.0))
