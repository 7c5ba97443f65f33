"""Databases whose tables are laid out otherwise are refused before anything is written, in words with versions."""

import contextlib
import sqlite3

import optuna
import pytest

import tuning
from tests.conftest import SPACES
from tuning.errors import MovedError, StudyError
from tuning.storage import rows, schema
from tuning.storage.store import Store

CURVE = str(SPACES / "curve.py")


@pytest.fixture
def study(tmp_path):
    return tuning.search(CURVE, engine="random", trials=1, epochs=1, seed=1, logs=tmp_path, study="s").path


def changed(study, statement):
    with contextlib.closing(sqlite3.connect(study / "trials.db")) as connection:
        connection.execute(statement)
        connection.commit()


def on(study, trials=2):
    return tuning.search(CURVE, engine="random", trials=trials, epochs=1, seed=1, logs=study.parent, study="s")


def test_the_installed_release_makes_the_layout_that_is_written(study):
    assert len(on(study).trials) == 2


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE version_info SET schema_version = 13, library_version = '9.1.0'",
        "UPDATE version_info SET schema_version = 11, library_version = '9.1.0'",
    ],
)
def test_another_layout_is_refused_with_the_versions(study, statement):
    changed(study, statement)
    said = rf"tables of Optuna 9.1.0 in layout 1[13] \(.*writes 12.*and optuna {optuna.__version__} is installed"
    with pytest.raises(StudyError, match=said):
        on(study)
    assert len(tuning.load(study).trials) == 1, "reading goes on"


def test_what_optuna_itself_refuses_is_an_error_of_ours(study):
    changed(study, "UPDATE alembic_version SET version_num = 'v9.0.0.a'")
    with pytest.raises(StudyError, match="could not be opened: The runtime optuna version .* table schema"):
        on(study)


def test_a_layout_that_does_not_say_its_version_is_refused(study):
    database = Store.of(study, exclusive=True)
    try:
        changed(study, "DROP TABLE version_info")
        with pytest.raises(MovedError, match=rf"optuna {optuna.__version__} has no version of its tables.*newer"):
            schema.check(database._database.engine)
    finally:
        database.close()


def test_a_column_that_is_written_must_be_there(study):
    database = Store.of(study, exclusive=True)
    try:
        changed(study, "ALTER TABLE trial_values RENAME COLUMN value_type TO kind")
        with pytest.raises(MovedError, match="has no table trial_values with value_type"):
            rows.Rows(database._database.engine, "tuning")
    finally:
        database.close()
