"""California housing with everything that is usually tuned of a multilayer perceptron.

Data: California housing, from scikit-learn's cache or download
Task, data and model are those of `california_housing`. Besides layers, learning rate and loss this searches up to 300
units, the activation, the initializer, dropout, five optimizers with momentum or weight decay, and batch sizes from 16
to 256.

Reference figures (RMSE), besides those of `california_housing`, whose space this one contains but for the default of
the momentum:

    Optuna, 60 trials x 40 epochs, annealed: 3 layers of 201, gelu, dropout 0.2, Nadam    validation 0.4851, test 0.5002
    4 layers of 300, gelu, dropout 0.2, Nadam at 0.006, batches of 64, huber loss,
    annealed over 80 epochs                                                               validation 0.4730, test 0.4804

The test figures are means over three seeds, of `tune finalize --seeds 3`.
"""

from __future__ import annotations

from typing import Any

from search_spaces import _mlp, california_housing
from search_spaces.california_housing import CaliforniaHousing

BATCH_SIZES = (16, 32, 64, 128, 256)


def build_model(hp: Any, n_features: int = 8) -> Any:
    """Return a compiled regressor; see `california_housing.build_model`.

    Args:
        hp: asked for `n_hidden`, `n_neurons`, `activation`, `initializer`, `dropout`, `learning_rate`, `optimizer` and
            `loss`; with SGD for `momentum`, with AdamW for `weight_decay`.
        n_features: number of columns of the input.
    """
    hidden = _mlp.any_hidden_layers(hp, hp.Int("n_hidden", 1, 5, default=3), 10, 300, default=50)
    return california_housing.regressor(hidden, _mlp.any_optimizer(hp), hp.Choice("loss", ["mse", "huber"]), n_features)


def fit_model(hp: Any, model: Any, x: Any, y: Any = None, **kwargs: Any) -> Any:
    """Train `model` in batches of the size that `hp` says; see `california_housing.fit_model`."""
    kwargs["batch_size"] = _mlp.batch_size(hp, kwargs, BATCH_SIZES)
    return california_housing.fit_model(model, x, y, **kwargs)


class CaliforniaHousingFull(CaliforniaHousing):
    """California housing with the larger space; the objective is the least RMSE on the validation split."""

    name = "california_housing_full"

    def build(self, hp: Any) -> Any:
        return build_model(hp)

    def fit(self, hp: Any, model: Any, x: Any, y: Any = None, **kwargs: Any) -> Any:
        return fit_model(hp, model, x, y, **kwargs)


space = CaliforniaHousingFull()
