"""The layout of Optuna's tables, which `rows` writes without Optuna.

Owns the version that is known and the check of a database against it: a database of another layout is refused when it
is opened to be written.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import metadata

from sqlalchemy import Engine, MetaData, Table, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from tuning.errors import StudyError, moved

VERSION = 12
REVISION = "v3.2.0.a"
"""Of the layout, as Optuna writes them into `version_info` and `alembic_version`."""

COLUMNS = {
    "trials": {"trial_id", "number", "study_id", "state", "datetime_start", "datetime_complete"},
    "trial_params": {"trial_id", "param_name", "param_value", "distribution_json"},
    "trial_user_attributes": {"trial_id", "key", "value_json"},
    "trial_system_attributes": {"trial_id", "key", "value_json"},
    "trial_intermediate_values": {"trial_id", "step", "intermediate_value", "intermediate_value_type"},
    "trial_values": {"trial_id", "objective", "value", "value_type"},
}
"""What is written, by table."""


def tables(engine: Engine) -> Mapping[str, Table]:
    """Return the tables that are written, by name.

    Raises:
        MovedError: Optuna has made them otherwise.
    """
    reflected = MetaData()
    reflected.reflect(engine, only=lambda name, _: name in COLUMNS)
    found = reflected.tables
    for name, columns in COLUMNS.items():
        missing = columns - (set(found[name].columns.keys()) if name in found else set())
        if missing:
            raise moved("optuna", f"table {name} with {', '.join(sorted(missing))}")
    return found


def check(engine: Engine) -> None:
    """Refuse a database whose tables are laid out in another version.

    Raises:
        StudyError: names that version and the release of Optuna that made it.
        MovedError: the tables do not say their version.
    """
    try:
        with engine.connect() as connection:
            made = connection.execute(text("SELECT schema_version, library_version FROM version_info")).first()
            revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    except (OperationalError, ProgrammingError) as error:
        raise moved("optuna", f"version of its tables where it is known to be ({error.orig})") from error
    version, library = (None, "of an unknown version") if made is None else made
    if (version, revision) != (VERSION, REVISION):
        raise StudyError(
            f"the database has tables of Optuna {library} in layout {version} ({revision}), but this version of "
            f"keras-tuning writes {VERSION} ({REVISION}), and optuna {metadata.version('optuna')} is installed. Get "
            "a release of it that makes that layout, a newer keras-tuning, or use another database."
        )
