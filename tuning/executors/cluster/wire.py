"""What the driver of a search and its agents on a cluster say to each other, besides `training.messages` and `channel`.

Owns the messages. An agent holds one slot, for as long as its driver wants it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuning.training.messages import Decision, Key

# From the driver -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Begin:
    """Start the worker process.

    Attributes:
        imports: modules to import ahead.
        silence_seconds: as of `ProcessExecutor`.
        slots, first: number of slots on the machine, and the place of this one among them.
        variables: of the driver's environment, for that of the worker process.
        payload: where another agent of the machine says that its payload lies; None to make one.
    """

    imports: tuple[str, ...]
    silence_seconds: float | None
    slots: int
    first: int
    variables: Mapping[str, str]
    payload: Place | None = None


@dataclass(frozen=True)
class Place:
    """An open file of a process, by which others of the same user and machine find it, and know that it is the one."""

    path: str
    device: int
    inode: int


@dataclass(frozen=True)
class Piece:
    """Bytes of the payload, from a position on; the first piece begins it anew."""

    position: int
    content: bytes


@dataclass(frozen=True)
class Complete:
    """That was the last piece of the payload."""


@dataclass(frozen=True)
class Gather:
    """Load the space's own data on this machine; `pickled` are the arguments of `space.gathered`."""

    pickled: bytes


@dataclass(frozen=True)
class PayloadIsWritten:
    """The payload is complete: read it."""


@dataclass(frozen=True)
class Answer:
    """The answer to a report."""

    key: Key
    decision: Decision


@dataclass(frozen=True)
class Put:
    """Bytes of a file in the agent's folder, from a position on; the first piece begins it anew."""

    path: str
    position: int
    content: bytes


@dataclass(frozen=True)
class Tidy:
    """Empty the agent's folder, for the next task."""


@dataclass(frozen=True)
class End:
    """The slot is not wanted any more."""


# From an agent -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Begun:
    """The answer to `Begin`: where the payload lies that the worker process will read."""

    payload: Place


@dataclass(frozen=True)
class Filled:
    """The answer to `Complete` and to `Gather`: the payload can be read by all workers of the machine."""


@dataclass(frozen=True)
class Broken:
    """The agent has ended because something cannot work on this machine; the error in one line."""

    error: str


@dataclass(frozen=True)
class Gone:
    """The agent has ended, and its worker process with it."""


@dataclass(frozen=True)
class Said:
    """A message of the worker process, with the files that are new since its last one: path and bytes of each."""

    message: Any
    files: tuple[tuple[str, int], ...] = ()
