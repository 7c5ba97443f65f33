"""What the multilayer perceptrons of the bundled spaces share: hidden layers, optimizer, normalisation.

Owns the hyperparameters `learning_rate` and `optimizer`, and how a Normalization layer that is part of the
model gets its statistics. Losses, outputs, training and data belong to the spaces. Keras is imported inside the
functions, so that listing the spaces does not load TensorFlow.
"""

from __future__ import annotations

from typing import Any


def hidden_layers(n_layers: int, n_neurons: int) -> list[Any]:
    """Return `n_layers` ReLU layers of `n_neurons` units."""
    import keras

    return [keras.layers.Dense(n_neurons, activation="relu") for _ in range(n_layers)]


def optimizer(hp: Any) -> Any:
    """Return SGD or Adam with the learning rate that `hp` says; by default Keras's SGD."""
    import keras

    learning_rate = hp.Float("learning_rate", 1e-4, 1e-2, sampling="log", default=1e-2)
    kinds = {"sgd": keras.optimizers.SGD, "adam": keras.optimizers.Adam}
    return kinds[hp.Choice("optimizer", list(kinds))](learning_rate=learning_rate)


def adapt(model: Any, x: Any, least_std: float = 0.0) -> None:
    """Give the Normalization layers of `model` the means and variances of the training inputs.

    Until then such a layer changes nothing, so a model that was only built works too. The statistics are
    weights: they are saved with the model and apply to whatever it is evaluated on.

    Args:
        model: a built model.
        x: inputs of the training split, and of nothing else.
        least_std: a feature whose standard deviation is smaller counts as varying by so much. Without it, a
            pixel that is 0 in nearly all training images and bright in a new one enters the model as a number
            in the thousands or millions.
    """
    import keras

    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.adapt(x)
            if least_std > 0:
                layer.adapt_variance.assign(keras.ops.maximum(layer.adapt_variance, least_std**2))
                layer.finalize_state()
    # The statistics are constants in a function that Keras has traced already (by an `evaluate` before `fit`,
    # or by a `fit` on other data), and would stay the old ones there. Keras traces anew what is None.
    model.train_function = model.test_function = model.predict_function = None
