"""Operations on arrays declared shorter: those that are allowed give what they give on a short array."""

import numpy as np
import pytest
import tensorflow as tf

from tuning.compiled.on_tensorflow import short_batch

ROWS, COLUMNS = 8, 6
_rng = np.random.default_rng(0)
X = _rng.normal(size=(ROWS, COLUMNS)).astype("float32")
W = _rng.normal(size=(COLUMNS, 4)).astype("float32")

ELEMENTWISE = """
    abs ceil cos erf erfc exp floor negative reciprocal relu relu6 elu selu leaky_relu rint round rsqrt
    sigmoid sign sin softplus softsign sqrt square tan tanh expm1 log log1p
"""
PAIRWISE = """
    add subtract multiply divide divide_no_nan multiply_no_nan floordiv floormod maximum minimum pow
    squared_difference equal not_equal greater greater_equal less less_equal atan2 xlogy xdivy
"""


def _elementwise(name):
    function = getattr(tf.math, name, None) or getattr(tf.nn, name)
    return lambda x: function(_positive(x) if "sqrt" in name or "log" in name else x)


def _pairwise(name):
    return lambda x: getattr(tf.math, name)(_positive(x), _positive(x * 0.7 - 0.3))


def _positive(x):
    return tf.abs(x) + 0.5


def _ones(x):
    return tf.cast(x > 0, tf.float32)


def _kinds(x):
    return tf.cast(x[:, 0] > 0, tf.int32)


def _batched(x):
    return tf.reshape(x, [-1, 2, 3])


def _image(x):
    return tf.reshape(x, [-1, 3, 2, 1])


FUNCTIONS = {
    **{name: _elementwise(name) for name in ELEMENTWISE.split()},
    **{name: _pairwise(name) for name in PAIRWISE.split()},
    "sum": lambda x: [tf.reduce_sum(x, axis) for axis in (None, 0, 1)],
    "mean": lambda x: [tf.reduce_mean(x, axis) for axis in (None, 0, 1)],
    "max": lambda x: [tf.reduce_max(x, axis) for axis in (None, 0, 1)],
    "min": lambda x: [tf.reduce_min(x, axis) for axis in (None, 0, 1)],
    "all": lambda x: [tf.reduce_all(x > -1, axis) for axis in (None, 0, 1)],
    "any": lambda x: [tf.reduce_any(x > 1, axis) for axis in (None, 0, 1)],
    "argmax": lambda x: [tf.argmax(x, axis) for axis in (0, 1)],
    "argmin": lambda x: [tf.argmin(x, axis) for axis in (0, 1)],
    "variance": lambda x: tf.nn.moments(x, [0]),
    "logic": lambda x: tf.logical_or(tf.logical_and(x > 0, x < 1), tf.logical_not(x > -1)),
    "finite": lambda x: [f(x / _ones(x)) for f in (tf.math.is_finite, tf.math.is_inf, tf.math.is_nan)],
    "addn": lambda x: tf.add_n([x, x * 2]),
    "clip": lambda x: tf.clip_by_value(x, -0.5, 0.5),
    "cast": lambda x: tf.cast(x * 10, tf.int64),
    "where": lambda x: [tf.where(x > 0, x, 0.0), tf.where(x > 0, x, x * 2)],
    "bits": lambda x: tf.bitwise.bitwise_and(tf.bitcast(x, tf.int32), 255),
    "shape": lambda x: [tf.shape(x), tf.size(x)],
    "fill": lambda x: [tf.reduce_sum(tf.fill(tf.shape(x), 2.0)), tf.ones(tf.shape(x)[:1])],
    "range": lambda x: tf.range(tf.shape(x)[0]),
    "expand": lambda x: [tf.squeeze(x[:, :1], 1), tf.expand_dims(x, 0), x[:, None]],
    "columns": lambda x: [x[:, 0], x[:, -1], x[..., 1:], *tf.split(x, 2, 1), *tf.split(x, [2, 4], 1)],
    "concat": lambda x: [tf.concat([_kinds(x), [7], _kinds(x)], 0), tf.concat(2 * [_kinds(x)[:, None]], 1)],
    "pack": lambda x: [tf.stack([x, x]), tf.stack([x, x], 1)],
    "tile": lambda x: [tf.tile(x, [1, 2]), tf.tile(x, [2, 1])],
    "broadcast": lambda x: [tf.broadcast_to(x[:, :1], tf.shape(x)), x + tf.ones([3, 1, 1])],
    "reshape": lambda x: [tf.reshape(x, shape) for shape in ([-1], [-1, 3], [1, -1], [-1, 2, 3])],
    "transpose": lambda x: [tf.transpose(x), tf.reshape(tf.transpose(x), [-1])],
    "matmul": lambda x: [x @ W, tf.matmul(x, x, transpose_a=True), tf.matmul(x, x, transpose_b=True)],
    "batch_matmul": lambda x: tf.matmul(_batched(x), _batched(x), transpose_b=True),
    "einsum": lambda x: [tf.einsum("bi,bj->ij", x, x), tf.einsum("bi,ci->bc", x, x)],
    "bias": lambda x: tf.nn.bias_add(x, tf.reduce_sum(W, 1)),
    "softmax": lambda x: [tf.nn.softmax(x), tf.nn.softmax(x, 0), tf.nn.log_softmax(x)],
    "cross_entropy": lambda x: tf.nn.softmax_cross_entropy_with_logits(tf.nn.softmax(x * 2), x),
    "sparse_cross_entropy": lambda x: tf.nn.sparse_softmax_cross_entropy_with_logits(_kinds(x), x),
    "l2_loss": tf.nn.l2_loss,
    "one_hot": lambda x: tf.one_hot(_kinds(x), 3),
    "in_top_k": lambda x: tf.math.in_top_k(_kinds(x), x, 2),
    "gather": lambda x: [tf.gather(tf.constant(W), _kinds(x)), tf.gather(x, [1, 3], axis=1)],
    "gather_rows": lambda x: tf.gather(x, tf.shape(x)[0] - 1 - tf.range(tf.shape(x)[0])),
    "segments": lambda x: tf.math.unsorted_segment_sum(x, _kinds(x), 2),
    "stop": lambda x: tf.stop_gradient(x) * x,
    "convolution": lambda x: tf.nn.conv2d(_image(x), W[:4, 0].reshape(2, 2, 1, 1), 1, "SAME"),
    "pooling": lambda x: tf.nn.max_pool2d(_image(x), [1, 2, 2, 1], 1, "SAME"),
    "distances": lambda x: tf.reduce_sum(tf.square(x[:, None] - tf.expand_dims(x, 0)), -1),
    "zeros_like": tf.zeros_like,
    "identity": lambda x: [tf.identity(x), tf.custom_gradient(lambda y: (y * 2, lambda up: up * 3))(x)],
    "uniform": lambda x: tf.random.stateless_uniform(tf.shape(x), [1, 2]) < 1e9,
    "normal": lambda x: tf.random.stateless_normal(tf.shape(x), [1, 2]) < 1e9,
}
REFUSED = {
    "last": lambda x: x[-1],
    "tail": lambda x: x[1:],
    "concatenated_rows": lambda x: tf.concat([x, x], 0),
    "prod": tf.reduce_prod,
    "every_other": lambda x: x[::2],
    "cumsum": lambda x: tf.cumsum(x, 0),
    "roll": lambda x: tf.roll(x, 1, 0),
    "trace": lambda x: tf.linalg.trace(tf.matmul(x, x, transpose_b=True)),
    "ones_like": tf.ones_like,
    "sort": lambda x: tf.sort(x, 0),
    "unique": lambda x: tf.unique(_kinds(x))[0],
    "svd": lambda x: tf.linalg.svd(x, compute_uv=False),
    "while": lambda x: tf.while_loop(lambda i, a: i < 3, lambda i, a: (i + 1, a * 2), (0, x))[1],
}


def digest(value):
    """Return a number that tells two arrays apart, by their shapes, their values and where these are."""
    flat = tf.reshape(tf.cast(value, tf.float32), [-1])
    flat = tf.where(tf.math.is_finite(flat), flat, 1e3)
    weights = 1.5 + tf.cos(tf.cast(tf.range(tf.size(flat)), tf.float32))
    shape = tf.cast(tf.shape(value), tf.float32)
    return tf.reduce_sum(flat * weights) + 100 * tf.reduce_sum(shape)


def digests(x, functions):
    """Return by name the digests of the functions' values and of the gradient of the sum of their sines."""
    results = {}
    for name, function in functions.items():
        with tf.GradientTape() as tape:
            tape.watch(x)
            values = [tf.convert_to_tensor(v) for v in tf.nest.flatten(function(x))]
            total = tf.add_n([tf.reduce_sum(tf.sin(v)) for v in values if v.dtype == tf.float32] or [0.0])
        gradient = tape.gradient(total, x)
        values += [] if gradient is None else [tf.convert_to_tensor(gradient)]
        results[name] = [digest(value) for value in values]
    return results


def shortened(functions):
    """Return a compiled function of [ROWS, COLUMNS] and a number of rows, which gives the digests."""

    @tf.function(jit_compile=True, autograph=False)
    def declared_shorter(x, n_rows):
        return digests(short_batch._shortened(x, n_rows), functions)

    return declared_shorter


def graph_of(function):
    specs = tf.TensorSpec([ROWS, COLUMNS]), tf.TensorSpec([], tf.int32)
    return shortened({"": function}).get_concrete_function(*specs).graph


@pytest.fixture(scope="module")
def graphs():
    return {name: graph_of(function) for name, function in FUNCTIONS.items()}


@pytest.mark.parametrize("name", REFUSED)
def test_what_goes_wrong_is_refused(name):
    assert short_batch.unchecked_operations(graph_of(REFUSED[name]))


@pytest.mark.slow
def test_every_allowed_operation_is_tried(graphs):
    tried = set()
    for graph in graphs.values():
        if not short_batch.unchecked_operations(graph):
            tried |= {op.type for op in graph.get_operations() if not short_batch.has_known_shapes(op)}
    # An assertion has no result; XLA leaves it out.
    assert tried >= short_batch._CHECKED - {"Assert", "XlaRemoveDynamicDimensionSize"}


@pytest.mark.exhaustive
def test_allowed_operations_give_what_they_give_on_a_short_array(graphs):
    allowed = {n: f for n, f in FUNCTIONS.items() if not short_batch.unchecked_operations(graphs[n])}
    assert allowed.keys() == FUNCTIONS.keys()
    compiled = shortened(allowed)
    for n_rows in (5, ROWS, 1):
        expected = digests(tf.constant(X[:n_rows]), allowed)
        actual = compiled(tf.constant(X), tf.constant(n_rows))
        for name in allowed:
            for e, a in zip(expected[name], actual[name], strict=True):
                np.testing.assert_allclose(a, e, rtol=1e-3, atol=1e-3, err_msg=f"{name} of {n_rows} rows")
