"""Takes batches out of arrays on the device, and decides how the short last one is done.

Owns which of the ways of `ShortBatch` a model allows, and the list of operations that have been checked with arrays of
bounded size.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from tuning.compiled import private
from tuning.compiled.arrays import Samples
from tuning.compiled.backends import ShortBatch
from tuning.compiled.state import has_own_steps

# Layers whose output for a row depends on this row alone, in training too.
_ROW_BY_ROW_NAMES = """
    Activation Add AlphaDropout Average Concatenate Conv1D Conv2D Conv3D Dense Dot Dropout ELU Embedding
    Flatten GaussianDropout GaussianNoise GlobalAveragePooling1D GlobalAveragePooling2D GlobalMaxPooling1D
    GlobalMaxPooling2D Identity InputLayer LayerNormalization LeakyReLU MaxPooling1D MaxPooling2D Maximum
    Minimum Multiply Normalization PReLU Permute ReLU RepeatVector Rescaling Reshape SeparableConv2D Softmax
    SpatialDropout1D SpatialDropout2D Subtract UnitNormalization ZeroPadding2D
"""
_ROW_BY_ROW = tuple(getattr(keras.layers, name) for name in _ROW_BY_ROW_NAMES.split() if hasattr(keras.layers, name))

# Operations that give the same results on an array declared shorter as on a short one, along any axis. Others
# do not: `x[-1]` takes a surplus row, `tf.roll` and `tf.linalg.trace` count them, `tf.cumsum` ends the
# process while it is compiled. So what is not listed here is not used on such arrays.
_CHECKED_NAMES = """
    Abs AddN AddV2 All Any ArgMax ArgMin Assert Atan2 BatchMatMulV2 BiasAdd BiasAddGrad Bitcast
    BitwiseAnd BroadcastGradientArgs BroadcastTo Cast Ceil ConcatV2 Conv2D Conv2DBackpropFilter
    Conv2DBackpropInput Cos DivNoNan Einsum Elu EluGrad Equal Erf Erfc Exp ExpandDims Expm1 Fill Floor
    FloorDiv FloorMod GatherV2 Greater GreaterEqual Identity IdentityN InTopKV2 IsFinite IsInf IsNan
    L2Loss LeakyRelu LeakyReluGrad Less LessEqual Log Log1p LogSoftmax LogicalAnd LogicalNot LogicalOr
    MatMul Max MaxPool MaxPoolGrad Maximum Mean Min Minimum Mul MulNoNan Neg NotEqual OneHot Pack Pow
    Range RealDiv Reciprocal ReciprocalGrad Relu Relu6 Relu6Grad ReluGrad Reshape Rint Round Rsqrt
    RsqrtGrad Select SelectV2 Selu SeluGrad Shape ShapeN Sigmoid SigmoidGrad Sign Sin Size Softmax
    SoftmaxCrossEntropyWithLogits Softplus Softsign SoftsignGrad SparseSoftmaxCrossEntropyWithLogits
    Split SplitV Sqrt SqrtGrad Square SquaredDifference Squeeze StatelessRandomNormalV2
    StatelessRandomUniformV2 StopGradient Sub Sum Tan Tanh TanhGrad Tile Transpose Unpack
    UnsortedSegmentSum Xdivy XlaRemoveDynamicDimensionSize XlaSetDynamicDimensionSize Xlogy ZerosLike
"""
_CHECKED = frozenset(_CHECKED_NAMES.split())


def choose(model: Any, training: Samples | None, validation: Samples | None, by_xla: bool = True) -> list[ShortBatch]:
    """Return the ways to try for this model and these samples, the best first."""
    if not any(samples.n_short for samples in (training, validation) if samples is not None):
        return [ShortBatch.WHOLE]
    if not by_xla:
        return [ShortBatch.AS_IT_IS]
    if not _can_declare() or _draws_random_numbers(model):
        return [ShortBatch.SECOND]
    if _treats_rows_singly(model):
        return [ShortBatch.PER_ROW, ShortBatch.BOUNDED, ShortBatch.SECOND]
    return [ShortBatch.BOUNDED, ShortBatch.SECOND]


def unchecked_operations(graph: Any) -> set[str]:
    """Return the types of operations in a graph that have not been checked with arrays declared shorter.

    An operation all of whose inputs and outputs have a known shape does not get to see such an array.
    """
    return {op.type for op in graph.get_operations() if not has_known_shapes(op) and not _is_checked(op)}


def has_known_shapes(op: Any) -> bool:
    """Tell whether all inputs and outputs of an operation have a known shape."""
    return all(t.shape.is_fully_defined() for t in (*op.inputs, *op.outputs))


def _is_checked(op: Any) -> bool:
    if op.type in ("StridedSlice", "StridedSliceGrad"):
        return _takes_all_rows(op)
    return op.type in _CHECKED


def _takes_all_rows(op: Any) -> bool:
    """Tell whether a slice leaves the first axis as it is."""
    if op.get_attr("ellipsis_mask") & 1:
        return True
    strides = tf.get_static_value(op.inputs[3])
    is_whole = op.get_attr("begin_mask") & op.get_attr("end_mask") & 1
    is_other_axis = (op.get_attr("new_axis_mask") | op.get_attr("shrink_axis_mask")) & 1
    return bool(is_whole and not is_other_axis and strides is not None and strides[0] == 1)


@dataclasses.dataclass(frozen=True)
class Batches:
    """Gives a step its batches, within a trace.

    Attributes:
        model: whose step it is.
        samples: where the batches come from.
        tensors: their arrays, as arguments of the program.
        order: int32 [samples.size], the order of the samples, or None for the order they are in.
        n_rows: int32, number of samples.
        short: how the short last batch is done.
    """

    model: Any
    samples: Samples
    tensors: Any
    order: Any
    n_rows: Any
    short: ShortBatch

    @contextlib.contextmanager
    def any(self, index: tf.Tensor) -> Iterator[Any]:
        """Give batch number `index`, declared shorter if it is the last."""
        if self.samples.n_short and self.short is ShortBatch.AS_IT_IS:
            start = index * self.samples.batch_size
            short = self._at(tf.range(start, tf.minimum(start + self.samples.batch_size, self.n_rows)))
            yield self.samples.pack(short)
            return
        whole = self._rows(index)
        if not self.samples.n_short:
            yield self.samples.pack(whole)
            return
        n_valid = tf.minimum(self.n_rows - index * self.samples.batch_size, self.samples.batch_size)
        data = self.samples.pack([_shortened(tensor, n_valid) for tensor in whole])
        if self.short is not ShortBatch.PER_ROW:
            yield data
            return
        x = keras.utils.unpack_x_y_sample_weight(self.samples.pack(whole))[0]
        with _layers_see_whole_batches(self.model, x, n_valid):
            yield data

    @contextlib.contextmanager
    def whole(self, index: tf.Tensor) -> Iterator[Any]:
        """Give batch number `index`, which is not the short one."""
        yield self._packed(self._rows(index))

    @contextlib.contextmanager
    def rest(self, index: tf.Tensor) -> Iterator[Any]:
        """Give the short batch."""
        del index
        size = self.samples.batch_size
        yield self._packed(self._at(self.n_rows // size * size + tf.range(self.samples.n_short)))

    def _packed(self, tensors: list[tf.Tensor]) -> Any:
        """Return a batch of a body of its own, of as unknown a size as Keras's where that makes a difference.

        Keras weights the loss of each of several outputs by the size of the batch where its graph knows that, and it
        does not where the last batch is a short one: all batches then count the same.
        """
        if len(private.flat_losses(self.model)) > 1:
            tensors = [tf.compat.v1.placeholder_with_default(t, [None, *t.shape[1:]]) for t in tensors]
        return self.samples.pack(tensors)

    def _rows(self, index: tf.Tensor) -> list[tf.Tensor]:
        """Return a batch of full size; surplus rows repeat the last one."""
        positions = index * self.samples.batch_size + tf.range(self.samples.batch_size)
        return self._at(tf.minimum(positions, self.n_rows - 1) if self.samples.n_short else positions)

    def _at(self, positions: tf.Tensor) -> list[tf.Tensor]:
        rows = positions if self.order is None else tf.gather(self.order, positions)
        return [tf.gather(tensor, rows) for tensor in self.tensors]


def _shortened(tensor: tf.Tensor, n_valid: tf.Tensor) -> tf.Tensor:
    """Declare that only the first `n_valid` rows of `tensor` exist."""
    short = private.get("set_dynamic_dimension_size")(tensor, 0, n_valid)
    short.set_shape([None, *tensor.shape[1:]])
    return short


@contextlib.contextmanager
def _layers_see_whole_batches(model: Any, x: Any, n_valid: tf.Tensor) -> Iterator[None]:
    """Let the model's layers work on all rows of `x`, and its outputs have `n_valid` rows."""
    call = model.call

    def call_on_whole_batch(_: Any, *args: Any, **kwargs: Any) -> Any:
        outputs = call(x, *args, **kwargs)
        return keras.tree.map_structure(lambda output: _first_rows(output, n_valid), outputs)

    vars(model)["call"] = call_on_whole_batch
    try:
        yield
    finally:
        del vars(model)["call"]


def _first_rows(output: tf.Tensor, n_valid: tf.Tensor) -> tf.Tensor:
    """Shorten an output in such a way that the rows cut off get a gradient of zero."""

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def first_rows(whole: tf.Tensor) -> Any:
        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            full = private.get("remove_dynamic_dimension_size")(upstream, 0)
            full.set_shape(whole.shape)
            exists = tf.range(whole.shape[0]) < n_valid
            exists = tf.reshape(exists, [whole.shape[0]] + [1] * (whole.shape.rank - 1))
            return tf.where(exists, full, tf.zeros_like(full))

        return _shortened(whole, n_valid), gradient

    return first_rows(output)


def _draws_random_numbers(model: Any) -> bool:
    """Tell whether a layer draws random numbers, as dropout does.

    In a program that declares any array shorter, XLA writes the generator out in the loop over batches, and an epoch
    takes ten times as long.
    """
    return any(private.of(layer, "seed_generators") for layer in private.of(model, "flatten_layers")())


def _treats_rows_singly(model: Any) -> bool:
    if has_own_steps(model):
        return False
    models = [layer for layer in private.of(model, "flatten_layers")() if isinstance(layer, keras.Model)]
    if any(type(inner) not in (keras.Sequential, private.functional()) or "call" in vars(inner) for inner in models):
        return False
    operations = [op for inner in models for op in (*inner.layers, *getattr(inner, "operations", ()))]
    return all(type(op) in (keras.Sequential, private.functional()) or _is_row_by_row(op) for op in operations)


def _is_row_by_row(operation: Any) -> bool:
    """Tell whether an operation is a layer that is listed, and works along none but the later axes."""
    if type(operation) not in _ROW_BY_ROW or operation.activity_regularizer is not None:
        return False
    if getattr(operation, "mask_zero", False) or "call" in vars(operation):
        return False
    axes = [getattr(operation, name, None) for name in ("axis", "axes")]
    flat = [axis for axis in keras.tree.flatten(axes) if axis is not None]
    output = getattr(operation, "output", None) if flat else None
    return all(axis > 0 or (output is not None and -len(output.shape) < axis < 0) for axis in flat)


def _can_declare() -> bool:
    """Tell whether an array can be declared shorter; otherwise a short batch has a body of its own."""
    try:
        private.get("set_dynamic_dimension_size")
        private.get("remove_dynamic_dimension_size")
    except private.GoneError:
        return False
    return True
