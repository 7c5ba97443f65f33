"""Diabetes progression: California housing's model on data that comes with scikit-learn.

Data: diabetes, bundled with scikit-learn
Task: predict float32 [n], the progression after a year in hundreds of the published score, from float32
[n, 10] features; 248 training, 83 validation and 111 test samples. Nothing is downloaded, and a trial takes
seconds.

Reference figures (RMSE on the validation split, layers of 50, 50, 50, 20 epochs, MSE):

    SGD 0.01               0.625
    Adam 0.001             0.633
    always the mean        0.779
"""

from __future__ import annotations

from typing import Any

from search_spaces import _mlp, california_housing
from search_spaces.data import diabetes as load_diabetes
from tuning.data import Data
from tuning.space import SearchSpace


def build_model(hp: Any) -> Any:
    """Return a compiled regressor that maps [n, 10] to [n, 1]."""
    return california_housing.build_model(hp, n_features=10)


class Diabetes(SearchSpace):
    """Diabetes progression; the objective is the least RMSE on the validation split."""

    name = "diabetes"
    objective = "val_rmse:min"
    scale_targets = True
    patience = _mlp.PATIENCE

    def build(self, hp: Any) -> Any:
        return build_model(hp)

    def fit(self, hp: Any, model: Any, x: Any, y: Any = None, **kwargs: Any) -> Any:
        return california_housing.fit_model(model, x, y, **kwargs)

    def load_data(self) -> Data:
        return load_diabetes()


space = Diabetes()
