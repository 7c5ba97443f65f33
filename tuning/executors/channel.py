"""What the driver and its worker processes say to each other, and how large data travel.

Owns the messages besides those of `tuning.worker`, and the payload file: the space and its data, pickled, with
the arrays outside the pickle so that every worker maps the same pages instead of holding a copy.
"""

from __future__ import annotations

import mmap
import pickle
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cloudpickle

_HEADER = struct.Struct("<QQ")
_ALIGNMENT = 64


@dataclass(frozen=True)
class Setup:
    """The first message to a worker.

    Attributes:
        sys_path: where modules are looked for.
        imports: modules to import ahead of the first task.
    """

    sys_path: list[str]
    imports: tuple[str, ...] = ()


@dataclass(frozen=True)
class Load:
    """Read the space and its data from a payload file."""

    path: str


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
    """Follows the last message of a task: resident memory of the worker, in bytes."""

    resident: int


def write_payload(path: Path, record: Any) -> None:
    """Pickle `record` into a file, by value where a module cannot be imported elsewhere."""
    buffers: list[pickle.PickleBuffer] = []
    body = cloudpickle.dumps(record, protocol=5, buffer_callback=buffers.append)
    with open(path, "wb") as file:
        file.write(_HEADER.pack(len(body), len(buffers)))
        file.write(body)
        for buffer in buffers:
            with buffer.raw() as view:
                file.write(_HEADER.pack(len(view), 0))
                file.write(b"\0" * (-file.tell() % _ALIGNMENT))
                file.write(view)


def read_payload(path: Path) -> Any:
    """Read what `write_payload` wrote; arrays are read-only views of the mapped file."""
    with open(path, "rb") as file:
        mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    size, count = _HEADER.unpack_from(mapped, 0)
    position = _HEADER.size + size
    buffers = []
    for _ in range(count):
        length, _ = _HEADER.unpack_from(mapped, position)
        position += _HEADER.size
        position += -position % _ALIGNMENT
        buffers.append(mapped[position : position + length])
        position += length
    return pickle.loads(mapped[_HEADER.size : _HEADER.size + size], buffers=buffers)
