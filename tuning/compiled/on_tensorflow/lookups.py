"""Watches, while a program runs, for indices beyond the table that they are looked up in.

Owns a check that TensorFlow's kernels for a CPU make and XLA does not: it takes the table's last row. What `indices`
sees in the data before training is only the part of them that reaches a table as it is; here the operations that a step
was traced to are looked at, wherever their indices come from. With an accelerator Keras compiles with XLA itself, and
there is nothing that would be different.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

NOTHING = (-1, 0)
"""What has been found as long as all indices are valid: the number of a lookup, and how its index is written down."""

_CALLS = ("While", "StatelessWhile", "If", "StatelessIf", "Case", "PartitionedCall", "StatefulPartitionedCall")


class HiddenLookupError(Exception):
    """A table is looked up inside a function of the step's own, where its indices cannot be watched."""


def lookups_in(operations: Sequence[Any]) -> list[Any]:
    """Return those operations of a step that take rows of a table by an index that is not known beforehand.

    Raises:
        HiddenLookupError: there is one where nothing can be watched.
    """
    for op in operations:
        if op.type in _CALLS and _looks_up(op):
            raise HiddenLookupError("a table is looked up inside a loop or function, where ids cannot be checked")
    return [op for op in operations if op.type in ("ResourceGather", "GatherV2") and not _is_constant(op.inputs[1])]


def found_by(operations: Sequence[Any], before: tf.Tensor) -> tf.Tensor:
    """Return int64 [2], the number of a lookup and its wrong index; `before`, where that has found something already.

    Args:
        operations: what `lookups_in` returned.
        before: int64 [2], what has been found in earlier batches.
    """
    found = before
    for number, op in enumerate(operations):
        indices = tf.cast(op.inputs[1], tf.int64)
        is_wrong = (indices < 0) | (indices >= tf.cast(_size_of_table(op), tf.int64))
        # A valid index counts as 0, so others are written down as what is never 0.
        wrong = tf.where(is_wrong, tf.where(indices < 0, indices, indices + 1), tf.zeros_like(indices))
        most = tf.reduce_max(wrong)
        code = tf.where(most > 0, most, tf.reduce_min(wrong))
        found = tf.where((found[0] < 0) & (code != 0), tf.stack([tf.constant(number, tf.int64), code]), found)
    return found


def complain(found: Any, names: Sequence[str]) -> None:
    """Raise what Keras would have raised, if something was found.

    Args:
        found: [2], what a program has found.
        names: those of the lookups.

    Raises:
        tf.errors.InvalidArgumentError: an index is no valid one.
    """
    number, code = (int(value) for value in found)
    if number >= 0:
        index = code - 1 if code > 0 else code
        raise tf.errors.InvalidArgumentError(
            None, None, f"the data contain {index}, which {names[number]} has no row for"
        )


def name_of(op: Any) -> str:
    """Return the layer that an operation belongs to, or its own name where it belongs to none."""
    parts = op.name.split("/")
    return str(parts[-2] if len(parts) > 1 else parts[-1])


def _size_of_table(op: Any) -> Any:
    if op.type == "ResourceGather":
        return tf.raw_ops.VariableShape(input=op.inputs[0])[op.get_attr("batch_dims")]
    axis = tf.get_static_value(op.inputs[2])
    return tf.shape(op.inputs[0])[int(axis)]


def _is_constant(tensor: Any) -> bool:
    return tf.get_static_value(tensor) is not None


def _looks_up(op: Any) -> bool:
    """Tell whether a function that is called there reads rows of a variable."""
    library = {f.signature.name: f for f in op.graph.as_graph_def().library.function}
    pending = [op.node_def.attr]
    while pending:
        for value in pending.pop().values():
            names = [value.func.name] if value.HasField("func") else [f.name for f in value.list.func]
            for function in (library.pop(name, None) for name in names):
                if function is not None:
                    if any(node.op == "ResourceGather" for node in function.node_def):
                        return True
                    pending += [node.attr for node in function.node_def]
    return False
