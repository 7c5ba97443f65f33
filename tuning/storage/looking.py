"""A study's file, looked at: what `Database` is to whoever has a file and writes nothing.

Owns reading without SQLAlchemy, whose import takes as long as reading some thousand trials.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tuning.errors import StudyError
from tuning.storage import sqlite
from tuning.storage.database import LAST_TABLE

_TABLE = "SELECT name FROM sqlite_master WHERE type = 'table' AND name = :name"


class Looking:
    """A file that is there, with Optuna's tables in it or without.

    Args:
        file: its path.

    Raises:
        StudyError: it cannot be opened.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._resources = contextlib.ExitStack()
        try:
            connect = self._resources.enter_context(sqlite.reading(file))
            self._connection = self._resources.enter_context(contextlib.closing(connect()))
        except sqlite3.Error as error:
            self._resources.close()
            raise self._failure(error, "opened") from None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in the file yet."""
        return not self.rows(_TABLE, {"name": LAST_TABLE})

    def rows(self, query: str, values: Mapping[str, Any]) -> Sequence[Any]:
        """Return what a query finds.

        Raises:
            StudyError: the file cannot be read.
        """
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise self._failure(error, "used") from None

    def close(self) -> None:
        """Close the file."""
        self._resources.close()

    def _failure(self, error: sqlite3.Error, what: str) -> StudyError:
        said = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        return StudyError(f"the database sqlite:///{self._file} could not be {what}: {said}.")
