"""A study's folder and store, opened for the one driver that may write them.

Owns what is created, refused and deleted there before the first trial.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from tuning.driver.plan import refuse_differences
from tuning.errors import StudyError
from tuning.records.definition import Definition
from tuning.storage.folder import DATABASE, delete_files, study_files
from tuning.storage.store import Store


def stored_definition(path: Path, storage: str | None) -> Definition | None:
    """Return the definition of a study; None when there is no such study.

    Raises:
        StudyError: the database cannot be opened, or another driver holds the study in it.
    """
    if storage is None and not (path / DATABASE).is_file():
        return None
    with contextlib.closing(Store.of(path, storage, exclusive=storage is not None)) as store:
        return store.definition()


def opened(path: Path, storage: str | None, definition: Definition, overwrite: bool) -> Store:
    """Open the store of a study for its one driver, and create the study when it is new.

    Args:
        path, storage: where the study is; its folder is locked.
        definition: of the search that is about to begin.
        overwrite: delete the study first, if it exists.
    """
    if overwrite and storage is None:
        delete_files(path)
    store = Store.of(path, storage, exclusive=True)
    try:
        if overwrite and storage is not None:
            store.delete()
            delete_files(path)
        stored = store.definition()
        if stored is None:
            _refuse_leftovers(path, storage)
            store.create(definition)
        else:
            refuse_differences(definition, stored)
        store.claim()
    except BaseException:
        store.close()
        raise
    return store


def _refuse_leftovers(path: Path, storage: str | None) -> None:
    """Refuse a new study in a folder with files of one that is in another database: they would be mixed up."""
    left = [name for name in study_files(path) if storage is not None or not name.startswith(DATABASE)]
    if left:
        raise StudyError(
            f"`study` must be a new name or a study of this database, but the database has no '{path.name}' and "
            f"{path} holds {', '.join(left)}. Give the storage that they belong to, choose another study name, or "
            "overwrite=True (--overwrite) to start afresh."
        )
