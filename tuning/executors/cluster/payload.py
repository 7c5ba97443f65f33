"""What the worker processes of a cluster read the space and the data from, and how that comes to their machines.

Owns the driver's own copy: it is read on the driver's machine, and sent to others in pieces. Of a space with its own
data only the code is sent; each machine loads the data, and the copy is written when somebody reads it.
"""

from __future__ import annotations

from typing import Any

from tuning.data import Data
from tuning.executors.channel import write_payload
from tuning.executors.cluster.files import pieces, place_of
from tuning.executors.cluster.link import Link
from tuning.executors.cluster.slots import Payload
from tuning.executors.cluster.space import order
from tuning.executors.cluster.wire import Complete, Gather, Piece
from tuning.executors.processes import sendable, unnamed_file
from tuning.space import SearchSpace


class PayloadSource:
    """The driver's copy of the space and the data.

    Args:
        link: by which it is sent.

    Attributes:
        own: where the copy lies, for those who can read it there.
        is_loaded: whether it is known what is to be trained.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._file = unnamed_file()
        self.own = Payload(place_of(self._file))
        self.is_loaded = False
        self._record: Any = None
        self._order: bytes | None = None

    def load(self, source: str | None, space: SearchSpace, data: Data, is_own: bool) -> None:
        """Take what is to be trained.

        Args:
            source: the name by which the space is found elsewhere; None for one that travels.
            space, data: the space, and the data as they were loaded here.
            is_own: whether the data are the space's own.
        """
        self._record = (source, space if source is None else None, data)
        if is_own:
            with sendable("the space and its data"):
                self._order = order(source, space, data)
        else:
            self.write()
        self.is_loaded = True

    def write(self) -> None:
        """See to it that the copy is complete."""
        if not self.own.is_filled:
            with sendable("the space and its data"):
                write_payload(self._file, self._record)
            self.own.is_filled, self._record = True, None

    def send(self, slot: str) -> None:
        """Have the payload of a slot's machine filled."""
        if self._order is not None:
            self._link.tell(slot, Gather(self._order))
        else:
            self._link.tell_all(slot, lambda: (Piece(*one) for one in pieces(self._file)))
            self._link.tell(slot, Complete())

    def close(self) -> None:
        self._file.close()
