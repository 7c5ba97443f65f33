"""Batches that come one after the other are joined and counted like arrays, where they have an end."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tuning.data import Data, fold, n_samples, with_folds, with_validation
from tuning.errors import DataError

X = np.arange(26.0).reshape(13, 2)


class Batches(keras.utils.PyDataset):
    def __init__(self, first, last):
        super().__init__(workers=2)
        self.rows, self.epochs = np.arange(first, last), 0

    def __len__(self):
        return -(-len(self.rows) // 4)

    def __getitem__(self, index):
        rows = self.rows[4 * index : 4 * index + 4]
        return X[rows], X[rows, 0]

    def on_epoch_end(self):
        self.epochs += 1


def test_sequences_of_batches():
    first, second = Batches(0, 6), Batches(6, 13)
    whole = with_validation(Data(first, validation=second)).x
    assert len(whole) == 4 and n_samples(whole) == 13 and whole.workers == 2
    np.testing.assert_array_equal(np.concatenate([whole[i][0] for i in range(4)]), X)
    whole.on_epoch_end()
    assert first.epochs == second.epochs == 1


def test_datasets():
    first, second = (tf.data.Dataset.from_tensor_slices((X[s], X[s])).batch(4) for s in (slice(6), slice(6, 13)))
    assert n_samples(with_validation(Data(first, validation=second)).x) == 13
    with pytest.raises(DataError, match="that has no length"):
        n_samples(first.repeat())


def test_tensors_that_numpy_does_not_hold():
    texts, rows = tf.constant(["a", "b", "c"]), tf.ragged.constant([[1], [2, 3], []])
    for x in (texts, rows):
        data, _ = with_folds(Data(x[:2], np.zeros(2), (x[2:], np.ones(1))), [([0, 2], [1])], 0)
        part = fold(data, 0)
        assert type(part.x) is type(x) and part.x.dtype == x.dtype
        assert str(part.x) == str(tf.gather(x, [0, 2])) and part.y.tolist() == [0, 1]


def test_samples_without_targets():
    for validation in (X[6:], (X[6:],)):
        whole = with_validation(Data(X[:6], validation=validation))
        np.testing.assert_array_equal(whole.x, X)
        assert whole.y is None and whole.validation is None


@pytest.mark.parametrize(
    ("x", "validation"), [(X, Batches(0, 4)), (Batches(0, 4), (X, X)), (iter([1]), (X, X)), (X, iter([1]))]
)
def test_what_is_not_of_a_kind_is_refused(x, validation):
    with pytest.raises(DataError, match="joined"):
        with_validation(Data(x, X, validation))
