"""What layers have learned by `adapt` is kept with a checkpoint's weights."""

import keras
import numpy as np
import pytest
from keras import layers

from tuning.training import checkpoints
from tuning.training.vocabularies import give, vocabularies_of

WORDS = np.array(["red green", "green blue", "blue", "red red"])


class Reader(keras.Model):
    """Has its lookups at different depths, one of them a part of another layer."""

    def __init__(self, mode="int"):
        super().__init__()
        self.words = layers.TextVectorization(max_tokens=6, output_mode=mode, name="words")
        self.inner = keras.Sequential([layers.StringLookup(max_tokens=6, name="names")])
        self.number = layers.IntegerLookup(max_tokens=6, vocabulary=[7, 8])
        self.bins = layers.Discretization(num_bins=3)

    def call(self, x):
        return self.words(x), self.inner(x), self.number(np.array([7, 9])), self.bins(np.arange(9.0))

    def learn(self):
        self.bins.adapt(np.arange(9.0) ** 2)
        self.words.adapt(WORDS)
        self.inner.layers[0].adapt(WORDS)
        return self


@pytest.mark.medium
@pytest.mark.parametrize("mode", ["int", "tf_idf"])
def test_vocabularies_come_back_with_the_weights(mode, tmp_path):
    model, path = Reader(mode).learn(), tmp_path / "one.weights.h5"
    known = model(WORDS)
    checkpoints.save(model, path)
    restored = Reader(mode)
    checkpoints.restore(restored, path)
    for mine, theirs in zip(restored(WORDS), known, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_where_nothing_was_learned_nothing_is_kept(tmp_path):
    assert vocabularies_of(keras.Sequential([layers.Dense(1)])) is None
    unlearned = vocabularies_of(Reader())
    restored = Reader().learn()
    if unlearned is not None:
        give(restored, unlearned)
    assert "red" in restored.words.get_vocabulary()
