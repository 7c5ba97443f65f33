"""The store: one study with its trials in an Optuna storage.

Owns what is written to the database and how it is read back; it is the only truth about what was tried.
Every event is one transaction: a trial's record, with the state of its engine, is a single attribute of its
row. Rows are ordinary Optuna trials, so Optuna's own tools read the study. One process writes a study; where its
database is, and how it is kept to that process, is `database`'s business.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tuning.errors import StudyError
from tuning.hyperparameters import Hyperparameter
from tuning.records import epochs
from tuning.records.definition import VERSION, Definition
from tuning.records.trial import Curve, Run, State, Training, Trial
from tuning.storage import origin, upgrade
from tuning.storage.database import Database
from tuning.storage.folder import DATABASE
from tuning.storage.looking import Looking
from tuning.storage.reading import checked, made, parsed, sound, sound_definition, understood, unswept
from tuning.storage.url import of_file, without_password

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from sqlalchemy import URL

    from tuning.storage.rows import Rows

__all__ = ["RECORD", "Store", "without_password"]

RECORD = "tuning"  # the attribute that holds our record, of the study and of each trial
FINAL = "tuning_final"  # the attribute of the study that holds the record of its final model
METRIC_NAMES = "study:metric_names"  # where Optuna's tools look for what the objectives are called

_STUDY = "SELECT study_id FROM studies WHERE study_name = :name"
_STUDIES_OF_OURS = (
    "SELECT s.study_id, s.study_name FROM studies s JOIN study_user_attributes a ON a.study_id = s.study_id "
    "WHERE a.key = :key"
)
_ATTRIBUTE = "SELECT value_json FROM study_user_attributes WHERE study_id = :study AND key = :key"
_TRIALS_OF_STUDY = (
    "SELECT t.trial_id, a.value_json FROM trials t JOIN trial_user_attributes a ON a.trial_id = t.trial_id "
    "WHERE t.study_id = :study AND a.key = :key ORDER BY t.number"
)
_ROW_OF_TRIAL = (
    "SELECT t.trial_id, a.value_json FROM trials t JOIN trial_user_attributes a ON a.trial_id = t.trial_id "
    "WHERE t.study_id = :study AND a.key = :key AND t.number >= :number"
)
_Result = TypeVar("_Result")
_FIELDS_OF_TRIAL = frozenset(f.name for f in fields(Trial))
_STATES = {State.COMPLETED: "COMPLETE", State.PRUNED: "PRUNED", State.FAILED: "FAIL"}  # as Optuna calls them


class Store:
    """A study in a database.

    Args:
        url: SQLAlchemy URL of the database; a file is created when it does not exist. A path is that of a file which
            is there and only looked at.
        study: name of the study in the database.
        exclusive: whether to write the study, which one process may do at a time.
    """

    def __init__(self, url: str | URL | Path, study: str, exclusive: bool = False) -> None:
        self._source = Looking(url) if isinstance(url, Path) else Database(url, study, exclusive)
        self._study = study
        self._study_id: int | None = None
        self._is_alone = False
        self._trial_ids: dict[int, int] = {}
        self._engine_states: dict[int, Any] = {}
        self._read: list[Trial] | None = None  # all trials, until something is written about one

    @classmethod
    def of(cls, path: Path, storage: str | None = None, exclusive: bool = False) -> Store:
        """Open the database of the study in a folder.

        Args:
            path: the study's folder; its name is the study's.
            storage: URL of a database; None for the SQLite file in the folder.
            exclusive: whether to write the study. Then the database is made when there is none, and locked, but
                for the file in the folder: whoever writes a study has locked its folder.

        Raises:
            StudyError: there is no database, and `exclusive` is False; or another driver writes the study.
        """
        if storage is not None:
            store = cls(storage, path.name, exclusive)
            if exclusive:
                store._lock_file()
            return store
        database = path / DATABASE
        try:
            if not exclusive and not database.is_file():
                raise StudyError(f"`study` must be the folder of a study, but {path} holds no {DATABASE}.")
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StudyError(f"`study` must be a folder that can be used, but got: {error}.") from None
        store = cls(of_file(database) if exclusive else database, path.name, exclusive)
        store._is_alone = True
        return store

    def _lock_file(self) -> None:
        try:
            self._database.lock_file()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Release the database's connections and lock."""
        self._source.close()

    # The study -----------------------------------------------------------------------------------------

    def definition(self) -> Definition | None:
        """Return the stored definition; None when the database does not have the study."""
        if self._find() is None:
            return None
        documents = self._rows(_ATTRIBUTE)
        if not documents:
            return None
        with understood(self._study):
            (record,) = parsed([documents[0][0]])
            return sound_definition(checked(Definition.from_json(upgrade.definition(record, self._study))))

    def create(self, definition: Definition) -> None:
        """Create the study with its definition.

        Raises:
            StudyError: the database has another program's study of that name.
        """
        from optuna.study import StudyDirection

        kinds = {"max": StudyDirection.MAXIMIZE, "min": StudyDirection.MINIMIZE}
        directions = [kinds[objective.direction] for objective in definition.objectives]
        if self._find() is not None:
            # A search that was killed at this very place has left a study with nothing in it.
            if self._do(lambda: self._storage.get_n_trials(self._id)):
                raise StudyError(
                    f"`study` must be a new name or a study of ours, but the database has a study '{self._study}' "
                    "that another program has made. Choose another name."
                )
            self.delete()
        self._study_id = self._do(lambda: self._storage.create_new_study(directions, self._study))
        names = [objective.name for objective in definition.objectives]
        self._do(lambda: self._storage.set_study_system_attr(self._id, METRIC_NAMES, names))
        self._do(lambda: self._storage.set_study_user_attr(self._id, RECORD, definition.to_json()))

    def final(self) -> Any:
        """Return what `save_final` wrote (JSON); None when there is no final model."""
        documents = self._rows(_ATTRIBUTE, key=FINAL)
        with understood(self._study):
            record = parsed([documents[0][0]])[0] if documents else None
            if not isinstance(record, (dict, type(None))):
                raise TypeError(f"its final model is {type(record).__name__}")
        return record

    def save_final(self, record: Mapping[str, Any]) -> None:
        """Record the study's final model and its scores on the test split, in place of an earlier one."""
        self._do(lambda: self._storage.set_study_user_attr(self._id, FINAL, dict(record)))

    def claim(self) -> None:
        """Write down who drives the study; from then on a server that goes away for a while is waited for.

        A study that an earlier version has written becomes one of this version, which may be needed to read on.
        """
        self._database.claim(self._id)
        (row,) = self._rows(_ATTRIBUTE)
        stored = json.loads(row[0])
        record = dict(upgrade.definition(stored, self._study))
        if record != stored:
            self._do(lambda: self._storage.set_study_user_attr(self._id, RECORD, record))
        self._seal(record.get("space_source"))

    def is_own(self, definition: Definition) -> bool:
        """Tell whether this user's own search has named the space of the study; see `origin`."""
        documents = self._rows(_ATTRIBUTE, key=origin.SEAL)
        with understood(self._study):
            given = json.loads(documents[0][0]) if documents else None
        return origin.is_own(self._study, str(definition.space_source), given)

    def _seal(self, source: str | None) -> None:
        seal = None if source is None else origin.seal(self._study, source)
        if seal is not None and [(json.dumps(seal),)] != [
            tuple(row) for row in self._rows(_ATTRIBUTE, key=origin.SEAL)
        ]:
            self._do(lambda: self._storage.set_study_user_attr(self._id, origin.SEAL, seal))

    def delete(self) -> None:
        """Remove the study and its trials from the database."""
        if self._find() is not None:
            self._do(lambda: self._storage.delete_study(self._id))
            self._study_id = None

    def _find(self) -> int | None:
        if self._study_id is None and not self._source.is_empty:
            rows = self._queried(_STUDY, {"name": self._study})
            self._study_id = rows[0][0] if rows else None
            if self._study_id is None and self._is_alone:
                self._find_only()
        return self._study_id

    def _find_only(self) -> None:
        """Find the study under the name that it had before its folder was renamed or copied."""
        rows = self._queried(_STUDIES_OF_OURS, {"key": RECORD})
        if len(rows) == 1:
            self._study_id, self._study = rows[0]

    @property
    def _id(self) -> int:
        if self._find() is None:
            raise StudyError(f"the database has no study '{self._study}'.")
        return self._study_id  # type: ignore[return-value]

    # Reading -------------------------------------------------------------------------------------------

    @unswept()
    def read(self) -> tuple[list[Trial], Any]:
        """Return all trials by number, and the engine's state after its last proposal (None if none)."""
        trials, state, latest = [], None, -1
        rows = self._rows(_TRIALS_OF_STUDY)
        with understood(self._study):
            records = parsed([document for _, document in rows])
            for (trial_id, _), record in zip(rows, records, strict=True):
                trial = sound(checked(_from_record(upgrade.trial(record, self._study))))
                self._trial_ids[trial.number] = trial_id
                trials.append(trial)
                if not trial.state.is_finished:  # of the others nothing is written any more
                    self._engine_states[trial.number] = record["engine"]
                for run in trial.runs:
                    if run.asked is not None and run.asked > latest:
                        latest, state = run.asked, record["engine"]
        self._read = trials
        return trials, state

    def trials(self) -> list[Trial]:
        """Return all trials by number, as they are stored by now: those of `read`, unless one was written since."""
        return self.read()[0] if self._read is None else self._read

    def _rows(self, query: str, **values: Any) -> Sequence[Any]:
        return self._queried(query, {"study": self._id, "key": RECORD, **values})

    def _queried(self, query: str, values: Mapping[str, Any]) -> Sequence[Any]:
        return self._source.rows(query, values)

    # Writing, in the order of a trial's life -------------------------------------------------------------

    @property
    def _database(self) -> Database:
        if isinstance(self._source, Looking):
            raise TypeError("a store that only looks cannot write")
        return self._source

    def _do(self, action: Callable[[], _Result]) -> _Result:
        return self._database.do(action)

    @property
    def _storage(self) -> RDBStorage:
        return self._database.storage

    def begin(self, trial: Trial, engine_state: Any, space: tuple[Hyperparameter, ...]) -> None:
        """Record that a run begins, and the state of the engine that asked for it.

        Args:
            trial: the trial with the run as its last; a number that is new adds a row. The row of a trial that a
                smaller budget had ended is opened again.
            engine_state: JSON; what the engine needs, besides the trials, to go on from here.
            space: hyperparameters known so far.
        """
        self._engine_states[trial.number], self._read = engine_state, None
        if trial.number in self._trial_ids:
            self._do(lambda: self._trial_rows.reopen(self._row(trial), self._record(trial)))
        else:
            attempts = itertools.count()
            self._trial_ids[trial.number] = self._do(lambda: self._add(trial, space, is_retry=next(attempts) > 0))

    def _add(self, trial: Trial, space: tuple[Hyperparameter, ...], is_retry: bool) -> int:
        """Return the new row of a trial, which is there already if the connection broke after it was written."""
        from tuning.space.distributions import parameters

        for row, document in self._rows(_ROW_OF_TRIAL, number=trial.number) if is_retry else ():
            if json.loads(document)["number"] == trial.number:
                return int(row)
        return self._trial_rows.add(self._id, self._record(trial), *parameters(space, trial.values))

    def save(self, trial: Trial) -> None:
        """Replace a trial's record."""
        self._do(lambda: self._trial_rows.save(self._row(trial), self._record(trial)))

    def report(self, trial: Trial, value: float) -> None:
        """Record the objective of the trial's last epoch, for Optuna's own tools."""
        self._do(lambda: self._trial_rows.report(self._row(trial), trial.epochs - 1, value))

    def close_trial(self, trial: Trial, beyond: Sequence[float | None] = ()) -> None:
        """Give a trial its final state; nothing about it is written any more.

        Args:
            trial: finished.
            beyond: how far it is beyond each constraint, None of one that is not known, for Optuna's own tools.
        """
        scores = [score for score in trial.scores or (trial.score,) if score is not None]
        is_scored = trial.state is not State.FAILED and len(scores) == max(len(trial.scores), 1)
        values, state = scores if is_scored else [], _STATES[trial.state]
        known = [0.0 if value is None else value for value in beyond]  # Optuna has no word for what is not known
        self._do(lambda: self._trial_rows.close(self._row(trial), self._record(trial), state, values, known))
        self._engine_states.pop(trial.number, None)

    def remove(self, trial: Trial) -> None:
        """Delete a trial, as if it had never begun."""
        self._do(lambda: self._trial_rows.remove(self._row(trial)))
        del self._trial_ids[trial.number]
        self._engine_states.pop(trial.number, None)

    @cached_property
    def _trial_rows(self) -> Rows:
        from tuning.storage.rows import Rows

        return Rows(self._database.engine, RECORD)

    def _record(self, trial: Trial) -> dict[str, Any]:
        return {**_to_record(trial), "engine": self._engine_states.get(trial.number)}

    def _row(self, trial: Trial) -> int:
        """Return the row of a trial that is about to be written."""
        self._read = None
        return self._trial_ids[trial.number]


def _to_record(trial: Trial) -> dict[str, Any]:
    record = {**vars(trial), "version": VERSION}
    record["state"] = trial.state.value
    record["runs"] = [_of_run(run, trial) for run in trial.runs]
    record["trainings"] = [_of_training(training) for training in trial.trainings]
    record["joint"] = None if trial.joint is None else _of_training(trial.joint)
    return record


def _from_record(record: Mapping[str, Any]) -> Trial:
    values = {
        **record,
        "state": State(record["state"]),
        "trainings": tuple(map(_to_training, record["trainings"])),
        "joint": None if record["joint"] is None else _to_training(record["joint"]),
        "runs": tuple([_to_run(run, record["values"]) for run in record["runs"]]),
        "found": tuple(record["found"]),
        "scores": tuple(record.get("scores", ())),
        "counted": tuple([None if one is None else tuple(one) for one in record["counted"]]),
    }
    for name in values.keys() - _FIELDS_OF_TRIAL:  # its version, the engine's state
        del values[name]
    return made(Trial, values)


def _of_run(run: Run, trial: Trial) -> dict[str, Any]:
    """Return the record of a run, without its values where they are the trial's, as those of most are."""
    return {**vars(run), "values": None if run.values is trial.values else run.values}


def _to_run(record: Mapping[str, Any], values: Mapping[str, Any]) -> Run:
    return checked(made(Run, {**record, "values": values} if record["values"] is None else record))


def _of_training(training: Training) -> dict[str, Any]:
    return {**vars(training), "curve": epochs.to_json(training.curve.epochs)}


def _to_training(record: Mapping[str, Any]) -> Training:
    curve = Curve(epochs.from_json(record["curve"]))
    return checked(made(Training, {**record, "curve": curve, "untils": tuple(record["untils"])}))
