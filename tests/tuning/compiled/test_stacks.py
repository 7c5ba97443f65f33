"""TensorFlow puts the batches of a dataset together, and they can be taken apart as they were."""

import numpy as np
import tensorflow as tf

from tuning.compiled import stacks


def dataset(*sizes, width=3):
    def rows():
        for number, size in enumerate(sizes):
            yield {"a": np.full([size, width], number, "float32")}, np.arange(size, dtype="int64")

    spec = {"a": tf.TensorSpec([None, None], "float32")}, tf.TensorSpec([None], "int64")
    return tf.data.Dataset.from_generator(rows, output_signature=spec)


def stacked(*sizes, n_batches=3):
    made = dataset(*sizes)
    return list(stacks.read(stacks.dataset_of(made, n_batches), made.element_spec))


def test_batches_come_in_stacks_and_the_last_one_may_be_shorter():
    first, last = stacked(4, 4, 4, 4, 2)
    assert (len(first), len(last), last.n_rows, last.batch_size) == (3, 2, 6, 4)
    assert first.is_regular and last.is_regular
    a, b = last.joined(3)
    assert a.shape == (12, 3) and b.numpy().tolist() == [0, 1, 2, 3, 0, 1, *[0] * 6]
    assert a[:, 0].numpy().tolist() == [3] * 4 + [4] * 2 + [0] * 6


def test_batches_of_many_sizes_are_what_they_were():
    (stack,) = stacked(2, 4, 1)
    assert not stack.is_regular
    for number, (batch, size) in enumerate(zip(stack, (2, 4, 1), strict=True)):
        x, y = batch
        assert x["a"].shape == (size, 3) and set(x["a"].numpy().ravel()) == {number}
        assert y.numpy().tolist() == list(range(size))
    assert len(stack[1:]) == 2


def test_what_has_no_rows_cannot_be_stacked():
    assert stacks.dataset_of(tf.data.Dataset.range(3), 2) is None
    assert stacks.dataset_of(tf.data.Dataset.from_tensors(tf.ragged.constant([[1.0], [2.0, 3.0]])), 2) is None
