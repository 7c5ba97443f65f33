"""Small models and data that the tests of `tuning.compiled` share, whatever Keras runs on."""

import keras
import numpy as np
import pytest

BACKEND = keras.config.backend()
on_tensorflow = pytest.mark.skipif(BACKEND != "tensorflow", reason=f"Keras runs on {BACKEND}")
on_jax = pytest.mark.skipif(BACKEND != "jax", reason=f"Keras runs on {BACKEND}")

layers, metrics = keras.layers, keras.metrics

N, N_VALIDATION = 75, 21
"""With batches of 16 both have a short last one."""

_rng = np.random.default_rng(0)
X = _rng.normal(size=(N + N_VALIDATION, 8)).astype("float32")
Y = (X[:, :1] * 2 + np.sin(X[:, 1:2])).astype("float32")
CLASSES = ((X[:, 0] > 0).astype("int32") + (X[:, 1] > 0)).astype("int32")
ONE_HOT = np.eye(3, dtype="float32")[CLASSES]
IMAGES = _rng.normal(size=(N + N_VALIDATION, 8, 8, 1)).astype("float32")
WEIGHTS = _rng.uniform(0.1, 2.0, N + N_VALIDATION).astype("float32")


def mlp(*inner, units=8, output=None, loss="mse", optimizer=None, metrics=("mae",), **kwargs):
    """Return a compiled Sequential model of `X`."""
    inner = inner or (layers.Dense(units, "relu"),)
    model = keras.Sequential([keras.Input((8,)), *inner, output or layers.Dense(1)])
    model.compile(optimizer or keras.optimizers.SGD(0.05), loss, metrics=list(metrics), **kwargs)
    return model


def batch_normalization():
    return mlp(layers.Dense(8, use_bias=False), layers.BatchNormalization(), layers.LayerNormalization())


def normalization(mean=0.0):
    layer = layers.Normalization()
    layer.adapt(X * 3 + mean)
    return mlp(layer, layers.Dense(8, "relu"))


def regularized():
    l2 = keras.regularizers.L2(0.01)
    l1 = keras.regularizers.L1(0.01)
    return mlp(layers.Dense(8, "relu", kernel_regularizer=l2, activity_regularizer=l1))


def late_regularizer(strength):
    model = mlp()
    model.layers[0].kernel.regularizer = keras.regularizers.L2(strength)
    return model


def clipped():
    return mlp(optimizer=keras.optimizers.Adam(0.01, clipnorm=0.5))


def scheduled():
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 3, 0.8)
    return mlp(optimizer=keras.optimizers.SGD(schedule, momentum=0.9))


def averaged():
    """Decayed weights, averaged, from gradients that are accumulated over two batches."""
    options = {"weight_decay": 0.1, "use_ema": True, "ema_momentum": 0.9, "gradient_accumulation_steps": 2}
    return mlp(optimizer=keras.optimizers.AdamW(0.01, **options))


def multi_input_output():
    """Two inputs by name, two outputs with weights of their losses."""
    a, b = keras.Input((8,), name="a"), keras.Input((1,), name="b")
    hidden = layers.Dense(8, "relu")(layers.Concatenate()([a, b * 2.0]))
    value = layers.Dense(1, name="value")(hidden)
    kind = layers.Dense(3, activation="softmax", name="kind")(hidden)
    model = keras.Model({"a": a, "b": b}, {"value": value, "kind": kind})
    model.compile(
        keras.optimizers.SGD(0.05),
        {"value": "mse", "kind": "sparse_categorical_crossentropy"},
        loss_weights={"value": 0.3, "kind": 1.5},
        metrics={"value": ["mae"], "kind": ["accuracy"]},
    )
    return model


class Subclassed(keras.Model):
    """Builds itself on its first batch."""

    def __init__(self):
        super().__init__()
        self.hidden, self.out = layers.Dense(8, "tanh"), layers.Dense(1)

    def call(self, x, training=False):
        return self.out(self.hidden(x)) + (0.1 if training else 0.0)


def subclassed():
    model = Subclassed()
    model.compile(keras.optimizers.SGD(0.05), "mse", metrics=["mae"])
    return model


class CustomStep(keras.Model):
    """Its step depends on the number of rows, and reports its metrics as in Keras's guides."""

    def train_step(self, *given):
        return self.step_of_jax(*given) if BACKEND == "jax" else self.step_of_tensorflow(*given)

    def step_of_tensorflow(self, data):
        import tensorflow as tf

        x, y = data
        with tf.GradientTape() as tape:
            predicted = self(x, training=True)
            loss = spread_loss(y, predicted)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return self.update(loss, y, predicted)

    def step_of_jax(self, state, data):
        import jax

        (weights, others, optimizer, metrics), (x, y) = state, data

        def loss_of(weights):
            predicted, after = self.stateless_call(weights, others, x, training=True)
            return spread_loss(y, predicted), (predicted, after)

        (loss, (predicted, others)), gradients = jax.value_and_grad(loss_of, has_aux=True)(weights)
        weights, optimizer = self.optimizer.stateless_apply(optimizer, gradients, weights)
        with keras.StatelessScope(list(zip(self.metrics_variables, metrics, strict=True))) as scope:
            logs = self.update(loss, y, predicted)
        metrics = [scope.get_current_value(variable) for variable in self.metrics_variables]
        return logs, (weights, others, optimizer, metrics)

    def update(self, loss, y, predicted):
        for metric in self.metrics:
            metric.update_state(loss) if metric.name == "loss" else metric.update_state(y, predicted)
        return {metric.name: metric.result() for metric in self.metrics}


def spread_loss(y, predicted):
    return keras.ops.mean(keras.ops.square(predicted - y)) + 0.1 * keras.ops.std(predicted)


def custom_step():
    inputs = keras.Input((8,))
    model = CustomStep(inputs, layers.Dense(1)(layers.Dense(8, "relu")(inputs)))
    model.compile(keras.optimizers.SGD(0.05), "mse", metrics=["mae"])
    return model


class Within(metrics.Metric):
    """How often a prediction is near enough."""

    def __init__(self, name="within", **kwargs):
        super().__init__(name=name, **kwargs)
        self.hits, self.n = (self.add_weight(name=name, initializer="zeros") for name in ("hits", "n"))

    def update_state(self, y_true, y_pred, sample_weight=None):
        near = keras.ops.cast(keras.ops.abs(y_true - y_pred) < 0.5, "float32")
        self.hits.assign_add(keras.ops.sum(near))
        self.n.assign_add(keras.ops.cast(keras.ops.shape(near)[0], "float32"))

    def result(self):
        return self.hits / self.n


def custom_loss_and_metric():
    def spread(y_true, y_pred):
        return keras.ops.mean(keras.ops.abs(y_true - y_pred) ** 1.5) * (1 + keras.ops.var(y_pred))

    return mlp(loss=spread, metrics=[Within(), lambda y_true, y_pred: keras.ops.max(y_true - y_pred)])


def classifier():
    m = ["accuracy", metrics.AUC(name="auc"), metrics.F1Score(name="f1")]
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.1)
    return mlp(output=layers.Dense(3, "softmax"), loss=loss, metrics=m)


def sparse_classifier():
    loss = "sparse_categorical_crossentropy"
    return mlp(layers.Dense(4, "gelu"), output=layers.Dense(3, "softmax"), loss=loss, metrics=["accuracy"])


def convolutional(kind=layers.Conv2D, **options):
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            kind(**{"filters": 3, "kernel_size": 3, "activation": "relu"} | options),
            layers.MaxPooling2D(),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dense(3, "softmax"),
        ]
    )
    model.compile(keras.optimizers.SGD(0.05), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def depthwise():
    """A convolution that is not written as products."""
    return convolutional(layers.SeparableConv2D)


def centered():
    """Rows depend on each other, in an operation that is no layer and along the first axis of a layer."""
    inputs = keras.Input((8,))
    hidden = layers.Dense(4, "tanh")(inputs)
    hidden = layers.Softmax(axis=0)(hidden - keras.ops.mean(hidden, axis=0, keepdims=True))
    model = keras.Model(inputs, layers.Dense(1)(hidden))
    model.compile(keras.optimizers.SGD(0.05), "mse", metrics=["mae"])
    return model


def loss_of_last_row():
    """What the last row is must not be taken from the rows that fill up a batch."""

    def last(y_true, y_pred):
        return keras.ops.mean((y_true - y_pred) ** 2) + keras.ops.sum((y_true[-1] - y_pred[-1]) ** 2)

    return mlp(loss=last)


def embedding():
    return mlp(layers.Embedding(10, 3), layers.Flatten(), layers.Dense(4, "relu"))


class AutoEncoder(keras.Model):
    """Has no targets."""

    def __init__(self):
        super().__init__()
        self.out = layers.Dense(8)

    def call(self, x):
        y = self.out(x)
        self.add_loss(keras.ops.mean((y - x) ** 2))
        return y


def without_targets():
    model = AutoEncoder()
    model.compile(keras.optimizers.SGD(0.05))
    return model


def largest_difference(a, b):
    """Return the largest difference between two lists of arrays."""
    return max(float(np.abs(np.asarray(p) - np.asarray(q)).max()) for p, q in zip(a, b, strict=True))


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        return X[:8], Y[:8]


class LooksAtBatches(keras.callbacks.Callback):
    n = 0

    def on_train_batch_end(self, batch, logs=None):
        self.n += 1
