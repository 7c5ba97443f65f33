"""The order of the samples: each once an epoch, and a function of the seed and the epoch's number."""

import keras
import numpy as np
import pytest

from tests.tuning.compiled import cases
from tests.tuning.compiled.cases import N, X, Y
from tuning import compiled as training
from tuning.compiled import arrays, fitting, private


def orders(seed, epochs, n=N):
    keras.utils.set_random_seed(seed)
    order = fitting._Order(arrays.load(X[:n], Y[:n], batch_size=16), shuffle=True)
    return [order.of(epoch)[:n] for epoch in epochs]


def test_every_sample_is_seen_once_an_epoch():
    first, second = orders(0, [0, 1])
    assert sorted(first) == sorted(second) == list(range(N))
    assert (first != second).any()


def test_the_order_depends_on_the_seed_and_the_epoch_alone():
    straight = orders(0, range(4))
    np.random.default_rng().random()
    keras.layers.Dense(3).build((None, 3))
    assert all((a == b).all() for a, b in zip(straight[2:], orders(0, [2, 3]), strict=True))
    assert (orders(1, [0])[0] != straight[0]).any()


class Seen(keras.metrics.Metric):
    """The sum of all targets, and the targets of the last batch."""

    def __init__(self):
        super().__init__(name="seen")
        self.total = self.add_weight(name="total", initializer="zeros")
        self.last = self.add_weight(name="last", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.total.assign_add(keras.ops.sum(y_true))
        self.last.assign(keras.ops.sum(y_true))

    def result(self):
        return {name: keras.ops.convert_to_tensor(getattr(self, name)) for name in ("total", "last")}


@pytest.mark.medium
def test_a_model_sees_every_sample_once_an_epoch():
    model = cases.mlp(metrics=[Seen()])
    numbers = 2.0 ** np.arange(20).astype("float32")
    history = training.fit(model, X[:20], numbers, batch_size=8, epochs=4, verbose=0).history
    assert training.last_report(model).compiled
    assert history["total"] == 4 * [numbers.sum()]
    assert len(set(history["last"])) == 4
    assert all(f"{int(last):b}".count("1") == 4 for last in history["last"])


def trained(seed, *epochs):
    keras.utils.set_random_seed(seed)
    model = cases.mlp(keras.layers.Dense(8, "relu"), keras.layers.Dropout(0.3))
    for initial_epoch, stop in epochs:
        keras.utils.set_random_seed(seed)
        training.fit(model, X[:N], Y[:N], initial_epoch=initial_epoch, epochs=stop, batch_size=25, verbose=0)
    return model.get_weights()


@pytest.mark.medium
def test_the_same_seed_gives_the_same_training_twice():
    assert cases.largest_difference(trained(0, (0, 3)), trained(0, (0, 3))) == 0
    assert cases.largest_difference(trained(0, (0, 3)), trained(1, (0, 3))) > 1e-3


@pytest.mark.medium
def test_a_training_in_parts_is_the_training_in_one_piece():
    assert cases.largest_difference(trained(0, (0, 3)), trained(0, (0, 2), (2, 3))) == 0


@cases.on_tensorflow
def test_without_a_seed_orders_differ(monkeypatch):
    keras.utils.set_random_seed(0)
    assert fitting._seed() == 0
    given = {"get_random_seed": None, "global_seed": 5}
    monkeypatch.setattr(private, "get", lambda name: lambda: given[name])
    assert fitting._seed() == 5
    given["global_seed"] = None
    assert fitting._seed() != fitting._seed()
