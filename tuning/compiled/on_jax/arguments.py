"""Numbers that are arguments of a program, on JAX.

Owns what stands for one while a step is traced, and what a program gets in its place. JAX has no 64 bits as a rule, and
`1 - beta` of a float32 is not what Keras computes; so what a step makes of a number and a constant is made in Python
each time that the program runs, and handed over as one entry of an array.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax import lax

from tuning.compiled import numbers, private
from tuning.compiled.numbers import Argument, NotAnArgumentError, Number
from tuning.compiled.state import held

SLOTS_PER_NUMBER = 4
"""How many values a step may make of each number on average; Adam makes two of each beta."""

Operation = Callable[[Any, Any], Any]
Recipe = tuple[Operation | None, int, float]
"""An operation, which number is its left side, and its right side; no operation for the number itself."""


def numbers_of(model: Any) -> list[Number]:
    """Return where a model has numbers that may be arguments: none where their type would depend on what they meet."""
    config: Any = jax.config
    layers = private.of(model, "flatten_layers")(include_self=False)
    is_plain = not config.jax_enable_x64 and all(layer.compute_dtype in (None, "float32") for layer in layers)
    return numbers.numbers_of(model) if is_plain else []


class Slots:
    """Which values a trace makes of numbers, and where in an array they are.

    Args:
        n_numbers: how many numbers there are.
    """

    def __init__(self, n_numbers: int) -> None:
        self._size = SLOTS_PER_NUMBER * n_numbers
        self._taken: dict[Recipe, int] = {}

    def place_of(self, recipe: Recipe) -> int:
        """Return where a value is; it has a place from now on."""
        place = self._taken.setdefault(recipe, len(self._taken))
        if place >= self._size:
            raise NotAnArgumentError("a step makes too many values of its numbers")
        return place

    def filled(self, values: Sequence[float]) -> np.ndarray:
        """Return float32 [size], what a program that was traced with these slots gets of a model's numbers."""
        made = np.zeros(self._size, "float32")
        for (operation, which, other), place in self._taken.items():
            made[place] = values[which] if operation is None else operation(values[which], other)
        return made

    def arguments(self, places: Sequence[Number], entries: Any) -> list[JaxArgument]:
        """Return what stands for the numbers in these places where the program gets `entries`."""
        found = enumerate(zip(held(places), places, strict=True))
        return [JaxArgument(which, self, entries, value, number.limits) for which, (value, number) in found]


class JaxArgument(Argument):
    """What a step makes of it is an entry of an array.

    Args:
        which: its place among the model's numbers.
        slots: of the trace.
        entries: float32 [slots.size], an argument of the program.
        value, limits: see `Argument`.
    """

    def __init__(self, which: int, slots: Slots, entries: Any, value: float, limits: tuple[int, ...]) -> None:
        super().__init__(value, limits)
        self._which, self._slots, self._entries = which, slots, entries

    def among_tensors(self) -> Any:
        """Return the tensor that meets others."""
        return self._entry(None, 0)

    __jax_array__ = among_tensors

    def among_numbers(self, other: Any, operation: Operation) -> Any:
        """Return what an operation makes of it and a number: a tensor."""
        if isinstance(other, JaxArgument):
            return operation(self.among_tensors(), other.among_tensors())
        return self._entry(operation, other)

    def _entry(self, operation: Operation | None, other: float) -> Any:
        place = self._slots.place_of((operation, self._which, other))
        return lax.index_in_dim(self._entries, place, keepdims=False)


# What JAX has compiled, as `jnp.clip` is, takes one for the array that it stands for.
jax.tree_util.register_pytree_node(
    JaxArgument, lambda number: ((number.among_tensors(),), None), lambda _, entries: entries[0]
)
