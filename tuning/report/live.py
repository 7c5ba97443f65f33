"""The report of a study, served on this machine while the search runs.

Owns the server: it answers on 127.0.0.1 only, and only to whom its address was given, so that no page from elsewhere
reads it by a name of its own that leads here. The page asks every few seconds for a newer one (`page.js`); it is made
again only where the study has changed.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tuning.errors import StudyError, TuningError
from tuning.report.page import html
from tuning.report.server import Served, bound, is_for_this_machine, stamp
from tuning.storage.lock import refuse_if_locked
from tuning.study import Study

FIRST_PORT = 6106
"""The first that is tried where none is asked for."""

HEADS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""What every answer begins with: nobody keeps it, and no other page shows or reads it."""

LEAST_SECONDS = 2.0
"""Between two looks at a study in a database that does not tell when it has changed."""


class Live(Served):
    """A server of a report; a context manager.

    Args:
        path: the study's folder.
        storage: URL of its database, where it is not the file in the folder.
        port: default: the first free one from `FIRST_PORT` on.

    Raises:
        OptionError: the port is taken.
    """

    def __init__(self, path: Path, storage: str | None = None, port: int | None = None) -> None:
        self._path, self._storage = path, storage
        self._lock = threading.Lock()
        self._made: tuple[Any, bytes, str] | None = None
        handler = _handler(self.page)
        super().__init__(bound(lambda address: _Server(address, handler), port, FIRST_PORT))

    def page(self) -> tuple[bytes, str]:
        """Return the page as it is by now, and a tag that changes with it."""
        with self._lock:
            stamp = self._stamp()
            if self._made is None or self._made[0] != stamp:
                text = html(Study(self._path, storage=self._storage), is_live=True).encode()
                tag = hashlib.sha256(repr(stamp).encode() + text).hexdigest()[:32]
                self._made = stamp, text, f'"{tag}"'
            return self._made[1:]

    def _stamp(self) -> Any:
        """Return what changes with the study: its files, or the time where it has none here."""
        if self._storage is not None:
            return int(time.monotonic() / LEAST_SECONDS)
        return [stamp(self._path), _is_searched(self._path)]


def _is_searched(path: Path) -> bool:
    try:
        refuse_if_locked(path)
    except StudyError:
        return True
    return False


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = False


def _handler(page: Callable[[], tuple[bytes, str]]) -> type[BaseHTTPRequestHandler]:
    """Return what answers requests: the page, or nothing."""

    class Handler(BaseHTTPRequestHandler):
        server: _Server

        def do_GET(self) -> None:
            if not is_for_this_machine(self.headers.get("Host"), self.server.server_port):
                self._answer(403, b"this report answers to 127.0.0.1 only")
            elif self.path.partition("?")[0] != "/":
                self._answer(404, b"there is nothing here")
            else:
                self._answer_page()

        def _answer_page(self) -> None:
            try:
                text, tag = page()
            except TuningError as error:  # it is just being made, or gone
                self._answer(503, str(error).encode())
                return
            is_known = self.headers.get("If-None-Match") == tag
            self._answer(304 if is_known else 200, b"" if is_known else text, {"ETag": tag})

        def _answer(self, status: int, body: bytes, more: Mapping[str, str] | None = None) -> None:
            kind = "text/html" if status in (200, 304) else "text/plain"
            with contextlib.suppress(ConnectionError):  # who asked has gone
                self.send_response(status)
                heads = {"Content-Type": f"{kind}; charset=utf-8", "Content-Length": str(len(body))}
                for name, value in {**heads, **HEADS, **(more or {})}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: what is printed is for the command."""

    return Handler
