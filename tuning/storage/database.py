"""The database of a study: opened by its URL, kept to one driver, and reached again when it was away.

Owns URLs and what may be shown of them, the connection with its lock, and the words for what goes wrong with it.
Knows nothing of what is stored.
"""

from __future__ import annotations

import contextlib
import functools
import json
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tuning.errors import StudyError
from tuning.storage import sqlite
from tuning.storage.lock import held_by, holder, locked, take_in_database
from tuning.storage.url import parsed, secrets, shown

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from sqlalchemy import URL

DRIVER = "tuning_driver"  # the study's attribute that says who drives it

RECONNECT_SECONDS = 60.0
"""How long a driver tries to reach a database server again."""

_DRIVER_OF_STUDY = (
    "SELECT a.value_json FROM studies s JOIN study_user_attributes a ON a.study_id = s.study_id "
    f"WHERE s.study_name = %s AND a.key = '{DRIVER}'"
)
_NEW_DRIVER = (
    f"UPDATE study_user_attributes SET value_json = %s WHERE key = '{DRIVER}' "
    "AND study_id = (SELECT study_id FROM studies WHERE study_name = %s)"
)
# A server that has vanished without a word is given up after a minute.
_KEEPALIVE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 60_000}
_AWAY = ("57P01", "57P02", "57P03")  # the server is shutting down, has crashed, is starting up
LAST_TABLE = "alembic_version"  # of those that Optuna makes
_Result = TypeVar("_Result")


class Database:
    """A database with Optuna's tables in it, which are made by whoever writes first.

    A PostgreSQL server that goes away and comes back is reached again. That is safe because a driver writes through
    one connection, which also holds the study's lock: with the connection both are lost, and a new connection is
    only used when it has got the lock and nobody else has driven the study since.

    Args:
        url: SQLAlchemy's URL of the database; a SQLite file is created when it does not exist.
        study: name of the study.
        exclusive: whether to write the study, which one driver may do at a time.

    Raises:
        OptionError: the URL cannot be read.
        StudyError: the database cannot be opened, or another driver holds the study.
    """

    def __init__(self, url: str | URL, study: str, exclusive: bool = False) -> None:
        self._url, self._study = parsed(url), study
        self._backend = self._url.get_backend_name()
        self._file = Path(str(self._url.database)) if self._backend == "sqlite" else None
        self._resources = contextlib.ExitStack()
        self._me = holder()
        self._has_claimed = False
        self._expects_connection = True
        try:
            self._open(exclusive)
        except BaseException as error:
            self._resources.close()
            cause = _cause(error) or (error if isinstance(error, ImportError) else None)
            if cause is None:
                raise
            raise self._failure(cause, "opened") from None

    def _open(self, exclusive: bool) -> None:
        from sqlalchemy import create_engine, event

        from tuning.storage.schema import check

        options: dict[str, Any] = {}
        address, is_filled = self._url, False
        if self._file is not None:
            connect = self._resources.enter_context(self._opener(exclusive))
            address, options = sqlite.address(), {"creator": connect}
            is_filled = exclusive and sqlite.filled(connect, _tables)
        elif self._backend == "postgresql":
            options = {"connect_args": {"connect_timeout": 10, **_KEEPALIVE}}
        if exclusive:
            try:
                self._storage = _optuna_storage(address, options, is_filled)
            except RuntimeError as error:  # Optuna's, about tables of another release
                raise StudyError(f"the database {shown(self._url)} could not be opened: {error}") from error
            self._resources.callback(self._storage.remove_session)
            self.engine = self._storage.engine
            check(self.engine)
        else:
            self.engine = create_engine(address, **options)
        self._resources.callback(self.engine.dispose)
        if self._backend == "postgresql" and exclusive:
            event.listen(self.engine, "connect", self._connected)
            self.engine.dispose()  # connections made so far have not been listened to
        if self._file is None or self._file.exists():
            self.engine.connect().close()

    def _opener(self, exclusive: bool) -> contextlib.AbstractContextManager[Callable[[], sqlite3.Connection]]:
        return (sqlite.writing if exclusive else sqlite.reading)(self._file)  # type: ignore[arg-type]

    @property
    def storage(self) -> RDBStorage:
        """Optuna's storage, to write with."""
        return self._storage

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in the database yet, or no database."""
        from sqlalchemy import inspect

        if self._file is not None and not self._file.exists():
            return True
        return not self.do(lambda: inspect(self.engine).has_table(LAST_TABLE))

    def rows(self, query: str, values: Mapping[str, Any]) -> Sequence[Any]:
        """Return what a query finds."""
        from sqlalchemy import text

        def read() -> Sequence[Any]:
            with self.engine.connect() as connection:
                return connection.execute(text(query), values).all()

        return self.do(read)

    def lock_file(self) -> None:
        """Lock a SQLite file that does not lie in the study's folder, for this study.

        Raises:
            StudyError: another driver has locked it.
        """
        if self._file is not None:
            lock = f"{self._file.name}.{self._study}.lock"
            self._resources.enter_context(locked(self._file.parent, lock, self._study))

    def claim(self, study_id: int) -> None:
        """Write who drives the study, once there is one; from then on a lost connection is made again."""
        if self._backend == "postgresql":
            self.do(lambda: self._storage.set_study_user_attr(study_id, DRIVER, self._me))
            self._has_claimed = True

    def close(self) -> None:
        """Release the connections, and with them the lock."""
        self._resources.close()

    def do(self, action: Callable[[], _Result]) -> _Result:
        """Return `action()`, which uses the database and can be done twice.

        Raises:
            StudyError: the database cannot be used, or was away for too long; or another driver has taken over.
        """
        deadline = None
        while True:
            try:
                result = action()
                self._expects_connection = False
                return result
            except Exception as error:
                cause = _cause(error)
                if cause is None:
                    raise
                if not self._has_claimed or not _is_away(cause):
                    raise self._failure(cause, "used") from None
                deadline = time.monotonic() + RECONNECT_SECONDS if deadline is None else deadline
                if time.monotonic() > deadline:
                    raise self._failure(cause, f"reached again within {RECONNECT_SECONDS:g} s") from None
            time.sleep(0.25)
            self._expects_connection = True

    def _connected(self, connection: Any, _: Any) -> None:
        """Take the lock with a new connection, or close it."""
        try:
            if not self._expects_connection:
                raise _LostError  # nothing is written over a connection that has not been looked at
            self._expects_connection = False
            is_mine = take_in_database(connection, self._study)
            with connection.cursor() as cursor:
                row = cursor.execute(_DRIVER_OF_STUDY, (self._study,)).fetchone()
                who = None if row is None else json.loads(row[0])
                if is_mine and not self._has_claimed:
                    cursor.execute(_NEW_DRIVER, (json.dumps(self._me), self._study))
            connection.commit()
            if not is_mine:
                raise held_by(self._study, who)
            if self._has_claimed and who != self._me:
                what = "deleted" if who is None else f"taken up by process {who['pid']} on {who['host']}"
                raise StudyError(f"study '{self._study}' has been {what} while the database could not be reached.")
        except BaseException:
            connection.close()
            raise

    def _failure(self, cause: BaseException, what: str) -> StudyError:
        text = _first_line(cause)
        for secret in secrets(self._url):
            text = text.replace(secret, "***")
        advice = "What was stored before is kept: the same command goes on where it was." if what != "opened" else ""
        if isinstance(cause, ImportError):
            driver = self._url.get_driver_name()
            text = f"the package {driver} is missing"
            advice = "pip install 'keras-tuning[postgresql]' installs it." if driver == "psycopg" else ""
        return StudyError(f"the database {shown(self._url)} could not be {what}: {text}. {advice}".rstrip())


class _LostError(Exception):
    """The connection is gone."""


def _cause(error: BaseException) -> BaseException | None:
    """Return what the database said, if that is what `error` is about."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    if isinstance(error, StorageInternalError) and error.__cause__ is not None:
        error = error.__cause__
    return error if isinstance(error, (SQLAlchemyError, sqlite3.Error, _LostError)) else None


def _is_away(cause: BaseException) -> bool:
    """Tell whether the server may be back in a moment."""
    from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

    if isinstance(cause, _LostError):
        return True
    if not isinstance(cause, DBAPIError):
        return False
    state = getattr(cause.orig, "sqlstate", None)
    is_of_connection = state is None or state in _AWAY or state.startswith("08")
    return cause.connection_invalidated or (isinstance(cause, (OperationalError, InterfaceError)) and is_of_connection)


def _first_line(cause: BaseException) -> str:
    shown = getattr(cause, "orig", None) or cause
    text = str(shown).strip().partition("\n")[0].rstrip(".")
    return text or type(shown).__name__


def load() -> None:
    """Import all that writing to a database takes; for when there is time to spare."""
    _tables()


@functools.lru_cache(maxsize=1)
def _tables() -> tuple[str, ...]:
    """Return the statements that make Optuna's tables, which it makes in memory.

    It reads all its migrations each time that it makes some, which takes longer than the rest of opening a study.
    """
    from sqlalchemy import make_url

    storage = _optuna_storage(make_url("sqlite://"), {}, has_tables=False)
    connection = storage.engine.raw_connection()
    statements = tuple(connection.driver_connection.iterdump())  # type: ignore[union-attr]
    connection.close()
    storage.remove_session()
    storage.engine.dispose()
    return statements


def _optuna_storage(url: URL, options: Mapping[str, Any], has_tables: bool) -> RDBStorage:
    """Open a database to write to; make the tables that it does not have, unless it surely has them."""
    import optuna
    from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    address = url.render_as_string(hide_password=False).replace("{", "{{").replace("}", "}}")  # Optuna formats it
    skipped: dict[str, Any] = {"skip_compatibility_check": has_tables, "skip_table_creation": has_tables}
    try:
        return optuna.storages.RDBStorage(address, engine_kwargs=dict(options), **skipped)
    except (IntegrityError, OperationalError, ProgrammingError, optuna.exceptions.StorageInternalError):
        # Another search, of another study, may just have made the tables.
        return optuna.storages.RDBStorage(address, engine_kwargs=dict(options), **skipped)
