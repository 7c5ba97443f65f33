"""Rows of trials in Optuna's tables, written with one transaction an event.

Owns how a trial is laid out there, which is as Optuna's own storage does it. That one would make a transaction of
each kind of value, and a query or two of each parameter: two thirds of what a trial cost the driver. Knows nothing of
what a trial's record means.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from optuna.distributions import BaseDistribution, distribution_to_json
from sqlalchemy import Connection, Engine, Table, bindparam, func, insert, select, update

from tuning.errors import StudyError
from tuning.storage.schema import COLUMNS, tables

CONSTRAINTS = "constraints"
"""The attribute in which Optuna's tools look up what a trial's constraints come to."""


class Rows:
    """The trials of a database that has Optuna's tables.

    A row is named by Optuna's `trial_id`. Everything here may be done twice, as when a connection broke before it
    told that a transaction had been kept, but for `add`: whoever calls it again looks first whether the row is there.
    There is one writer, so that the number of the next row is looked up only once.

    Args:
        engine: connected to the database.
        key: the attribute of a trial that holds its record.
    """

    def __init__(self, engine: Engine, key: str) -> None:
        self._engine, self._key = engine, key
        self._next_number: int | None = None
        self._tables = tables(engine)
        # Of what is written most often, each epoch, the statements are made once.
        table = self._tables["trial_intermediate_values"]
        self._add_value = insert(table)
        self._drop_value = table.delete().where(table.c.trial_id == bindparam("row"), table.c.step == bindparam("at"))

    def add(
        self,
        study: int,
        record: Mapping[str, Any],
        params: Mapping[str, Any],
        distributions: Mapping[str, BaseDistribution],
    ) -> int:
        """Return a new row of a study, running.

        Args:
            study: Optuna's `study_id`, the same in each call.
            record: JSON; what the row's attribute holds.
            params: the trial's parameters, as Optuna gives them out.
            distributions: of each of `params`.
        """
        trials = self._tables["trials"]
        number, self._next_number = self._next_number, None  # looked up again if this fails
        with self._engine.begin() as connection:
            if number is None:
                last = connection.execute(select(func.max(trials.c.number)).where(trials.c.study_id == study)).scalar()
                number = 0 if last is None else last + 1
            values = {"number": number, "study_id": study, "state": "RUNNING"}
            added = connection.execute(insert(trials).values(datetime_start=datetime.now(), **values))
            row = int(added.inserted_primary_key[0])  # type: ignore[index]
            attribute = {"trial_id": row, "key": self._key, "value_json": json.dumps(record)}
            _insert(connection, self._tables["trial_user_attributes"], [attribute])
            described = [
                {
                    "trial_id": row,
                    "param_name": name,
                    "param_value": distributions[name].to_internal_repr(value),
                    "distribution_json": distribution_to_json(distributions[name]),
                }
                for name, value in params.items()
            ]
            _insert(connection, self._tables["trial_params"], described)
        self._next_number = number + 1
        return row

    def save(self, row: int, record: Mapping[str, Any]) -> None:
        """Replace a row's record."""
        with self._engine.begin() as connection:
            self._save(connection, row, record)

    def report(self, row: int, step: int, value: float) -> None:
        """Set the value of one step (from 0)."""
        stored, kind = _stored(value)
        reported = {"step": step, "intermediate_value": stored, "intermediate_value_type": kind}
        with self._engine.begin() as connection:
            connection.execute(self._drop_value, {"row": row, "at": step})
            connection.execute(self._add_value, {"trial_id": row, **reported})

    def close(
        self, row: int, record: Mapping[str, Any], state: str, scores: Sequence[float], beyond: Sequence[float] = ()
    ) -> None:
        """Give a row its last record, its state (a name of Optuna's) and its values, one an objective or none.

        Args:
            row, record, state, scores: see above.
            beyond: how far the trial is beyond each constraint, 0 or less where it is kept.
        """
        table = self._tables["trial_values"]
        with self._engine.begin() as connection:
            self._save(connection, row, record)
            self._set(connection, row, state=state, datetime_complete=datetime.now())
            connection.execute(table.delete().where(table.c.trial_id == row))
            rows = []
            for objective, score in enumerate(scores):
                stored, kind = _stored(score)
                rows.append({"trial_id": row, "objective": objective, "value": stored, "value_type": kind})
            _insert(connection, table, rows)
            if beyond:
                table = self._tables["trial_system_attributes"]
                connection.execute(table.delete().where((table.c.trial_id == row) & (table.c.key == CONSTRAINTS)))
                limits = {"trial_id": row, "key": CONSTRAINTS, "value_json": json.dumps(list(beyond))}
                _insert(connection, table, [limits])

    def reopen(self, row: int, record: Mapping[str, Any]) -> None:
        """Replace a row's record and let it run, closed or not."""
        with self._engine.begin() as connection:
            self._set(connection, row, state="RUNNING", datetime_complete=None)
            self._save(connection, row, record)

    def remove(self, row: int) -> None:
        """Delete a row, with all that belongs to it."""
        self._next_number = None
        with self._engine.begin() as connection:
            for name in reversed(COLUMNS):  # what belongs to a trial before the trial
                table = self._tables[name]
                connection.execute(table.delete().where(table.c.trial_id == row))

    def _save(self, connection: Connection, row: int, record: Mapping[str, Any]) -> None:
        table = self._tables["trial_user_attributes"]
        is_of_row = (table.c.trial_id == row) & (table.c.key == self._key)
        if connection.execute(update(table).where(is_of_row).values(value_json=json.dumps(record))).rowcount != 1:
            raise StudyError(
                "a trial of the study is gone from its database: another program has deleted it. Do not change a "
                "study that is being searched; the same command goes on with the trials that are left."
            )

    def _set(self, connection: Connection, row: int, **values: Any) -> None:
        table = self._tables["trials"]
        connection.execute(update(table).where(table.c.trial_id == row).values(**values))


def _insert(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        connection.execute(insert(table), rows)


def _stored(value: float) -> tuple[float | None, str]:
    """Return a number as Optuna stores it: what databases cannot all hold is told by its kind."""
    if math.isfinite(value):
        return value, "FINITE"
    return None, "NAN" if math.isnan(value) else "INF_POS" if value > 0 else "INF_NEG"
