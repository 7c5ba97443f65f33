"""SQLite files: connections to write and to read.

Owns how a file is opened, whatever its path is made of: by whoever writes a study, with a write-ahead log; and by
readers, who change nothing, not even the folder, which they may not be able to write to.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from sqlalchemy import URL

BUSY_SECONDS = 60
"""How long SQLite waits for another program to end its transaction."""


def address() -> URL:
    """Return the URL that stands for any file; the connections say which one it is."""
    from sqlalchemy import make_url

    return make_url("sqlite:///file")


@contextlib.contextmanager
def writing(file: Path) -> Iterator[Callable[[], sqlite3.Connection]]:
    """Give what opens a file to write; it is made when there is none.

    The file gets a write-ahead log, which SQLite remembers: readers and the writer do not wait for each other.
    """

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(file, timeout=BUSY_SECONDS, check_same_thread=False)
        # The disk is waited for when the log is tidied only: a loss of power may cost the last transactions.
        connection.execute("PRAGMA synchronous=NORMAL")
        return connection

    with contextlib.closing(connect()) as first:
        first.execute("PRAGMA journal_mode=WAL")
    yield connect


def filled(connect: Callable[[], sqlite3.Connection], statements: Callable[[], Sequence[str]]) -> bool:
    """Run statements on a file that holds nothing yet, wholly or not at all; tell whether it did."""
    with contextlib.closing(connect()) as connection:
        connection.isolation_level = None  # transactions are begun and ended here
        if not _is_empty(connection):
            return False
        wanted = [s for s in statements() if s not in ("BEGIN TRANSACTION;", "COMMIT;")]
        connection.execute("BEGIN IMMEDIATE")
        is_empty = _is_empty(connection)  # still: another program may have been quicker
        for statement in wanted if is_empty else ():
            connection.execute(statement)
        connection.execute("COMMIT")
        return is_empty


def _is_empty(connection: sqlite3.Connection) -> bool:
    return not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]


@contextlib.contextmanager
def reading(file: Path) -> Iterator[Callable[[], sqlite3.Connection]]:
    """Give what opens a file to read. Where the folder cannot be written to, nobody else can be writing either.

    There, the log of a search that was killed cannot be taken in, so a copy is read.
    """
    with contextlib.ExitStack() as resources:
        mode = "mode=rw" if _is_writable(file) else "mode=ro"  # who opens it to write tidies up what is left of the log
        if not _is_writable(file.parent):
            mode = "mode=ro&immutable=1"
            log = file.with_name(f"{file.name}-wal")
            if log.is_file() and log.stat().st_size:
                copies = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="tuning-")))
                for path in (file, log):
                    shutil.copyfile(path, copies / path.name)
                file, mode = copies / file.name, "mode=ro"
        uri = f"file:{quote(str(file.absolute()))}?{mode}"

        def connect() -> sqlite3.Connection:
            connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, check_same_thread=False)
            connection.execute("PRAGMA schema_version")  # only now the file is looked at
            return connection

        yield connect


def _is_writable(path: Path) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)
