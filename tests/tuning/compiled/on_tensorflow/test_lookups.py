"""An index beyond its table, which Keras refuses on a CPU, ends a compiled training too, wherever it comes from."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tuning import compiled

WRONG = 9
IDS = np.random.default_rng(0).integers(0, 9, (80, 2))


class Subclass(keras.Model):
    def __init__(self):
        super().__init__()
        self.users, self.items = layers.Embedding(9, 2), layers.Embedding(9, 2)

    def call(self, x):
        return keras.ops.sum(self.users(x[:, 0]) * self.items(x[:, 1]), 1, keepdims=True)


def sliced():
    ids = keras.Input((2,), dtype="int32")
    rows = [layers.Embedding(9, 2)(ids[:, column]) for column in (0, 1)]
    return keras.Model(ids, layers.Dense(1)(layers.Concatenate()(rows)))


def trained(model, x, **options):
    model.compile("sgd", "mse")
    history = compiled.fit(model, x, x.sum(1) / 9, epochs=1, verbose=0, **options)
    assert compiled.last_report(model).compiled
    return history


@pytest.mark.medium
@pytest.mark.parametrize("build", [Subclass, sliced])
def test_a_wrong_index_ends_the_training(build):
    x = IDS.copy()
    x[60, 1] = WRONG
    with pytest.raises(tf.errors.InvalidArgumentError, match="the data contain 9"):
        trained(build(), x)


@pytest.mark.medium
def test_a_wrong_index_in_the_validation_data_ends_it_and_valid_ones_do_not():
    wrong = IDS[:33].copy()
    wrong[32, 0] = WRONG
    assert trained(sliced(), IDS, validation_data=(IDS[:33], IDS[:33].sum(1))).history["val_loss"]
    with pytest.raises(tf.errors.InvalidArgumentError, match="the data contain 9"):
        trained(sliced(), IDS, validation_data=(wrong, wrong.sum(1)))
