"""Numbers of a model that are arguments of a program, where a trace would take them for constants.

Owns which they are, and `Argument`, what stands for one while a step is traced, whatever Keras runs on. So models that
differ in momentum, weight decay, clipping, regularization, the rate of dropout, the smoothing of labels or the weights
of losses share a program, as those do that differ in the learning rate. The weights of classes are no numbers of a
model: they are data before they get here. The strength of L1 is a tensor, see `state.constants_of`.

What stays a constant:
    `GaussianDropout.rate`, of which Keras takes the root with Python's `math`;
    whole numbers, which may be sizes;
    numbers of metrics, of preprocessing and other layers that are none of those above: they are seldom searched;
    all numbers where Keras computes in other types than float32: which type one gets would depend on what it meets.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import keras

from tuning.compiled import private
from tuning.compiled.state import held, is_of_keras, regularizers_of


class Number(NamedTuple):
    """Where a model has a number, and what a step may ask of it.

    Attributes:
        owner: an object of Keras's own with the number as an attribute, a dictionary with it as an entry, or the
            list of the losses of outputs with it as a weight.
        name: of the attribute or the entry, or number of the loss.
        limits: the step may compare it with these, which leaves out a part of it or not.
    """

    owner: Any
    name: Any
    limits: tuple[int, ...] = (0,)


RATES = ("rate", "stddev", "dropout", "recurrent_dropout")
"""What layers that draw random numbers call theirs, in their configs as well."""

Kind = tuple[tuple[bool, bool], ...]
"""How a number compares with each of its limits: is it less, is it equal."""


def numbers_of(model: Any) -> list[Number]:
    """Return where the model has numbers that may be arguments, each but once."""
    if keras.config.floatx() != "float32" or keras.config.dtype_policy().name != "float32":
        return []  # which type a number has would depend on what it meets
    owners = {id(owner): owner for owner in (model.optimizer, *regularizers_of(model))}.values()
    own = [owner for owner in owners if is_of_keras(type(owner))]
    found = [Number(owner, name) for owner in own for name in sorted(vars(owner))]
    found += [*_of_layers(private.of(model, "flatten_layers")(include_self=False)), *_of_losses(model)]
    return [number for number, value in zip(found, held(found), strict=True) if type(value) is float]


def _of_layers(layers: Iterable[Any]) -> list[Number]:
    """Return the rates of layers that draw random numbers, which compare them with both ends of their range."""
    own = [layer for layer in layers if is_of_keras(type(layer)) and type(layer) is not keras.layers.GaussianDropout]
    found = [(layer, name) for layer in own for name in RATES if name in vars(layer)]
    attention = [layer for layer in own if type(layer) is keras.layers.MultiHeadAttention]
    found += [(layer, private.name_of("dropout_of_attention", layer)) for layer in attention]
    return [Number(layer, name, (0, 1)) for layer, name in found]


def _of_losses(model: Any) -> list[Number]:
    """Return the numbers of losses, which Keras hands to a function, and their weights."""
    flat = private.flat_losses(model)
    losses = {id(loss): loss for _, loss, _, _ in flat if is_of_keras(type(loss))}.values()
    given = [(loss, private.given_to_wrapped(loss)) for loss in losses]
    # The attribute of the same name is read by nobody but who describes the loss.
    found = [Number(arguments, name) for _, arguments in given for name in arguments]
    found += [Number(loss, name) for loss, arguments in given for name in arguments if name in vars(loss)]
    return [*found, *(Number(private.list_of_losses(model), n, ()) for n in range(len(flat)))]


def kinds_of(model: Any) -> list[Kind]:
    """Return what models that share a program have in common of their numbers."""
    numbers = numbers_of(model)
    return [kind(number, value) for number, value in zip(numbers, held(numbers), strict=True)]


def kind(number: Number, value: float) -> Kind:
    """Return what a step may ask of a number."""
    return tuple((value < limit, value == limit) for limit in number.limits)


class NotAnArgumentError(TypeError):
    """A step asks more of a number than an argument can say."""


def _on_both_sides(operation: Callable[[Any, Any], Any]) -> tuple[Any, Any]:
    """Return an operator of `Argument`, and the one with an argument on its right side."""

    def left(self: Argument, other: Any) -> Any:
        return self._with(other, operation)

    def turned(mine: Any, given: Any) -> Any:
        return operation(given, mine)

    def right(self: Argument, other: Any) -> Any:
        return self._with(other, turned)

    return left, right


def _compared(operation: Callable[[float, float], bool]) -> Any:
    def compare(self: Argument, other: Any) -> bool:
        return self._is(other, operation)

    return compare


class Argument:
    """Stands for a number while a step is traced.

    Of its value only `kind` is known, which all models have in common that share the program. Whatever asks for more
    gets an error, and a trace in which the numbers are constants takes the place of this one. What it is made of, and
    how tensors take it for one of them, is said by the subclass of what Keras runs on.

    Args:
        value: the number itself; None where it was computed from one.
        limits: what it may be compared with.
    """

    __array_ufunc__ = None  # so that NumPy's numbers leave arithmetic to this class
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, value: float | None = None, limits: tuple[int, ...] = ()) -> None:
        self._value, self._limits = value, limits

    def among_tensors(self) -> Any:
        """Return the tensor that meets others."""
        raise NotImplementedError

    def among_numbers(self, other: Any, operation: Callable[[Any, Any], Any]) -> Any:
        """Return what an operation makes of it and a number, of Python's or another argument."""
        raise NotImplementedError

    def _with(self, other: Any, operation: Callable[[Any, Any], Any]) -> Any:
        if isinstance(other, (int, float, Argument)):
            return self.among_numbers(other, operation)
        return operation(self.among_tensors(), other)

    def _is(self, other: Any, compared: Callable[[float, float], bool]) -> bool:
        if self._value is None or type(other) not in (int, float) or other not in self._limits:
            raise NotAnArgumentError(f"a number is compared with {other!r}")
        return compared(self._value, other)

    def __neg__(self) -> Any:
        return self * -1

    def __bool__(self) -> bool:
        return bool(self != 0)

    __add__, __radd__ = _on_both_sides(operator.add)
    __sub__, __rsub__ = _on_both_sides(operator.sub)
    __mul__, __rmul__ = _on_both_sides(operator.mul)
    __truediv__, __rtruediv__ = _on_both_sides(operator.truediv)
    __pow__, __rpow__ = _on_both_sides(operator.pow)

    __eq__, __ne__ = _compared(operator.eq), _compared(operator.ne)
    __lt__, __le__ = _compared(operator.lt), _compared(operator.le)
    __gt__, __ge__ = _compared(operator.gt), _compared(operator.ge)
