"""California housing by a wide and deep model: two inputs, two outputs, Keras's functional API.

Data: California housing, from scikit-learn's cache or download
Task: predict the house values of `california_housing`. Features 0 to 4 go wide, straight to the output; features 2
to 7 go deep, through hidden ReLU layers. Each input has its own Normalization. The main output sees both paths; an
auxiliary output on the deep path is trained on the same targets and takes the share `auxiliary_weight` of the loss.
x is a dict of float32 [n, 5] `wide` and [n, 6] `deep`, y one of float32 [n] `main` and `auxiliary`. The objective is
the main output's metric; `--objective val_auxiliary_rmse` picks the other.

Reference figures (RMSE on the test split, 2 hidden layers of 30, Adam 0.001, 20 epochs), published:

    main output alone                         0.570
    with the auxiliary output, weight 0.1     0.574; measured here 0.571 (validation 0.560)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from search_spaces import _mlp
from search_spaces.data import california_housing as load_california_housing
from tuning.data import Data
from tuning.space import SearchSpace

FEATURES = {"wide": slice(0, 5), "deep": slice(2, 8)}
N_FEATURES = {name: columns.stop - columns.start for name, columns in FEATURES.items()}
OUTPUTS = ("main", "auxiliary")


def build_model(hp: Any) -> Any:
    """Return a compiled model of {"wide": [n, 5], "deep": [n, 6]} with outputs "main" and "auxiliary", [n, 1] each.

    Args:
        hp: asked for `n_hidden`, `n_neurons`, `learning_rate` and `auxiliary_weight`.
    """
    import keras

    n_hidden, n_neurons = hidden(hp)
    inputs = {name: keras.Input((n,), name=name) for name, n in N_FEATURES.items()}
    wide, deep = (
        keras.layers.Normalization(name=f"{name}{_mlp.NORMALIZATION}")(tensor) for name, tensor in inputs.items()
    )
    for layer in _mlp.hidden_layers(n_hidden, n_neurons):
        deep = layer(deep)
    main = keras.layers.Dense(1, name="main")(keras.layers.concatenate([wide, deep]))
    auxiliary = keras.layers.Dense(1, name="auxiliary")(deep)
    return compiled(hp, keras.Model(inputs, {"main": main, "auxiliary": auxiliary}))


def hidden(hp: Any) -> tuple[int, int]:
    """Return the number of hidden layers of the deep path, and their width."""
    return hp.Int("n_hidden", 1, 5, default=2), hp.Int("n_neurons", 10, 100, default=30)


def compiled(hp: Any, model: Any) -> Any:
    """Compile a model with outputs "main" and "auxiliary"; return it."""
    import keras

    share = hp.Float("auxiliary_weight", 0.0, 0.3, step=0.05, default=0.1)
    model.compile(
        optimizer=keras.optimizers.Adam(hp.Float("learning_rate", 1e-4, 1e-2, sampling="log", default=1e-3)),
        loss=dict.fromkeys(OUTPUTS, "mse"),
        loss_weights={"main": 1 - share, "auxiliary": share},
        metrics={name: [keras.metrics.RootMeanSquaredError(name="rmse")] for name in OUTPUTS},
    )
    return model


def fit_model(model: Any, x: Mapping[str, Any], y: Any = None, **kwargs: Any) -> Any:
    """Train `model`; each of its Normalization layers first learns the statistics of its own input."""
    _mlp.adapt(model, x)
    return model.fit(x, y, **kwargs)


def load_data() -> Data:
    """Return California housing with the features and targets by the names of inputs and outputs."""
    whole = load_california_housing()
    return Data(
        *_by_name(whole.x, whole.y),
        _by_name(*whole.validation),
        name=whole.name,
        target_names=whole.target_names,
        load_test=_load_test,
    )


def _load_test() -> tuple[Any, Any]:
    load = load_california_housing().load_test
    return _by_name(*load()) if load is not None else (None, None)


def _by_name(x: Any, y: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    return {name: x[:, columns] for name, columns in FEATURES.items()}, dict.fromkeys(OUTPUTS, y)


class CaliforniaWideDeep(SearchSpace):
    """Wide and deep; the objective is the least RMSE of the main output on the validation split."""

    name = "california_wide_deep"
    objective = "val_main_rmse:min"
    patience = _mlp.PATIENCE

    def build(self, hp: Any) -> Any:
        return build_model(hp)

    def fit(self, hp: Any, model: Any, x: Any, y: Any = None, **kwargs: Any) -> Any:
        return fit_model(model, x, y, **kwargs)

    def load_data(self) -> Data:
        return load_data()


space = CaliforniaWideDeep()
