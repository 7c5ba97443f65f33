"""Data that come in batches are trained many batches at a time, with the numbers of `model.fit`."""

import keras
import numpy as np
import pytest
import scipy.sparse
import tensorflow as tf

from tests.layers import few
from tests.tuning.compiled import cases
from tests.tuning.compiled.cases import CLASSES, X, Y
from tuning import compiled
from tuning.compiled import batches, streaming

N = 75


def dataset(size=16, **options):
    rows = tf.data.Dataset.from_tensor_slices((X[:N], Y[:N])).shuffle(N, seed=3)
    return rows.batch(size, **options).map(lambda x, y: (x * 1.5, y)).prefetch(2)


class Pieces(keras.utils.PyDataset):
    def __init__(self, sizes=(16, 16, 16, 16, 11)):
        super().__init__()
        self.ends = np.cumsum(sizes)
        self.begun, self.ended = 0, 0

    def __len__(self):
        return len(self.ends)

    def __getitem__(self, index):
        rows = slice(self.ends[index - 1] if index else 0, self.ends[index])
        return X[rows], Y[rows], np.linspace(0.5, 2, len(X[rows]), dtype="float32")

    def on_epoch_begin(self):
        self.begun += 1

    def on_epoch_end(self):
        self.ended += 1


def endless():
    while True:
        for start in range(0, 75, 15):
            yield X[start : start + 15], Y[start : start + 15]


def ends_early():
    """Five batches: the third epoch of two has one of them."""
    for start in range(0, 75, 15):
        yield X[start : start + 15], Y[start : start + 15]


def once():
    for start in (0, 16, 32):
        yield X[start : start + 16], Y[start : start + 16]


def rows_of_classes():
    return tf.data.Dataset.from_tensor_slices((X[:N], CLASSES[:N])).batch(16)


GIVEN = {
    "dataset and arrays": lambda: {"x": dataset(15), "validation_data": (X[N:], Y[N:])},
    "sequence of many sizes": lambda: {"x": Pieces((16, 8, 8, 20, 3, 1, 19)), "shuffle": False},
    "dataset": lambda: {"x": dataset(), "validation_data": dataset()},
    "arrays and a dataset": lambda: {"x": X[:N], "y": Y[:N], "shuffle": False, "validation_data": dataset()},
    "repeated dataset": lambda: {"x": dataset().repeat(), "steps_per_epoch": 3, "validation_data": dataset().repeat(),
                                 "validation_steps": 2},
    "sequence": lambda: {"x": Pieces(), "shuffle": False},
    "endless generator": lambda: {"x": endless(), "steps_per_epoch": 6},
    "generator that ends early": lambda: {"x": ends_early(), "steps_per_epoch": 2, "epochs": 4},
    "weights of classes": lambda: {"x": rows_of_classes(), "class_weight": {0: 0.5, 1: 3.0, 2: 1.0}},
}  # fmt: skip


@pytest.mark.medium
@pytest.mark.filterwarnings("ignore:Your input ran out of data", "ignore:`shuffle=True` was passed")
@pytest.mark.parametrize("name", few(GIVEN))
def test_weights_and_logs_are_those_of_keras(name):
    trained = []
    for fit in (keras.Model.fit, compiled.fit):
        keras.utils.set_random_seed(1)
        model = cases.sparse_classifier() if name == "weights of classes" else cases.mlp()
        history = fit(model, **{"epochs": 3, "verbose": 0} | GIVEN[name]()).history
        trained.append((history, model))
    (theirs, one), (ours, other) = trained
    assert compiled.last_report(other) == compiled.FitReport(True)
    assert cases.largest_difference(one.get_weights(), other.get_weights()) < 1e-5
    if "ends early" not in name:  # where Keras counts the step, too, that finds no batch
        assert int(one.optimizer.iterations) == int(other.optimizer.iterations)
    assert theirs.keys() == ours.keys()
    for metric, values in theirs.items():
        np.testing.assert_allclose(ours[metric], values, rtol=1e-4, atol=1e-5, err_msg=metric)


@pytest.mark.medium
def test_more_shapes_than_programs_are_trained_one_by_one(monkeypatch):
    monkeypatch.setattr(streaming, "MOST_PROGRAMS", 1)
    test_weights_and_logs_are_those_of_keras("sequence of many sizes")


@pytest.mark.medium
def test_an_epoch_may_be_larger_than_what_is_held_at_once(monkeypatch):
    monkeypatch.setattr(batches, "MOST_BYTES", 2 * 16 * 9 * 4)
    test_weights_and_logs_are_those_of_keras("dataset")


@pytest.mark.slow
def test_a_dataset_that_is_stacked_may_turn_out_otherwise(monkeypatch):
    """After a first epoch of equal batches, TensorFlow stacks them; the second epoch's are of many sizes."""
    epochs = []

    def rows():
        epochs.append(1)
        ends = np.cumsum([15] * 5 if len(epochs) in (1, 2) else [16, 8, 31, 1, 19])
        for start, end in zip([0, *ends], ends, strict=False):
            yield X[start:end], Y[start:end]

    def changing():
        epochs.clear()
        spec = (tf.TensorSpec([None, 8], "float32"), tf.TensorSpec([None, 1], "float32"))
        made = tf.data.Dataset.from_generator(rows, output_signature=spec)
        return {"x": made.apply(tf.data.experimental.assert_cardinality(5))}

    monkeypatch.setitem(GIVEN, "dataset that changes", changing)
    test_weights_and_logs_are_those_of_keras("dataset that changes")
    assert len(epochs) >= 3


@pytest.mark.medium
def test_a_sequence_hears_of_its_epochs():
    counted = []
    for fit in (keras.Model.fit, compiled.fit):
        pieces = Pieces()
        fit(cases.mlp(), pieces, epochs=3, verbose=0)
        counted.append((pieces.begun, pieces.ended))
    assert counted[0] == counted[1]


@pytest.mark.medium
def test_a_generator_can_be_trained_on_again():
    model, batches_of_it = cases.mlp(), endless()
    for _ in range(2):
        compiled.fit(model, batches_of_it, steps_per_epoch=2, verbose=0)
    assert int(model.optimizer.iterations) == 4


class Stops(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.model.stop_training = epoch == 1


@pytest.mark.medium
def test_a_callback_that_stops_at_once_is_answered_after_one_batch():
    model = cases.mlp()
    compiled.fit(model, Pieces(), epochs=5, verbose=0, callbacks=[Stops()])
    assert int(model.optimizer.iterations) == 5 + 1


@pytest.mark.parametrize(
    ("x", "what"),
    [
        (tf.data.Dataset.from_tensors(tf.ragged.constant([[1.0], [2.0, 3.0]])), "RaggedTensorSpec"),
        (tf.data.Dataset.from_tensors(tf.sparse.from_dense([[1.0, 0.0]])), "SparseTensorSpec"),
        (tf.data.Dataset.from_tensors(["a", "b"]), "TensorSpec"),
        ((scipy.sparse.eye_array(2, format="csr") for _ in range(2)), "csr_array"),
    ],
    ids=["ragged", "sparse", "text", "sparse generator"],
)
def test_what_no_program_can_read_is_seen_beforehand(x, what):
    again, wrong = batches.looked_at(x)
    assert wrong == f"the batches contain a {what}, not an array of numbers"
    assert len(list(again)) in (1, 2), "nothing is lost"


def words():
    return tf.data.Dataset.from_tensor_slices((["a b", "b c"], [0.0, 1.0])).batch(1)


@pytest.mark.medium
def test_what_is_no_array_of_numbers_is_left_to_keras_and_nothing_is_lost():
    text = keras.layers.TextVectorization(max_tokens=10, output_mode="multi_hot")
    text.adapt(["a b c"])
    model = keras.Sequential([keras.Input((), dtype="string"), text, keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    compiled.fit(model, words(), epochs=1, verbose=0)
    assert not compiled.last_report(model).compiled and int(model.optimizer.iterations) == 2

    def ragged():
        for row in (X[:4], X[4:8], X[8:12]):
            yield row, Y[:4]

    model = cases.mlp(run_eagerly=True)
    compiled.fit(model, ragged(), epochs=1, verbose=0)
    assert int(model.optimizer.iterations) == 3


@pytest.mark.medium
@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_where_the_number_of_batches_is_not_known_keras_reads_all_of_them():
    model = cases.mlp()
    compiled.fit(model, once(), verbose=0)
    report = compiled.last_report(model)
    assert not report.compiled and "not known how many batches" in report.reason
    assert int(model.optimizer.iterations) == 3


@pytest.mark.slow
def test_a_class_that_there_is_none_of_is_reported_as_keras_does():
    wrong = tf.data.Dataset.from_tensor_slices((X[:N], CLASSES[:N] + 5)).batch(16)
    with pytest.raises(tf.errors.InvalidArgumentError, match="label"):
        compiled.fit(cases.sparse_classifier(), wrong, epochs=1, verbose=0)
