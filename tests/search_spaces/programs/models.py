"""Models with steps, layers, losses and metrics of their own."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from tests.search_spaces.programs.base import HELD, ROWS, compiled, dense

# Models with steps of their own -------------------------------------------------------------------------


class Coder(keras.Model):
    """Encoder and decoder without a `call`."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.encoder = keras.Sequential([layers.Dense(units)])
        self.decoder = keras.Sequential([layers.Dense(4)])
        self.total = keras.metrics.Mean(name="total_loss")

    @property
    def metrics(self) -> list[Any]:
        return [self.total]

    def lost(self, x: Any) -> Any:
        return ops.mean(ops.square(x - self.decoder(self.encoder(x))))

    def train_step(self, data: Any) -> Any:
        x = data[0] if isinstance(data, tuple) else data
        with tf.GradientTape() as tape:
            loss = self.lost(x)
        self.optimizer.apply_gradients(
            zip(tape.gradient(loss, self.trainable_weights), self.trainable_weights, strict=True)
        )
        self.total.update_state(loss)
        return {"total_loss": self.total.result()}

    def test_step(self, data: Any) -> Any:
        self.total.update_state(self.lost(data[0] if isinstance(data, tuple) else data))
        return {"total_loss": self.total.result()}


def build_vae(hp: Any) -> Any:
    model = Coder(hp.Int("units", 1, 3))
    model.compile(optimizer="adam")
    return model


class Adversaries(keras.Model):
    """Generator and discriminator, each with an optimizer of its own."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.generator = keras.Sequential([layers.Dense(units, activation="relu"), layers.Dense(4)])
        self.critic = keras.Sequential([layers.Dense(units, activation="relu"), layers.Dense(1)])

    def compile(self, own: Any, other: Any) -> None:
        super().compile()
        self.own, self.other = own, other

    def train_step(self, data: Any) -> Any:
        x = data[0] if isinstance(data, tuple) else data
        with tf.GradientTape(persistent=True) as tape:
            made = self.generator(ops.flip(x, axis=1))
            critic = ops.mean(ops.softplus(self.critic(made)) + ops.softplus(-self.critic(x)))
            generator = ops.mean(ops.softplus(-self.critic(made)))
        for optimizer, loss, part in (
            (self.own, critic, self.critic),
            (self.other, generator, self.generator),
        ):
            weights = part.trainable_weights
            optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return {"critic_loss": critic, "generator_loss": generator}


def build_gan(hp: Any) -> Any:
    model = Adversaries(hp.Int("units", 2, 4))
    model.compile(keras.optimizers.Adam(0.01), keras.optimizers.Adam(0.01))
    return model


class Siamese(keras.Model):
    """Three inputs through one network, and the triplet loss."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network
        self.tracker = keras.metrics.Mean(name="loss")

    def lost(self, data: Any) -> Any:
        x = data[0] if isinstance(data, tuple) and len(data) == 1 else data
        anchor, same, other = (self.network(part) for part in x)
        near = ops.sum(ops.square(anchor - same), 1)
        return ops.mean(ops.maximum(near - ops.sum(ops.square(anchor - other), 1) + 0.5, 0.0))

    def train_step(self, data: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = self.lost(data)
        self.optimizer.apply_gradients(
            zip(tape.gradient(loss, self.trainable_weights), self.trainable_weights, strict=True)
        )
        self.tracker.update_state(loss)
        return {"loss": self.tracker.result()}

    def test_step(self, data: Any) -> Any:
        self.tracker.update_state(self.lost(data))
        return {"loss": self.tracker.result()}

    @property
    def metrics(self) -> list[Any]:
        return [self.tracker]


def build_siamese(hp: Any) -> Any:
    model = Siamese(keras.Sequential([keras.Input((4,)), layers.Dense(hp.Int("units", 2, 4))]))
    model.compile("adam")
    return model


class Distiller(keras.Model):
    """A student that learns from labels and from a teacher."""

    def __init__(self, student: Any, teacher: Any) -> None:
        super().__init__()
        self.student, self.teacher = student, teacher
        self.teacher.trainable = False

    def call(self, x: Any, training: bool = False) -> Any:
        return self.student(x, training=training)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, **_: Any
    ) -> Any:
        own = super().compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight)
        return own + ops.mean(ops.square(y_pred - self.teacher(x)))


def build_distiller(hp: Any) -> Any:
    teacher = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    return compiled(Distiller(keras.Sequential([keras.Input((4,)), *dense(hp)]), teacher), metrics=["mae"])


class Physics(keras.Model):
    """The derivative of the output is part of the loss."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.net = keras.Sequential([keras.Input((4,)), layers.Dense(units, "tanh"), layers.Dense(1)])

    def call(self, x: Any) -> Any:
        return self.net(x)

    def train_step(self, data: Any) -> Any:
        x, y = data
        with tf.GradientTape() as tape:
            with tf.GradientTape() as inner:
                inner.watch(x)
                made = self(x)
            slope = inner.gradient(made, x)
            loss = self.compute_loss(x, y, made) + ops.mean(ops.square(slope[:, 2:]))
        self.optimizer.apply_gradients(
            zip(tape.gradient(loss, self.trainable_weights), self.trainable_weights, strict=True)
        )
        return {"residual": loss, **self.compute_metrics(x, y, made)}


def build_physics(hp: Any) -> Any:
    return compiled(Physics(hp.Int("units", 2, 4)), metrics=["mae"])


# Layers, losses and metrics -----------------------------------------------------------------------------


def build_stateful(hp: Any) -> Any:
    rnn = layers.SimpleRNN(hp.Int("units", 2, 4), stateful=True)
    return compiled(keras.Sequential([keras.Input(batch_shape=(16, 4, 1)), rnn, layers.Dense(1)]))


IDS = np.random.default_rng(1).integers(1, 9, (ROWS + HELD, 5)) * (np.arange(5) < 4)
TAGS = IDS % 3


def build_tagger(hp: Any) -> Any:
    units = hp.Int("units", 2, 4)
    stack = [layers.Embedding(9, units, mask_zero=True), layers.SimpleRNN(units, return_sequences=True)]
    return compiled(keras.Sequential([*stack, layers.Dense(3, "softmax")]), "sparse_categorical_crossentropy")


def pinball(y: Any, made: Any) -> Any:
    off = y - made
    shares = ops.convert_to_tensor([0.1, 0.5, 0.9], dtype=made.dtype)
    return ops.mean(ops.maximum(shares * off, (shares - 1) * off), axis=-1)


def build_quantiles(hp: Any) -> Any:
    return compiled(keras.Sequential(dense(hp, 3)), pinball)


def mixture(y: Any, made: Any) -> Any:
    weight, mean, spread = ops.split(made, 3, axis=-1)
    inside = -0.5 * ops.square((y - mean) / ops.exp(spread)) - spread
    return -ops.logsumexp(ops.log_softmax(weight) + inside, axis=-1)


def build_mixture(hp: Any) -> Any:
    return compiled(keras.Sequential(dense(hp, 6)), mixture)


def build_outputs(hp: Any) -> Any:
    inputs = keras.Input((4,))
    hidden = layers.Dropout(0.2)(layers.Dense(hp.Int("units", 2, 6))(inputs))
    model = keras.Model(inputs, [layers.Dense(1, name=name)(hidden) for name in ("a", "b")])
    return compiled(model, {"a": "mse", "b": "mae"}, loss_weights={"a": 1.0, "b": 0.3})


class Spread(keras.metrics.Metric):
    """The difference of the greatest and the least prediction, over all batches."""

    def __init__(self, name: str = "spread") -> None:
        super().__init__(name=name)
        self.low, self.high = (self.add_weight(shape=(), initializer="zeros", name=n) for n in ("low", "high"))

    def update_state(self, y: Any, made: Any, sample_weight: Any = None) -> None:
        self.low.assign(ops.minimum(self.low, ops.min(made)))
        self.high.assign(ops.maximum(self.high, ops.max(made)))

    def result(self) -> Any:
        return self.high - self.low


def build_metric(hp: Any) -> Any:
    return compiled(keras.Sequential(dense(hp)), metrics=[Spread()])


class Plain(keras.Model):
    """A subclass without `get_config`."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.hidden, self.out = layers.Dense(units), layers.Dense(1)

    def call(self, x: Any) -> Any:
        return self.out(self.hidden(x))


def build_plain(hp: Any) -> Any:
    return compiled(Plain(hp.Int("units", 2, 4)))


def build_ema(hp: Any) -> Any:
    return compiled(keras.Sequential(dense(hp)), optimizer=keras.optimizers.Adam(0.05, use_ema=True, ema_momentum=0.9))


def build_half(hp: Any) -> Any:
    policy = keras.DTypePolicy("mixed_float16")
    stack = [layers.Dense(hp.Int("units", 2, 6), dtype=policy), layers.Dense(1, dtype="float32")]
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.01))
    return compiled(keras.Sequential([keras.Input((4,)), *stack]), optimizer=optimizer)


def build_accumulating(hp: Any) -> Any:
    optimizer = keras.optimizers.SGD(0.05, gradient_accumulation_steps=2)
    return compiled(keras.Sequential(dense(hp)), optimizer=optimizer)


def build_regressor(hp: Any) -> Any:
    return compiled(keras.Sequential(dense(hp)), weighted_metrics=["mae"])


def build_classifier(hp: Any) -> Any:
    return compiled(keras.Sequential(dense(hp, 3, "softmax")), "sparse_categorical_crossentropy", metrics=["accuracy"])
