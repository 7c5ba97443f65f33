"""A space of scikit-learn's Ridge on its diabetes data, whose standardisation belongs to the training part.

Epochs are made up: each lowers the error by a thousandth. `RIDGE_EPOCH_SECONDS` makes them take time. A fold with
`RIDGE_FAILS` training rows raises, one with `RIDGE_DIVERGES` turns NaN, and the alpha
`RIDGE_FAILS_ALPHA` raises.
"""

import os
import time

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.metrics import root_mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tuning import Data, SearchSpace


def regressor(values):
    """Return what a trial trains."""
    return make_pipeline(StandardScaler(), Ridge(values["alpha"], fit_intercept=values["fit_intercept"]))


class RidgeSpace(SearchSpace):
    """Searches the strength of the penalty and whether there is an intercept."""

    name = "ridge"
    objective = "val_rmse:min"

    def build(self, hp):
        values = {"alpha": hp.Float("alpha", 1e-2, 1e3, sampling="log", default=1.0)}
        return {**values, "fit_intercept": hp.Boolean("fit_intercept", default=True)}

    def fit(self, hp, model, x, y, *, validation_data, epochs, initial_epoch=0, callbacks=(), **_):
        if len(x) == int(os.environ.get("RIDGE_FAILS", "0")):
            raise ValueError(f"{len(x)} rows are too few")
        if model["alpha"] == float(os.environ.get("RIDGE_FAILS_ALPHA", "nan")):
            raise ValueError("this alpha is not to be trained")
        x_val, y_val = validation_data[:2]
        error = root_mean_squared_error(y_val, regressor(model).fit(x, y).predict(x_val))
        for epoch in range(initial_epoch, epochs):
            time.sleep(float(os.environ.get("RIDGE_EPOCH_SECONDS", "0")))
            value = error - 0.001 * epoch
            if epoch and len(x) == int(os.environ.get("RIDGE_DIVERGES", "0")):
                value = float("nan")
            metrics = {"val_rmse": value, "rows": len(x), "pid": os.getpid(), "random": np.random.random()}
            if any(callback.on_epoch_end(epoch, metrics) for callback in callbacks):
                break

    def load_data(self):
        x, y = load_diabetes(return_X_y=True)
        return Data(x[:200], y[:200] / 100, (x[200:301], y[200:301] / 100))
