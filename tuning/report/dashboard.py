"""optuna-dashboard over studies of any engine, each in a database of its own.

Owns a storage of Optuna's that only looks: what it shows is made of our records, so that metrics have their names and
choices their values, and whatever would write is refused. A study that changes is read again.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Container, Iterable, Sequence
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any, NoReturn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from tuning.errors import OptionError, StudyError, TuningError
from tuning.report.server import Served, bound, is_for_this_machine, stamp
from tuning.storage.store import METRIC_NAMES
from tuning.study import Study
from tuning.study.told import directions, silenced, told_trials

FIRST_PORT = 8080
"""The dashboard's own usual port; the first that is tried."""

ROOM = 10_000_000
"""Numbers of trials that each study has for itself, because Optuna tells all trials apart by one number."""


class Dashboard(Served):
    """A server of optuna-dashboard; a context manager.

    Args:
        find: returns the folders of the studies; asked again when the list of studies is shown.
        storage: URL of their database, where it is not the file in each folder.
        port: default: the first free one from `FIRST_PORT` on.

    Raises:
        OptionError: the package is not installed, or the port is taken.
    """

    def __init__(self, find: Callable[[], Iterable[Path]], storage: str | None = None, port: int | None = None) -> None:
        try:
            from optuna_dashboard import wsgi
        except ImportError:
            raise OptionError(
                "`tune dashboard` must have the package optuna-dashboard, but it is not installed. "
                "pip install 'keras-tuning[dashboard]' installs it."
            ) from None
        shown: Any = wsgi(Looking(find, storage))
        super().__init__(bound(lambda address: _Server(address, _Quiet), port, FIRST_PORT))
        self._server.set_app(_guarded(shown, self._server.server_port))


class Looking(BaseStorage):
    """Studies in folders, as a storage of Optuna's that nothing can be written to.

    Args:
        find: returns the folders of the studies.
        storage: URL of their database, where it is not the file in each folder.
    """

    def __init__(self, find: Callable[[], Iterable[Path]], storage: str | None = None) -> None:
        self._find, self._url = find, storage
        self._paths: list[Path] = []  # a study's place is its number
        self._read: dict[int, tuple[Any, Study, list[FrozenTrial]]] = {}
        self._lock = threading.RLock()

    def get_all_studies(self) -> list[Any]:
        with self._lock:
            there = list(self._find())
            self._paths += [path for path in there if path not in self._paths]
            found = []
            for number in (self._paths.index(path) for path in there):
                with contextlib.suppress(TuningError):  # it is just being made, or damaged
                    found.append(self._frozen(number))
            return found

    def _frozen(self, number: int) -> Any:
        """Return a study in the form that Optuna's storages hand out, as one of them makes it."""
        made = InMemoryStorage()
        with silenced():
            own = made.create_new_study(self.get_study_directions(number), self.get_study_name_from_id(number))
        for name, value in self.get_study_system_attrs(number).items():
            made.set_study_system_attr(own, name, value)
        for name, value in self.get_study_user_attrs(number).items():
            made.set_study_user_attr(own, name, value)
        (frozen,) = made.get_all_studies()
        frozen._study_id = number
        return frozen

    def _of(self, number: int) -> tuple[Study, list[FrozenTrial]]:
        """Return a study as it is by now."""
        with self._lock:
            if not 0 <= number < len(self._paths):
                raise KeyError(f"there is no study {number}")
            path = self._paths[number]
            at = None if self._url is not None else stamp(path)
            known = self._read.get(number)
            if known is None or at is None or known[0] != at:
                study = Study(path, storage=self._url)
                known = self._read[number] = at, study, told_trials(study, ROOM * number)
            return known[1:]

    def get_study_id_from_name(self, study_name: str) -> int:
        for number, path in enumerate(self._paths):
            if path.name == study_name:
                return number
        raise KeyError(f"there is no study {study_name}")

    def get_study_name_from_id(self, study_id: int) -> str:
        return self._of(study_id)[0].name

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        return directions(self._of(study_id)[0].definition)

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        d = self._of(study_id)[0].definition
        return {"engine": d.engine, "space": d.space, "seed": d.seed}

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        return {METRIC_NAMES: [o.name for o in self._of(study_id)[0].definition.objectives]}

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        return [trial for trial in self._of(study_id)[1] if states is None or trial.state in states]

    def get_trial(self, trial_id: int) -> FrozenTrial:
        number, place = divmod(trial_id, ROOM)
        trials = self._of(number)[1]
        if place >= len(trials):
            raise KeyError(f"there is no trial {trial_id}")
        return trials[place]

    def create_new_study(self, directions: Sequence[StudyDirection], study_name: str | None = None) -> NoReturn:
        _refuse()

    def delete_study(self, study_id: int) -> NoReturn:
        _refuse()

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> NoReturn:
        _refuse()

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> NoReturn:
        _refuse()

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> NoReturn:
        _refuse()

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: Any
    ) -> NoReturn:
        _refuse()

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> NoReturn:
        _refuse()

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> NoReturn:
        _refuse()

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> NoReturn:
        _refuse()

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> NoReturn:
        _refuse()


def _refuse() -> NoReturn:
    raise StorageInternalError("this dashboard shows studies, and changes none")


def _guarded(shown: Any, port: int) -> Any:
    """Return what answers to this machine only, and only to who wants to look."""

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Any:
        if not is_for_this_machine(environ.get("HTTP_HOST"), port):
            return _no(start, "403 Forbidden", b"this dashboard answers to 127.0.0.1 only")
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return _no(start, "405 Method Not Allowed", b"this dashboard shows studies, and changes none")
        try:
            return shown(environ, start)
        except StudyError as error:  # it has gone meanwhile
            return _no(start, "503 Service Unavailable", str(error).encode())

    return answer


def _no(start: Callable[..., Any], status: str, text: bytes) -> list[bytes]:
    start(status, [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(text)))])
    return [text]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    allow_reuse_address = False


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: what is printed is for the command."""
