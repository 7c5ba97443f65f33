"""California housing: the median house value of a block group, by a multilayer perceptron.

Data: California housing, from scikit-learn's cache or download
Task: predict float32 [n] house values, in 100,000 dollars, from float32 [n, 8] features; 11,610 training,
3,870 validation and 5,160 test samples. The model is Normalization, hidden ReLU layers, one output.

Reference figures (RMSE):

    scikit-learn's MLPRegressor, layers of 50, 50, 50    validation 0.5053
    Keras, layers of 50, 50, 50, Adam, 20 epochs         test 0.5332
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from search_spaces import _mlp
from search_spaces.data import california_housing as load_california_housing
from tuning.data import Data
from tuning.space import SearchSpace


def build_model(hp: Any, n_features: int = 8) -> Any:
    """Return a compiled regressor.

    Its Normalization layer changes nothing until `fit_model` adapts it: the data are not known here.

    Args:
        hp: asked for `n_hidden`, `n_neurons`, `learning_rate`, `optimizer` and `loss`.
        n_features: number of columns of the input.

    Returns:
        A `keras.Model` that maps [n, n_features] to [n, 1]; its metric is `rmse`.
    """
    n_hidden = hp.Int("n_hidden", 1, 5, default=3)
    n_neurons = hp.Int("n_neurons", 10, 100, default=50)
    hidden = _mlp.hidden_layers(n_hidden, n_neurons)
    return regressor(hidden, _mlp.optimizer(hp), hp.Choice("loss", ["mse", "huber"]), n_features)


def regressor(hidden: Sequence[Any], optimizer: Any, loss: str, n_features: int) -> Any:
    """Return a compiled regressor with these hidden layers, and a Normalization layer before them."""
    import keras

    model = keras.Sequential([keras.Input((n_features,)), keras.layers.Normalization(), *hidden, keras.layers.Dense(1)])
    model.compile(optimizer, loss, metrics=[keras.metrics.RootMeanSquaredError(name="rmse")])
    return model


def fit_model(model: Any, x: Any, y: Any = None, **kwargs: Any) -> Any:
    """Train `model`; its Normalization layer first learns the training split's statistics, in every trial.

    Args:
        model: what `build_model` returned.
        x: training features, [n, n_features].
        y: targets, [n].
        **kwargs: handed on to `model.fit`; its `validation_data` goes through the same layer.
    """
    _mlp.adapt(model, x)
    return model.fit(x, y, **kwargs)


class CaliforniaHousing(SearchSpace):
    """California housing; the objective is the least RMSE on the validation split."""

    name = "california_housing"
    objective = "val_rmse:min"
    scale_targets = True
    patience = _mlp.PATIENCE

    def build(self, hp: Any) -> Any:
        return build_model(hp)

    def fit(self, hp: Any, model: Any, x: Any, y: Any = None, **kwargs: Any) -> Any:
        return fit_model(model, x, y, **kwargs)

    def load_data(self) -> Data:
        return load_california_housing()

    def load_baseline_data(self) -> Data:
        return load_california_housing("float64")


space = CaliforniaHousing()
