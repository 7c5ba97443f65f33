"""A study's folder and store, opened for the one driver that may write them, and the search over them.

Owns what is created, refused and deleted there before the first trial.
"""

from __future__ import annotations

import contextlib
import random
from pathlib import Path
from typing import Any

from tuning.driver.budget import Budget, Limits
from tuning.driver.loop import Search
from tuning.driver.plan import continued, refuse_differences
from tuning.driver.request import Request
from tuning.engines.registry import engine_kind, make_engine, stored_options
from tuning.errors import StudyError
from tuning.executors.base import Executor
from tuning.records.definition import Definition
from tuning.records.packed import Trials
from tuning.storage.folder import DATABASE, TENSORBOARD, delete_files, study_files
from tuning.storage.lock import locked, refuse_if_locked
from tuning.storage.store import Store
from tuning.tensorboard import TensorBoardObserver


def looked_up(request: Request) -> tuple[Request, Definition | None]:
    """Return the request with what it leaves to a stored study, or with a drawn seed, and that study's definition.

    Raises:
        StudyError: another driver holds the study.
    """
    refuse_if_locked(request.path)
    stored = None if request.overwrite else stored_definition(request.path, request.storage)
    return continued(request, stored, random.SystemRandom().randrange(2**31)), stored


def opened_search(
    request: Request, definition: Definition, executor: Executor, resources: contextlib.ExitStack, **more: Any
) -> Search:
    """Make the engine, open the study, and return the search, which has not begun.

    Args:
        request: continued.
        definition: as planned.
        executor: trains the runs, or stands where one does.
        resources: closes the study at its end.
        more: further arguments of the search.
    """
    trials = request.trials
    if trials is None and request.budget is None:
        trials = engine_kind(request.engine).default_trials(definition)
    engine = make_engine(definition, trials, stored_options(request.options)[1])
    path = request.path
    resources.enter_context(locked(path))
    store = opened(path, request.storage, definition, request.overwrite)
    resources.enter_context(contextlib.closing(store))
    known = Trials()
    return Search(
        definition=definition,
        engine=engine,
        executor=executor,
        store=store,
        path=path,
        observers=[TensorBoardObserver(path / TENSORBOARD, known), *request.observers],
        trials=known,
        keep=request.keep,
        retries=request.retries,
        limits=Limits(None if request.budget is None else Budget.read(request.budget), request.tolerance),
        **more,
    )


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
