"""What is said of a database that cannot be opened, and what is never said."""

import contextlib
import socket

import pytest

from tests.conftest import loaded_by
from tuning.errors import StudyError
from tuning.storage.database import Database


@pytest.fixture
def nobody():
    """The address of a port where nobody listens."""
    with contextlib.closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


@pytest.mark.parametrize("password", ["s3cret", "refused"], ids=["ours alone", "a word that the database says too"])
@pytest.mark.parametrize(
    "url", ["me:{}@{}/db", "me@{1}/db?password={0}", "me@{1}/db?sslpassword={0}&application_name=mine"]
)
def test_an_error_shows_no_password_wherever_it_stood_in_the_url(url, password, nobody):
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'keras-tuning[postgresql]'")
    with pytest.raises(StudyError, match="could not be opened") as error:
        Database(f"postgresql://{url.format(password, nobody)}", "s")
    assert password not in str(error.value) and nobody in str(error.value) and "\n" not in str(error.value)


@pytest.mark.medium
def test_what_is_loaded_ahead_is_all_that_writing_takes(tmp_path):
    code = f"""
from tuning.storage import database
database.load()
before = set(sys.modules)
database.Database("sqlite:///{tmp_path}/trials.db", "s", exclusive=True)
assert not [name for name in set(sys.modules) - before if name.startswith(("alembic", "optuna", "sqlalchemy"))]
"""
    assert loaded_by(code, "alembic") == ["alembic"]
