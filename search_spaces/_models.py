"""Keras classes of the bundled spaces: models and layers that are no plain graph of Keras's own layers.

A module of its own, because importing it loads Keras. The classes are registered, so `keras.models.load_model` reads
a saved model of theirs once this module has been imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from search_spaces import _mlp


@keras.saving.register_keras_serializable("search_spaces")
class Affine(keras.layers.Layer):
    """`x @ kernel + bias`: Keras's Dense, written out.

    Args:
        units: width of the output.
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), initializer="glorot_uniform", name="kernel")
        self.bias = self.add_weight(shape=(self.units,), initializer="zeros", name="bias")

    def call(self, inputs: Any) -> Any:
        return keras.ops.matmul(inputs, self.kernel) + self.bias

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable("search_spaces")
class LinearClassifier(keras.Model):
    """One affine map to a score near 0 for the first class and near 1 for the second, with its own training step."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.affine = Affine(1)

    def build(self, input_shape: Any) -> None:
        self.affine.build(input_shape)
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        return self.affine(inputs)

    def train_step(self, *given: Any) -> Any:
        """Take one step down the gradient of the loss; return the metrics, and on JAX the state."""
        return _step_of_jax(self, *given) if keras.config.backend() == "jax" else _step_of_tensorflow(self, *given)


@keras.saving.register_keras_serializable("search_spaces")
class WideAndDeep(keras.Model):
    """The two paths of `california_wide_deep` as a subclass.

    Args:
        n_hidden: hidden layers of the deep path.
        n_neurons: units of each.
    """

    def __init__(self, n_hidden: int, n_neurons: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._config = {"n_hidden": n_hidden, "n_neurons": n_neurons}
        self.wide_normalization = keras.layers.Normalization(name=f"wide{_mlp.NORMALIZATION}")
        self.deep_normalization = keras.layers.Normalization(name=f"deep{_mlp.NORMALIZATION}")
        self.hidden = _mlp.hidden_layers(n_hidden, n_neurons)
        self.main = keras.layers.Dense(1, name="main")
        self.auxiliary = keras.layers.Dense(1, name="auxiliary")

    def build(self, input_shape: Mapping[str, Any]) -> None:
        # Not left to Keras, which would make the statistics of a Normalization in a graph that it throws away.
        self.wide_normalization.build(input_shape["wide"])
        self.deep_normalization.build(input_shape["deep"])
        shape = input_shape["deep"]
        for layer in self.hidden:
            layer.build(shape)
            shape = layer.compute_output_shape(shape)
        self.main.build((None, input_shape["wide"][-1] + shape[-1]))
        self.auxiliary.build(shape)
        self.built = True

    def call(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        deep = self.deep_normalization(inputs["deep"])
        for layer in self.hidden:
            deep = layer(deep)
        both = keras.ops.concatenate([self.wide_normalization(inputs["wide"]), deep], axis=-1)
        return {"main": self.main(both), "auxiliary": self.auxiliary(deep)}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self._config}


def _step_of_tensorflow(model: keras.Model, data: Any) -> dict[str, Any]:
    import tensorflow as tf

    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    with tf.GradientTape() as tape:
        scores = model(x, training=True)
        loss = model.compute_loss(x=x, y=y, y_pred=scores, sample_weight=sample_weight)
    gradients = tape.gradient(loss, model.trainable_weights)
    model.optimizer.apply(gradients, model.trainable_weights)
    _update(model, y, scores, loss, sample_weight)
    result: dict[str, Any] = model.get_metrics_result()
    return result


def _step_of_jax(model: keras.Model, state: Any, data: Any) -> tuple[dict[str, Any], Any]:
    import jax

    weights, others, optimizer, metrics = state
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)

    def loss_of(weights: Any) -> Any:
        scores, after = model.stateless_call(weights, others, x, training=True)
        return model.compute_loss(x=x, y=y, y_pred=scores, sample_weight=sample_weight), (scores, after)

    (loss, (scores, others)), gradients = jax.value_and_grad(loss_of, has_aux=True)(weights)
    weights, optimizer = model.optimizer.stateless_apply(optimizer, gradients, weights)
    with keras.StatelessScope(state_mapping=list(zip(model.metrics_variables, metrics, strict=True))) as scope:
        _update(model, y, scores, loss, sample_weight)
        result = model.get_metrics_result()
    metrics = [scope.get_current_value(variable) for variable in model.metrics_variables]
    return result, (weights, others, optimizer, metrics)


def _update(model: keras.Model, y: Any, scores: Any, loss: Any, sample_weight: Any) -> None:
    for metric in model.metrics:
        if metric.name == "loss":
            metric.update_state(loss)
        else:
            metric.update_state(y, scores, sample_weight=sample_weight)
