"""Pickles for processes elsewhere, with all that they need to know to read them and to work with what they read.

Owns what that is. First comes what the writer has set in Keras, because values may be made by it. Models say whether
they may be trained as a whole, which Keras's pickles forget of those that are made of others' layers: a frozen one
would come back as trainable, with frozen layers, and setting it to trainable would change nothing. Last comes what of
the program's own is among the values, by its name: a trial may pickle it, or read a pickle of it.
"""

from __future__ import annotations

import io
import pickle
import sys
import types
from collections.abc import Callable, Iterable
from pickle import PickleBuffer
from typing import Any

import cloudpickle

from tuning.space.keras_settings import KerasSettings

_PROTOCOL = 5


def dumps(value: Any, buffer_callback: Callable[[PickleBuffer], Any] | None = None) -> bytes:
    """Pickle as `cloudpickle.dumps` does, for `loads`.

    Args:
        value: what is pickled.
        buffer_callback: is given the arrays' buffers, which stay outside where it returns None.
    """
    with io.BytesIO() as file:
        pickler = _Pickler(file, protocol=_PROTOCOL, buffer_callback=buffer_callback)
        pickler.dump((KerasSettings(), value, pickler.own))  # in this order, so that all names are known at the end
        return file.getvalue()


def loads(pickled: bytes | memoryview, buffers: Iterable[Any] = ()) -> Any:
    """Read what `dumps` wrote; set in Keras, and in `__main__`, what its writer had there."""
    _, value, own = pickle.loads(pickled, buffers=buffers)
    vars(sys.modules["__main__"]).update(own)
    return value


class _Pickler(cloudpickle.Pickler):
    def __init__(self, file: io.BytesIO, **options: Any) -> None:
        super().__init__(file, **options)
        self.own: dict[str, Any] = {}

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, (type, types.FunctionType)):
            name = obj.__name__
            if obj.__module__ == "__main__" and vars(sys.modules["__main__"]).get(name) is obj:
                self.own[name] = obj
            return super().reducer_override(obj)
        keras = sys.modules.get("keras")
        if keras is None or not issubclass(type(obj), keras.Model):
            return super().reducer_override(obj)
        make, arguments, *rest = obj.__reduce_ex__(_PROTOCOL)
        return (_made, (make, arguments, _flags(obj, keras.Model)), *rest)


def _flags(layer: Any, container: Any) -> tuple[bool, list[Any]]:
    """Return whether a layer is trainable, and the same of those that it is made of."""
    parts = layer.layers if isinstance(layer, container) else []
    return layer.trainable, [_flags(part, container) for part in parts]


def _made(make: Callable[..., Any], arguments: tuple[Any, ...], flags: tuple[bool, list[Any]]) -> Any:
    model = make(*arguments)
    _set_flags(model, flags)
    return model


def _set_flags(layer: Any, flags: tuple[bool, list[Any]]) -> None:
    trainable, parts = flags
    if layer.trainable != trainable:
        layer.trainable = trainable  # and with it that of its parts
    if parts:
        for part, of_part in zip(layer.layers, parts, strict=False):
            _set_flags(part, of_part)
