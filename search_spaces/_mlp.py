"""What the models of the bundled spaces share: hidden layers, optimizers, warm-up, batch sizes, normalisation.

Owns the hyperparameters `learning_rate`, `optimizer` with what belongs to it, and `batch_size`, and how a
Normalization layer that is part of the model gets its statistics. Losses, outputs, training and data belong to the
spaces. Keras is imported inside the functions, so that listing the spaces does not load TensorFlow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

PATIENCE = 5
"""Epochs without a better objective after which a run of a bundled space ends early."""

NORMALIZATION = "_normalization"
"""Ends the name of the layer that normalises one of several inputs; the input's name comes before it."""


def hidden_layers(
    n_layers: int,
    n_neurons: int,
    activation: str = "relu",
    initializer: str = "glorot_uniform",
    dropout: float = 0.0,
) -> list[Any]:
    """Return `n_layers` dense layers of `n_neurons` units, each followed by dropout where its rate is not 0."""
    import keras

    layers: list[Any] = []
    for _ in range(n_layers):
        layers.append(keras.layers.Dense(n_neurons, activation=activation, kernel_initializer=initializer))
        if dropout > 0:
            layers.append(keras.layers.Dropout(dropout))
    return layers


def any_hidden_layers(hp: Any, n_layers: int, least: int, most: int, default: int) -> list[Any]:
    """Return `n_layers` dense layers of `least` to `most` units, with what is usually tuned of them.

    `hp` is asked for `n_neurons`, `activation`, `initializer` and `dropout`.
    """
    return hidden_layers(
        n_layers,
        hp.Int("n_neurons", least, most, default=default),
        hp.Choice("activation", ["relu", "leaky_relu", "elu", "selu", "gelu", "silu", "tanh"]),
        hp.Choice("initializer", ["glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_normal"]),
        hp.Float("dropout", 0.0, 0.5, step=0.1, default=0.0),
    )


def optimizer(hp: Any) -> Any:
    """Return SGD or Adam with the learning rate that `hp` says; by default Keras's SGD."""
    import keras

    learning_rate = hp.Float("learning_rate", 1e-4, 1e-2, sampling="log", default=1e-2)
    kinds = {"sgd": keras.optimizers.SGD, "adam": keras.optimizers.Adam}
    return kinds[hp.Choice("optimizer", list(kinds))](learning_rate=learning_rate)


def any_optimizer(hp: Any) -> Any:
    """Return one of five optimizers; momentum is asked for with SGD alone, and weight decay with AdamW alone."""
    import keras

    kinds = {
        "sgd": keras.optimizers.SGD,
        "rmsprop": keras.optimizers.RMSprop,
        "adam": keras.optimizers.Adam,
        "adamw": keras.optimizers.AdamW,
        "nadam": keras.optimizers.Nadam,
    }
    options = {"learning_rate": hp.Float("learning_rate", 1e-5, 1e-1, sampling="log", default=1e-2)}
    kind = hp.Choice("optimizer", list(kinds))
    # Choices rather than ranges: trials with equal values share a compiled program.
    with hp.conditional_scope("optimizer", ["sgd"]):
        momentum = hp.Choice("momentum", [0.0, 0.5, 0.8, 0.9, 0.95, 0.99], default=0.9)
    with hp.conditional_scope("optimizer", ["adamw"]):
        weight_decay = hp.Choice("weight_decay", [1e-4, 4e-4, 1e-3, 4e-3, 1e-2, 4e-2], default=4e-3)
    if kind == "sgd":
        options["momentum"] = momentum
    if kind == "adamw":
        options["weight_decay"] = weight_decay
    return kinds[kind](**options)


def warm_up(learning_rate: float, n_epochs: int) -> list[Any]:
    """Return the callbacks that raise the learning rate in equal steps, to its full value after `n_epochs` epochs.

    It is set at the beginning of an epoch and depends on the epoch's number alone, so a trial that is continued
    goes on where it was. Afterwards the rate is left to whoever else sets it.
    """
    import keras

    def rate(epoch: int, now: float) -> float:
        return now if epoch > n_epochs else learning_rate * (epoch + 1) / (n_epochs + 1)

    return [keras.callbacks.LearningRateScheduler(rate)] if n_epochs else []


def batch_size(hp: Any, kwargs: Mapping[str, Any], sizes: Sequence[int], default: int = 32) -> int:
    """Return the batch size that `hp` says, or the caller's, which is then no hyperparameter."""
    given = kwargs.get("batch_size")
    return int(hp.Choice("batch_size", list(sizes), default=default) if given is None else given)


def adapt(model: Any, x: Any, least_std: float = 0.0) -> None:
    """Give the Normalization layers of `model` the means and variances of the training inputs.

    Until then such a layer changes nothing, so a model that was only built works too. The statistics are
    weights: they are saved with the model and apply to whatever it is evaluated on.

    Args:
        model: a built model.
        x: inputs of the training split, and of nothing else; with several inputs a mapping, each of whose keys is
            the beginning of the name of its layer, which ends in `NORMALIZATION`.
        least_std: a feature whose standard deviation is smaller counts as varying by so much. Without it, a
            pixel that is 0 in nearly all training images and bright in a new one enters the model as a number
            in the thousands or millions.
    """
    import keras

    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.adapt(x[layer.name.removesuffix(NORMALIZATION)] if isinstance(x, Mapping) else x)
            if least_std > 0:
                layer.adapt_variance.assign(keras.ops.maximum(layer.adapt_variance, least_std**2))
                layer.finalize_state()
    # The statistics are constants in a function that Keras has traced already (by an `evaluate` before `fit`,
    # or by a `fit` on other data), and would stay the old ones there. Keras traces anew what is None.
    model.train_function = model.test_function = model.predict_function = None
