"""URLs of databases: read, and shown without anything that may be a secret.

Owns what may be shown. What is not known to be harmless is masked; a URL whose parts cannot be told apart for certain
is refused, because part of a password may stand anywhere in it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from tuning.errors import OptionError

if TYPE_CHECKING:
    from sqlalchemy import URL

HARMLESS = ("sslmode", "connect_timeout", "application_name", "user", "host", "port", "dbname", "target_session_attrs")
"""Arguments in a URL's query whose values are shown."""

_SHORT = 4
"""Values of fewer characters are not looked for in messages, unless they are passwords for certain."""


def of_file(path: Path) -> URL:
    """Return the URL of a SQLite file, whatever its path is made of."""
    from sqlalchemy import URL

    return URL.create("sqlite", database=str(path))


def parsed(url: str | URL) -> URL:
    """Read the URL of a database; nothing of one that cannot be read is shown, as that may be the password.

    Raises:
        OptionError: it cannot be read, or names a database that ends with the process.
    """
    from sqlalchemy import exc, make_url

    try:
        read = make_url(url)
        if read.drivername in ("postgres", "postgresql"):
            read = read.set(drivername="postgresql+psycopg")
        read.get_dialect()
    except (exc.ArgumentError, ValueError):
        raise OptionError(
            "`storage` must be the URL of a database, such as postgresql://user:password@host/database or "
            "sqlite:///path/to/file.db, but what was given cannot be read as one."
        ) from None
    if read.get_backend_name() != "sqlite" and str(url).count("@") > 1:  # any of them may be the one that ends it
        raise OptionError(
            "`storage` must have no '@' in its password, nor '/' or ':': write %40, %2F and %3A in their place."
        )
    if read.get_backend_name() == "sqlite" and read.database in (None, "", ":memory:"):
        raise OptionError(
            "`storage` must be a file or a server: a SQLite database without a file ends with the search."
        )
    return read


def anchored(url: str, folder: Path) -> str:
    """Return a URL with the path of a SQLite file, where it is relative, from a folder on."""
    relative = re.fullmatch(r"(sqlite(?:\+\w+)?:///)(?![/:])([^?]+)(.*)", str(url))
    return f"{relative[1]}{folder / relative[2]}{relative[3]}" if relative else url


def shown(url: URL) -> str:
    """Return a URL as it may be shown."""
    if url.get_backend_name() == "sqlite":
        return f"sqlite:///{url.database}"
    hidden = {name: value if name in HARMLESS else "***" for name, value in url.query.items()}
    return url.set(query=hidden).render_as_string(hide_password=True)


def without_password(url: str) -> str:
    """Return a URL as it may be shown, or what may be shown of one that cannot be read."""
    try:
        return shown(parsed(url))
    except OptionError:
        scheme = re.match(r"([a-z]+(?:\+[a-z0-9]+)?)://", url)
        return f"{scheme[1]}://***" if scheme else "***"


def secrets(url: URL) -> list[str]:
    """Return what must not be shown in messages about the database, longest first."""
    values = [(name, str(value)) for name, value in url.query.items() if name not in HARMLESS]
    found = {value for name, value in values if len(value) >= _SHORT or "pass" in name.lower()}
    found |= {str(url.password)} if url.password else set()
    return sorted(found - {""}, key=len, reverse=True)
