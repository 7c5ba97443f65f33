"""URLs of databases: what may be a secret is never shown, wherever in the URL it stands."""

from pathlib import Path

import pytest

from tuning.errors import OptionError
from tuning.storage.url import anchored, of_file, parsed, secrets, shown, without_password

SECRET = "QSECRET"


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://me:top@{SECRET}/part:2@127.0.0.1:1/x",
        f"postgresql://me:{SECRET}/part@127.0.0.1:1/x",
        f"postgresql://me:{SECRET}?part@127.0.0.1:1/x",
        f"postgresql://me:part#{SECRET}@127.0.0.1:1/x",
        f"postgresql://me:top@{SECRET}@127.0.0.1:1/x",
        f"postgresql://me:a:{SECRET}@127.0.0.1:1/x",
        f"postgresql:/me:{SECRET}@host/x",
        f"{SECRET}://me@host",
        f"me:{SECRET}@host/x",
        f"postgresql://127.0.0.1:1/x?user=me&PASSWORD={SECRET}",
        f"postgresql://127.0.0.1:1/x?PassWord={SECRET}&sslmode=require",
        f"postgresql://127.0.0.1:1/x?sslkey={SECRET}",
        f"postgresql://127.0.0.1:1/x?options=-c%20my.{SECRET}",
        f"postgresql://me:{SECRET}@127.0.0.1:1/x",
    ],
)
def test_no_part_of_a_secret_is_shown(url):
    text = without_password(url)
    try:
        read = parsed(url)
    except OptionError as error:
        text += str(error)
    else:
        text += shown(read)
        assert any(SECRET in secret for secret in secrets(read)), "nor is it in what the database says"
    assert SECRET not in text


def test_what_is_harmless_is_shown():
    url = "postgresql://me:x@host:5/db?sslmode=require&connect_timeout=3&anything=else"
    assert without_password(url).replace("+psycopg", "") == (
        "postgresql://me:***@host:5/db?anything=%2A%2A%2A&connect_timeout=3&sslmode=require"
    )
    assert without_password("sqlite:////tmp/a@b/c@d.db") == "sqlite:////tmp/a@b/c@d.db"


@pytest.mark.parametrize(
    "url, found",
    [
        ("sqlite:///a.db", "sqlite:////here/a.db"),
        ("sqlite+pysqlite:///b/a.db?timeout=5", "sqlite+pysqlite:////here/b/a.db?timeout=5"),
        ("sqlite:////b/a.db", "sqlite:////b/a.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("sqlite://", "sqlite://"),
        ("postgresql://me:x@host/db", "postgresql://me:x@host/db"),
    ],
)
def test_a_relative_file_is_found_wherever_the_working_folder_is_by_then(url, found):
    assert anchored(url, Path("/here")) == found


def test_an_encoded_password_is_read():
    assert parsed("postgresql://me:a%40b%2Fc%3A@host/x").password == "a@b/c:"


@pytest.mark.parametrize("name", ["a?b", "a%2Fb", "a#b", "a {b} c", "ü"])
def test_a_file_may_be_called_anything(name, tmp_path):
    assert parsed(of_file(tmp_path / name)).database == str(tmp_path / name)
