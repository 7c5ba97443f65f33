"""The key of an architecture: equal where the computation is, different wherever it may differ."""

import inspect

import keras
import pytest

from tests.tuning.compiled import cases
from tests.tuning.compiled.cases import N, X, Y
from tuning.compiled import arrays, backends, fitting
from tuning.compiled.architecture import key_of
from tuning.compiled.state import held

layers, optimizers, losses, metrics = keras.layers, keras.optimizers, keras.losses, keras.metrics


def schedule(rate=0.1):
    return optimizers.schedules.ExponentialDecay(rate, 10, 0.5)


def functional(swapped=False, shared=False, factor=2.0):
    """Two branches that are subtracted, this way or the other."""
    inputs = keras.Input((8,))
    first = layers.Dense(4, "relu")
    a, b = first(inputs), (first if shared else layers.Dense(4, "tanh"))(inputs)
    difference = layers.Subtract()([b, a] if swapped else [a, b])
    model = keras.Model(inputs, layers.Dense(1)(keras.ops.multiply(difference, factor)))
    model.compile("sgd", "mse")
    return model


def frozen():
    model = cases.mlp()
    model.layers[0].trainable = False
    model.compile("sgd", "mse", metrics=["mae"])
    return model


def with_attribute(name, value):
    model = cases.mlp(layers.Dense(8, "relu"), layers.Dropout(0.5))
    setattr(model.layers[1], name, value)
    return model


VARIANTS = {
    "plain": cases.mlp,
    "units": lambda: cases.mlp(units=9),
    "depth": lambda: cases.mlp(layers.Dense(8, "relu"), layers.Dense(8, "relu")),
    "tanh": lambda: cases.mlp(layers.Dense(8, "tanh")),
    "no bias": lambda: cases.mlp(layers.Dense(8, "relu", use_bias=False)),
    "dropout 0.1": lambda: cases.mlp(layers.Dense(8, "relu"), layers.Dropout(0.1)),
    "dropout 0.2": lambda: cases.mlp(layers.Dense(8, "relu"), layers.Dropout(0.2)),
    "noise": lambda: cases.mlp(layers.Dense(8, "relu"), layers.GaussianNoise(0.1)),
    "elu 1": lambda: cases.mlp(layers.Dense(8), layers.ELU(1.0)),
    "elu 2": lambda: cases.mlp(layers.Dense(8), layers.ELU(2.0)),
    "leaky 0.1": lambda: cases.mlp(layers.Dense(8), layers.LeakyReLU(0.1)),
    "leaky 0.2": lambda: cases.mlp(layers.Dense(8), layers.LeakyReLU(0.2)),
    "l2 0.1": lambda: cases.mlp(layers.Dense(8, "relu", kernel_regularizer=keras.regularizers.L2(0.1))),
    "l2 0.2": lambda: cases.mlp(layers.Dense(8, "relu", kernel_regularizer=keras.regularizers.L2(0.2))),
    "late l2 0.1": lambda: cases.late_regularizer(0.1),
    "late l2 0.2": lambda: cases.late_regularizer(0.2),
    "max norm": lambda: cases.mlp(layers.Dense(8, "relu", kernel_constraint="max_norm")),
    "rate set later": lambda: with_attribute("rate", 0.3),
    "noise shape set later": lambda: with_attribute("noise_shape", (None, 1)),
    "frozen": frozen,
    "batch normalization 0.9": lambda: cases.mlp(layers.BatchNormalization(momentum=0.9)),
    "batch normalization 0.8": lambda: cases.mlp(layers.BatchNormalization(momentum=0.8)),
    "mixed": lambda: cases.mlp(layers.Dense(8, "relu", dtype="mixed_bfloat16")),
    "normalization": cases.normalization,
    "fixed normalization 1": lambda: cases.mlp(layers.Rescaling(1.0, 1.0)),
    "fixed normalization 2": lambda: cases.mlp(layers.Rescaling(1.0, 2.0)),
    "huber 1": lambda: cases.mlp(loss=losses.Huber(1.0)),
    "huber 2": lambda: cases.mlp(loss=losses.Huber(2.0)),
    "sum": lambda: cases.mlp(loss=losses.MeanSquaredError("sum")),
    "mae": lambda: cases.mlp(loss="mae"),
    "loss weight": lambda: cases.mlp(loss_weights=0.5),
    "mse metric": lambda: cases.mlp(metrics=["mse"]),
    "weighted metric": lambda: cases.mlp(metrics=[], weighted_metrics=["mae"]),
    "similarity -1": lambda: cases.mlp(metrics=[metrics.CosineSimilarity(axis=-1)]),
    "similarity 0": lambda: cases.mlp(metrics=[metrics.CosineSimilarity(axis=0)]),
    "momentum 0.9": lambda: cases.mlp(optimizer=optimizers.SGD(0.05, momentum=0.9)),
    "momentum 0.8": lambda: cases.mlp(optimizer=optimizers.SGD(0.05, momentum=0.8)),
    "nesterov": lambda: cases.mlp(optimizer=optimizers.SGD(0.05, momentum=0.9, nesterov=True)),
    "adam": lambda: cases.mlp(optimizer=optimizers.Adam(0.05)),
    "beta": lambda: cases.mlp(optimizer=optimizers.Adam(0.05, beta_1=0.8)),
    "epsilon": lambda: cases.mlp(optimizer=optimizers.Adam(0.05, epsilon=1e-3)),
    "amsgrad": lambda: cases.mlp(optimizer=optimizers.Adam(0.05, amsgrad=True)),
    "decay 0.1": lambda: cases.mlp(optimizer=optimizers.AdamW(0.05, weight_decay=0.1)),
    "decay 0.2": lambda: cases.mlp(optimizer=optimizers.AdamW(0.05, weight_decay=0.2)),
    "clipnorm": lambda: cases.mlp(optimizer=optimizers.SGD(0.05, clipnorm=1.0)),
    "clipvalue": lambda: cases.mlp(optimizer=optimizers.SGD(0.05, clipvalue=1.0)),
    "accumulation": lambda: cases.mlp(optimizer=optimizers.SGD(0.05, gradient_accumulation_steps=2)),
    "schedule 0.1": lambda: cases.mlp(optimizer=optimizers.SGD(schedule(0.1))),
    "schedule 0.2": lambda: cases.mlp(optimizer=optimizers.SGD(schedule(0.2))),
    "functional": functional,
    "swapped": lambda: functional(swapped=True),
    "shared": lambda: functional(shared=True),
    "factor": lambda: functional(factor=3.0),
}


SHARED = {
    ("dropout 0.1", "dropout 0.2"), ("dropout 0.1", "rate set later"), ("dropout 0.2", "rate set later"),
    ("huber 1", "huber 2"), ("l2 0.1", "l2 0.2"), ("late l2 0.1", "late l2 0.2"), ("momentum 0.8", "momentum 0.9"),
    ("adam", "beta"), ("adam", "epsilon"), ("beta", "epsilon"), ("decay 0.1", "decay 0.2"),
} if cases.BACKEND == "tensorflow" else set()  # fmt: skip
"""What differs only in numbers that are arguments of a program."""


def built(build, y=Y, dtype="float32"):
    model = build()
    fitting.build(model, arrays.load(X[:N].astype(dtype), y[:N]))
    return model


@pytest.mark.slow
def test_keys_are_equal_for_what_computes_the_same_and_only_then():
    keys, again = ({name: key_of(built(build), False) for name, build in VARIANTS.items()} for _ in range(2))
    assert keys == again
    assert None not in keys.values()
    assert {(a, b) for a in keys for b in keys if a < b and keys[a] == keys[b]} == SHARED


@pytest.mark.parametrize(
    "build",
    [
        lambda: cases.mlp(optimizer=optimizers.SGD(0.5)),
        lambda: cases.mlp(layers.Dense(8, "relu", kernel_initializer="he_normal", name="other")),
        lambda: cases.mlp(layers.Dense(8, keras.activations.relu)),
    ],
    ids=["learning rate", "initializer and name", "function for its name"],
)
def test_what_does_not_matter_is_no_part_of_the_key(build):
    assert key_of(built(build), False) == key_of(built(cases.mlp), False)


def relu(x, other=0.0):
    """Not Keras's, whatever its name."""
    return x * 2 + other


class MyDense(layers.Dense):
    pass


class MySGD(optimizers.SGD):
    pass


def with_own_step_of_the_instance():
    model = cases.mlp()
    model.train_step = lambda data: type(model).train_step(model, data)
    return model


def with_own_call_of_a_layer():
    model = cases.mlp()
    layer = model.layers[0]
    layer.call = lambda inputs, training=None: 2 * type(layer).call(layer, inputs)
    return model


def with_tensor():
    model = cases.mlp()
    model.layers[0].table = keras.ops.ones(3)
    return model


@pytest.mark.parametrize(
    "build",
    [
        cases.subclassed, cases.custom_step, cases.custom_loss_and_metric, cases.without_targets,
        lambda: cases.mlp(layers.Dense(8, relu)), lambda: cases.mlp(layers.Dense(8, lambda x: x)),
        lambda: cases.mlp(MyDense(8)), lambda: cases.mlp(layers.Lambda(lambda x: 2 * x)),
        lambda: cases.mlp(optimizer=MySGD()), lambda: cases.mlp(metrics=[cases.Within()]),
        lambda: cases.mlp(loss=relu), with_own_step_of_the_instance, with_own_call_of_a_layer, with_tensor,
    ],
)  # fmt: skip
def test_what_is_not_keras_is_not_shared(build):
    assert key_of(built(build), False) is None


def test_names_of_inputs_and_outputs_count_where_data_are_found_by_them():
    def build(a, b):
        inputs = {name: keras.Input((8,), name=name) for name in (a, b)}
        model = keras.Model(inputs, layers.Dense(1)(layers.Subtract()([inputs[a], inputs[b]])))
        model.compile("sgd", "mse")
        return model

    def key(a, b):
        model = build(a, b)
        fitting.build(model, arrays.load({"p": X, "q": X}, Y))
        return key_of(model, True)

    assert key("p", "q") == key("p", "q") != key("q", "p")


def keras_classes(home, base):
    kinds = (getattr(home, name) for name in dir(home))
    return [k for k in kinds if inspect.isclass(k) and issubclass(k, base) and k is not base]


def changed(value):
    """Return other values of an argument that has this default."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, (int, float)):
        return [value * 0.5 + 0.11, value + 1]
    return [0.5, 2, "sum"]


@pytest.mark.exhaustive
@pytest.mark.parametrize("home", [optimizers, losses], ids=["optimizers", "losses"])
def test_every_argument_of_keras_classes_counts(home):
    """It is in the key, or among the numbers that a program is given."""

    def key(kind, **arguments):
        part = kind(**arguments)
        parts = {"optimizer": part} if home is optimizers else {"loss": part}
        model = built(lambda: cases.mlp(**parts))
        places = backends.current().numbers_of(model)
        numbers = [(place.name, value) for place, value in zip(places, held(places), strict=True)]
        found = key_of(model, False)
        return None if found is None else (found, numbers)

    n_checked, same = 0, []
    for kind in keras_classes(home, optimizers.Optimizer if home is optimizers else losses.Loss):
        for name, parameter in inspect.signature(kind.__init__).parameters.items():
            if name in ("self", "name", "learning_rate", "kwargs"):
                continue
            # The settings of a moving average count only where there is one.
            rest = {"use_ema": True} if name.startswith("ema_") else {}
            for value in changed(parameter.default):
                try:
                    keys = key(kind, **rest), key(kind, **rest, **{name: value})
                except Exception:
                    # Not every value fits, nor every class this model.
                    continue
                n_checked += 1
                same += [(kind.__name__, name, value)] if keys[0] is not None and keys[0] == keys[1] else []
                break
    assert not same
    assert n_checked > 15
