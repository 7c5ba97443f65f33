"""What cannot be compiled is left to `model.fit`, with a reason and without a trace of the attempt."""

import functools
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.tuning.compiled import cases
from tests.tuning.compiled.cases import CLASSES, IMAGES, LooksAtBatches, N, X, Y
from tuning import compiled as training


class ActsBeforeTests(keras.callbacks.Callback):
    def on_test_begin(self, logs=None):
        pass


def python_operation():
    """A layer that XLA cannot compile, though Keras does not know that."""

    class Python(keras.layers.Layer):
        def call(self, x):
            return tf.ensure_shape(tf.numpy_function(lambda a: a, [x], tf.float32), x.shape)

    return cases.mlp(keras.layers.Dense(4), Python())


def hidden_convolution():
    filters = np.ones((3, 3, 1, 2), "float32")
    inputs = keras.Input((8, 8, 1))
    hidden = keras.layers.Flatten()(keras.ops.conv(inputs * 2, filters))
    model = keras.Model(inputs, keras.layers.Dense(1)(hidden))
    model.compile("sgd", "mse")
    return model


def eager():
    return cases.mlp(run_eagerly=True)


def no_jit_layer():
    model = cases.mlp()
    model.layers[0].supports_jit = False
    return model


def own_loop():
    class Own(keras.Sequential):
        def make_train_function(self, force=False):
            return super().make_train_function(force)

    model = Own([keras.Input((8,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def distributed():
    with tf.distribute.OneDeviceStrategy("/cpu:0").scope():
        return cases.mlp()


def looked(batch, logs):
    pass


ARRAYS = {"x": X[:N], "y": Y[:N]}


@pytest.mark.medium
@pytest.mark.parametrize(
    ("build", "arguments", "reason"),
    [
        (cases.mlp, ARRAYS | {"steps_per_epoch": 2}, "steps_per_epoch"),
        (cases.mlp, ARRAYS | {"validation_data": (X, Y), "validation_steps": 1}, "validation_steps"),
        (cases.mlp, ARRAYS | {"shuffle": "batch"}, "shuffle"),
        (cases.mlp, ARRAYS | {"callbacks": [LooksAtBatches()]}, "LooksAtBatches"),
        (cases.mlp, ARRAYS | {"callbacks": [ActsBeforeTests()]}, "on_test_begin"),
        (cases.mlp, ARRAYS | {"callbacks": [keras.callbacks.LambdaCallback(on_batch_end=looked)]}, "Lambda"),
        (eager, ARRAYS, "run_eagerly"),
        (no_jit_layer, ARRAYS, "XLA"),
        (own_loop, ARRAYS, "make_train_function"),
        (distributed, ARRAYS, "strategy"),
        (python_operation, ARRAYS, "PyFunc"),
        (cases.depthwise, {"x": IMAGES, "y": CLASSES}, "slow at convolutions"),
        (hidden_convolution, {"x": IMAGES, "y": CLASSES}, "slow at Conv2D"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_keras_takes_over(build, arguments, reason):
    model = build()
    history = training.fit(model, verbose=0, **arguments)
    report = training.last_report(model)
    assert not report.compiled and reason in report.reason
    assert len(history.history["loss"]) == 1


@pytest.mark.medium
@pytest.mark.parametrize(
    "callback",
    [
        lambda folder: keras.callbacks.ModelCheckpoint(folder / "{batch}.keras", save_freq=2),
        pytest.param(lambda folder: keras.callbacks.TensorBoard(folder, update_freq=1), marks=pytest.mark.slow),
        lambda folder: keras.callbacks.BackupAndRestore(folder, save_freq=2),
    ],
    ids=["ModelCheckpoint", "TensorBoard", "BackupAndRestore"],
)
def test_callbacks_of_keras_that_look_at_batches_are_left_to_keras(callback, tmp_path):
    model = cases.mlp()
    training.fit(model, **ARRAYS, verbose=0, callbacks=[callback(tmp_path)])
    assert "single batches" in training.last_report(model).reason


@pytest.mark.medium
def test_batch_hooks_are_called():
    callback = LooksAtBatches()
    training.fit(cases.mlp(), **ARRAYS, batch_size=25, verbose=0, callbacks=[callback])
    assert callback.n == 3


@pytest.mark.medium
def test_a_failed_compilation_leaves_no_trace():
    def trained(fit):
        keras.utils.set_random_seed(0)
        model = python_operation()
        begun = []
        count = keras.callbacks.LambdaCallback(on_train_begin=lambda logs: begun.append(1))
        fit(model, **ARRAYS, epochs=2, shuffle=False, verbose=0, callbacks=[count])
        assert begun == [1]
        return model

    ours, theirs = trained(training.fit), trained(keras.Model.fit)
    assert cases.largest_difference(ours.get_weights(), theirs.get_weights()) < 1e-6


@pytest.mark.medium
def test_an_instance_whose_fit_was_replaced_does_not_recurse():
    model = eager()
    model.fit = functools.partial(training.fit, model)
    model.fit(**ARRAYS, verbose=0)
    assert not training.last_report(model).compiled


@pytest.mark.medium
def test_a_class_whose_fit_calls_this_one_does_not_recurse():
    class Calls(keras.Sequential):
        def fit(self, *args, **kwargs):
            return training.fit(self, *args, **kwargs)

    model = Calls([keras.Input((8,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    assert len(model.fit(**ARRAYS, verbose=0).history["loss"]) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("build", "arguments"),
    [
        (lambda: keras.Sequential([keras.Input((8,)), keras.layers.Dense(1)]), ARRAYS),
        (cases.mlp, {"x": X[:N], "y": Y[: N - 1]}),
        (cases.mlp, {"x": X[:N, :5], "y": Y[:N]}),
        (cases.mlp, {"x": X[:N], "y": None}),
        (cases.mlp, ARRAYS | {"validation_split": 1.0}),
        (cases.mlp, ARRAYS | {"class_weight": {0: 1.0}, "sample_weight": np.ones(N)}),
        (cases.mlp, ARRAYS | {"validation_data": (X[:5, :3], Y[:5])}),
        (cases.multi_input_output, ARRAYS),
        (cases.sparse_classifier, {"x": X[:N], "y": CLASSES[:N] + 1}),
        (cases.sparse_classifier, {"x": X, "y": CLASSES, "validation_data": (X, CLASSES - 1)}),
        (cases.embedding, {"x": (X * 3).astype("int32") % 12, "y": Y}),
        (lambda: cases.mlp(loss="no_such_loss"), ARRAYS),
    ],
    ids=[
        "uncompiled",
        "lengths",
        "columns",
        "no targets",
        "split",
        "weights",
        "validation",
        "names",
        "labels",
        "validation labels",
        "table",
        "loss",
    ],
)
def test_mistakes_raise_what_keras_raises(build, arguments):
    errors = []
    for fit in (keras.Model.fit, training.fit):
        keras.backend.clear_session()
        with pytest.raises(Exception) as caught:
            fit(build(), verbose=0, **arguments)
        errors.append((caught.type, str(caught.value).splitlines()[0]))
    assert errors[0] == errors[1]


@pytest.mark.medium
def test_text_is_left_to_keras():
    lookup = keras.layers.StringLookup(vocabulary=["a", "b"], output_mode="one_hot")
    model = keras.Sequential([keras.Input((1,), dtype="string"), lookup, keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    training.fit(model, tf.constant([["a"], ["b"]]), np.zeros((2, 1)), verbose=0)
    assert not training.last_report(model).compiled


@pytest.mark.medium
def test_jit_compile_off_is_respected_where_it_can_be_told(monkeypatch):
    model = cases.mlp(jit_compile=False)
    monkeypatch.setattr(type(model), "_resolve_auto_jit_compile", lambda self: True)
    training.fit(model, **ARRAYS, verbose=0)
    assert training.last_report(model).reason == "jit_compile is off"


def test_importing_the_package_loads_no_tensorflow():
    code = "import sys, tuning.compiled; assert not {'tensorflow', 'keras'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
