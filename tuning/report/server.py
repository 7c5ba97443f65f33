"""Servers on this machine: which port they have, how long they answer and whom, and when what they show has changed.

Owns what the live report and the dashboard share. A page from elsewhere could reach a server on 127.0.0.1 by a name of
its own that leads there; so a server answers only to whom its address was given.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from tuning.errors import OptionError, must
from tuning.storage.folder import DATABASE

HOST = "127.0.0.1"
N_PORTS = 50
"""Ports that are tried where none is asked for."""

_Server = TypeVar("_Server")
_Served = TypeVar("_Served", bound="Served")


class Served:
    """A server that answers while it is entered; a context manager.

    Args:
        server: one of the standard library's, which is bound to a port.

    Attributes:
        url: where it answers.
    """

    def __init__(self, server: Any) -> None:
        self._server = server
        self.url = f"http://{HOST}:{server.server_port}/"

    def __enter__(self: _Served) -> _Served:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.2,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def wait(self) -> None:
        """Serve until somebody interrupts."""
        while self._thread.is_alive():
            self._thread.join(1.0)


def bound(make: Callable[[tuple[str, int]], _Server], port: int | None, first: int) -> _Server:
    """Return a server on a port of this machine.

    Args:
        make: makes one of an address, or raises an OSError.
        port: default: the first free one from `first` on, or any.

    Raises:
        OptionError: the port is taken.
    """
    for one in range(first, first + N_PORTS) if port is None else [port]:
        try:
            return make((HOST, one))
        except OSError:
            continue
    if port is None:
        return make((HOST, 0))
    raise OptionError(must("port", "be free", port, "Leave it out for the first free one."))


def is_for_this_machine(host: str | None, port: int) -> bool:
    """Tell whether a request was sent to this machine by one of its own names; `host` is what the request says."""
    return host in {f"{name}:{port}" for name in (HOST, "localhost")}


def stamp(study: Path) -> Any:
    """Return what changes with the files of a study's database."""
    files = [study / DATABASE, study / f"{DATABASE}-wal"]
    return [(f.stat().st_mtime_ns, f.stat().st_size) if f.exists() else None for f in files]
