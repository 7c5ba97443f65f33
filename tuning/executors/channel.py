"""What the driver and its worker processes say to each other, and how large data travel.

Owns the messages besides those of `tuning.training.messages`, and the payload: the space and its data, pickled into a
file, with the arrays outside the pickle so that every worker maps the same pages instead of holding a copy. Whatever
is the user's travels as bytes inside a message, so that what cannot be unpickled never breaks the channel.
"""

from __future__ import annotations

import contextlib
import mmap
import pickle
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import cloudpickle

from tuning.space import pickling
from tuning.training.messages import Key

_HEADER = struct.Struct("<QQ")
_ALIGNMENT = 64


@dataclass(frozen=True)
class Batch:
    """How many tasks a worker trains at once.

    Attributes:
        size: their number.
        is_measured: whether epochs are one program only where that was found to be quicker.
    """

    size: int = 1
    is_measured: bool = False


SINGLY = Batch()
"""One after the other."""


@dataclass(frozen=True)
class Setup:
    """The first message to a worker.

    Attributes:
        sys_path: where modules are looked for.
        imports: modules to import ahead of the first task.
        batch: how many tasks it has at once.
    """

    sys_path: list[str]
    imports: tuple[str, ...] = ()
    batch: Batch = SINGLY


@dataclass(frozen=True)
class Load:
    """Read the space and its data from the payload file, which is complete now."""


@dataclass(frozen=True)
class Loaded:
    """The answer to `Load`: the worker is ready."""


@dataclass(frozen=True)
class Unable:
    """The other answer to `Load`: the space or its data cannot be had in a worker; the error in one line."""

    error: str


@dataclass(frozen=True)
class Train:
    """Train a task; `pickled` is the `Task` with that key. `is_alone`: while no other is trained."""

    key: Key
    pickled: bytes
    is_alone: bool = False


@dataclass(frozen=True)
class Call:
    """Call a function as `function(space, data, *arguments)`; the pickle holds (function, arguments)."""

    pickled: bytes


@dataclass(frozen=True)
class Returned:
    """What a `Call` returned or raised, pickled; `error` is the text when it cannot be pickled."""

    pickled: bytes | None
    raised: bool
    error: str = ""


@dataclass(frozen=True)
class Memory:
    """Comes before the last message of a task: memory of the worker's own, in bytes."""

    resident: int


@contextlib.contextmanager
def by_value(modules: Iterable[Any]) -> Iterator[None]:
    """Have what was defined in these modules pickled with its code: whoever reads it cannot import them."""
    known = cloudpickle.list_registry_pickle_by_value()
    fresh = [module for module in modules if module.__name__ not in known]
    for module in fresh:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in fresh:
            cloudpickle.unregister_pickle_by_value(module)


def write_payload(file: BinaryIO, record: Any) -> None:
    """Pickle `record` into a file from its beginning, by value where a module cannot be imported elsewhere."""
    file.seek(0)
    buffers: list[pickle.PickleBuffer] = []
    # The callback returns None, which puts the buffer outside the pickle.
    keep: Callable[[pickle.PickleBuffer], Any] = buffers.append
    body = pickling.dumps(record, keep)
    file.write(_HEADER.pack(len(body), len(buffers)))
    file.write(body)
    for buffer in buffers:
        with buffer.raw() as view:
            file.write(_HEADER.pack(len(view), 0))
            file.write(b"\0" * (-file.tell() % _ALIGNMENT))
            file.write(view)
    file.flush()


def read_payload(descriptor: int) -> Any:
    """Read what `write_payload` wrote into an open file; see `pickling.loads`.

    Arrays are views of the mapped file. Writing to them is possible where it was possible for the arrays that
    were pickled; it copies the page and is seen by nobody else.
    """
    mapped = memoryview(mmap.mmap(descriptor, 0, access=mmap.ACCESS_COPY))
    size, count = _HEADER.unpack_from(mapped, 0)
    position = _HEADER.size + size
    buffers = []
    for _ in range(count):
        length, _ = _HEADER.unpack_from(mapped, position)
        position += _HEADER.size
        position += -position % _ALIGNMENT
        buffers.append(mapped[position : position + length])
        position += length
    return pickling.loads(mapped[_HEADER.size : _HEADER.size + size], buffers)
