"""The store in a SQLite file: the contract, and what is SQLite's own."""

import os
import sqlite3
import subprocess
import sys

import pytest

import tuning
from tests.conftest import ROOT
from tests.contracts.store import DEFINITION, StoreContract, a_trial
from tests.processes import CURVE, is_sound
from tests.simulation import MIXED_SPACE
from tuning.errors import OptionError, StudyError
from tuning.storage.store import Store
from tuning.storage.url import without_password
from tuning.study import Study


class TestStoreInTheStudysFolder(StoreContract):
    @pytest.fixture
    def where(self, tmp_path):
        return tmp_path / "study", None


class TestStoreInAFileElsewhere(StoreContract):
    @pytest.fixture
    def where(self, tmp_path):
        (tmp_path / "elsewhere").mkdir()
        return tmp_path / "study", f"sqlite:///{tmp_path}/elsewhere/all.db"

    test_a_thousand_trials = None  # takes seconds, and the file is no other


def test_the_file_keeps_a_write_ahead_log_and_does_not_wait_for_the_disk(tmp_path):
    store = Store.of(tmp_path / "study", exclusive=True)
    store.create(DEFINITION)
    with store._storage.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1  # NORMAL
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 60_000
    store.close()
    assert is_sound(tmp_path / "study" / "trials.db")


@pytest.mark.medium
def test_a_writer_waits_for_another_programs_transaction_and_then_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("tuning.storage.sqlite.BUSY_SECONDS", 0.3)
    store = Store.of(tmp_path / "study", exclusive=True)
    store.create(DEFINITION)
    store.begin(a_trial(), None, MIXED_SPACE)
    with sqlite3.connect(tmp_path / "study" / "trials.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StudyError, match="could not be used: database is locked.*the same command goes on"):
            store.save(a_trial())
        other.execute("ROLLBACK")
    store.save(a_trial())
    store.close()


def test_a_file_that_is_no_database_is_an_error(tmp_path):
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "trials.db").write_text("not a database, but long enough to be looked at" * 100)
    with pytest.raises(StudyError, match="could not be opened: file is not a database"):
        Store.of(tmp_path / "study")


@pytest.mark.medium
def test_a_study_that_was_written_can_be_read_where_nothing_can_be_written(tmp_path):
    study = tuning.search(CURVE, engine="random", trials=2, epochs=2, logs=tmp_path)
    database = study.path / "trials.db"
    before = database.read_bytes()
    Study(study.path)
    assert database.read_bytes() == before, "reading writes nothing"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("postgresql://me:s3cret@host:5432/db", "postgresql+psycopg://me:***@host:5432/db"),
        ("postgres://me:s3cret@host/db", "postgresql+psycopg://me:***@host/db"),
        ("postgresql+psycopg2://me:s3cret@host/db", "postgresql+psycopg2://me:***@host/db"),
        ("postgresql://me:s3/cret@host/db", "postgresql+psycopg://me:***@host/db"),
        ("postgresql://host/db?user=me&password=s3cret", "postgresql+psycopg://host/db?password=%2A%2A%2A&user=me"),
        ("postgresql://me:s3@cret@host/db", "postgresql://***"),
        ("postgresql://me@host/db", "postgresql+psycopg://me@host/db"),
        ("mysql://me:s3cret@host/db", "mysql://me:***@host/db"),
        ("sqlite:////tmp/file.db", "sqlite:////tmp/file.db"),
        ("s3cret", "***"),
    ],
)
def test_a_url_is_shown_without_its_password(given, shown):
    assert without_password(given) == shown


@pytest.mark.parametrize(
    "url",
    ["s3cret", "postgresql://me:s3cret@host:port/db", "postgresql://me:s3@cret@host/db", "sqlite://", "odd://s3cret@h"],
)
def test_a_url_that_cannot_be_used_is_refused_without_showing_it(url, tmp_path):
    with pytest.raises(OptionError, match="`storage` must") as error:
        tuning.search(CURVE, engine="random", trials=1, epochs=1, storage=url, logs=tmp_path)
    assert "s3" not in str(error.value) and "cret" not in str(error.value)
    assert not list(tmp_path.iterdir()) and not [name for name in os.listdir() if "sqlite" in name]


@pytest.mark.medium
def test_a_new_study_is_not_made_among_the_files_of_another(tmp_path):
    def search(**arguments):
        return tuning.search(CURVE, engine="random", trials=2, epochs=2, seed=0, study="s", logs=tmp_path, **arguments)

    elsewhere = f"sqlite:///{tmp_path}/all.db"
    search()
    with pytest.raises(StudyError, match="the database has no 's' and .*/s holds trials.db.*tensorboard"):
        search(storage=elsewhere)
    search(storage=elsewhere, overwrite=True)
    assert not (tmp_path / "s" / "trials.db").exists()
    with pytest.raises(StudyError, match="Give the storage that they belong to"):
        search()
    assert len(search(storage=elsewhere).trials) == 2


def test_looking_for_a_study_makes_nothing(tmp_path):
    for storage in (None, f"sqlite:///{tmp_path}/absent.db"):
        with pytest.raises(StudyError, match=r"holds no trials.db|there is no 'absent' in sqlite"):
            tuning.load(tmp_path / "absent", storage=storage)
    assert not list(tmp_path.iterdir())
    sqlite3.connect(tmp_path / "empty.db").close()
    with pytest.raises(StudyError, match="there is no 'absent' in sqlite"):
        tuning.load(tmp_path / "absent", storage=f"sqlite:///{tmp_path}/empty.db")


@pytest.mark.medium
def test_reading_needs_no_optuna(tmp_path):
    study = tuning.search(CURVE, engine="random", trials=2, epochs=2, logs=tmp_path)
    code = f"import sys, tuning; s = tuning.load({str(study.path)!r}); print(len(s.trials), 'optuna' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "2 False\n"


@pytest.mark.medium
def test_two_studies_share_a_file(tmp_path):
    elsewhere = f"sqlite:///{tmp_path}/all.db"
    for name in ("one", "two"):
        tuning.search(CURVE, engine="random", trials=2, epochs=2, seed=0, study=name, logs=tmp_path, storage=elsewhere)
    assert len(tuning.load(tmp_path / "one", storage=elsewhere).trials) == 2
    tuning.search(
        CURVE,
        engine="random",
        trials=3,
        epochs=2,
        seed=5,
        study="two",
        logs=tmp_path,
        storage=elsewhere,
        overwrite=True,
    )
    assert tuning.load(tmp_path / "one", storage=elsewhere).definition.seed == 0
    assert len(tuning.load(tmp_path / "two", storage=elsewhere).trials) == 3
