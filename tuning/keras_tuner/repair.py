"""Oracle and study, made to agree before a search begins.

Owns that. The oracle's files are the truth: a study that does not know the end of a trial hears of it, one that knows
nothing, because KerasTuner alone has searched so far, gets all its trials, and one that is another search's is begun
anew. Of the oracle, what a killed program has left half done is put in order, and what it does not write down itself,
the order of a grid, is made again.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from tuning.driver.opening import stored_definition
from tuning.errors import StudyError
from tuning.keras_tuner import outcome, private
from tuning.keras_tuner.space import TRIAL
from tuning.keras_tuner.translation import described, recorded
from tuning.records import trainings
from tuning.records.definition import Definition
from tuning.records.trial import RETURNED, Run, State, Trial
from tuning.storage.store import Store

_STATES = {"COMPLETED": State.COMPLETED, "FAILED": State.FAILED}
"""What an ended trial of KerasTuner's is in a study."""


def put_in_order(oracle: Any) -> None:
    """Have the oracle take up what was under way, forget what it never began, and know the order of its grid."""
    queue = private.retries(oracle)
    for trial in oracle.ongoing_trials.values():
        queue.append(trial.trial_id)
    oracle.ongoing_trials.clear()
    for trial_id in dict.fromkeys(queue):  # an oracle writes the end of a trial into its file first, then into its own
        if trial_id not in oracle.end_order and private.has_ended(oracle.trials[trial_id]):
            private.end_silently(oracle, trial_id)
    ended = [trial_id for trial_id in queue if trial_id in oracle.end_order]
    queue[:] = dict.fromkeys(trial_id for trial_id in queue if trial_id not in ended)
    for trial_id in [i for i, t in oracle.trials.items() if t.status == "RUNNING"]:
        if trial_id not in oracle.start_order and trial_id not in queue:
            private.forget(oracle, trial_id)
    private.order_grid(oracle, ended)


def agreed(path: Path, definition: Definition, oracle: Any) -> tuple[Store, Definition]:
    """Open the store of a study that says of each ended trial what the oracle does, for its one driver.

    Args:
        path: the study's folder, which is locked.
        definition: of the search that is about to begin; an earlier one of the study stays.
        oracle: in order.
    """
    stored = stored_definition(path, None)
    is_same = stored is not None and (stored.engine, stored.objective) == (definition.engine, definition.objective)
    kept = stored if stored is not None and is_same else definition
    store = _opened(path, kept, is_new=not is_same)
    try:
        forget_unknown(store, oracle)
        if not _is_known(store.read()[0], oracle):
            store.close()
            kept, store = definition, _opened(path, definition, is_new=True)
        _Repair(store, kept, oracle).all()
    except BaseException:
        store.close()
        raise
    return store, kept


def _opened(path: Path, definition: Definition, is_new: bool) -> Store:
    """Open the store of a study for its one driver.

    Of an earlier study nothing stays in the store. Files do stay: the folder is KerasTuner's, and the program may have
    written there under any name.
    """
    store = Store.of(path, None, exclusive=True)
    try:
        if is_new:
            store.delete()
            store.create(definition)
        store.claim()
    except BaseException:
        store.close()
        raise
    return store


def forget_unknown(store: Store, oracle: Any) -> None:
    """Remove the trials of a study that were under way when another one ended the search: the oracle forgets them."""
    for trial in store.read()[0]:
        if trial.runs and not trial.state.is_finished and trial.runs[-1].note.get(TRIAL) not in oracle.trials:
            store.remove(trial)


def _is_known(trials: list[Trial], oracle: Any) -> bool:
    """Tell whether all trials of a study are the oracle's."""
    return all(trial.runs and trial.runs[-1].note.get(TRIAL) in oracle.trials for trial in trials)


class _Repair:
    def __init__(self, store: Store, definition: Definition, oracle: Any) -> None:
        self._store, self._definition, self._oracle = store, definition, oracle
        self._trials = {trial.runs[-1].note[TRIAL]: trial for trial in store.read()[0]}
        marks = [m for t in self._trials.values() for run in t.runs for m in (run.asked, run.ended) if m is not None]
        self._events = max(marks, default=-1) + 1

    def all(self) -> None:
        queue = private.retries(self._oracle)
        order = [*self._oracle.start_order, *(i for i in self._oracle.trials if i not in self._oracle.start_order)]
        for trial_id in order:
            found, trial = self._oracle.trials[trial_id], self._trials.get(trial_id)
            if trial_id in queue:
                if trial is not None and trial.state.is_finished:
                    self._begin(replace(trial, state=State.RUNNING, error=None, traceback=None), found)
            elif found.status in _STATES and (trial is None or not trial.state.is_finished):
                self._end(self._begin(None, found) if trial is None else trial, found)
        for trial in self._trials.values():
            if trial.is_training and trial.runs[-1].note[TRIAL] not in queue:
                raise StudyError(f"trial {trial.number} is under way in the study, and the oracle does not know it.")

    def _begin(self, trial: Trial | None, found: Any) -> Trial:
        numbers = (known.number for known in self._trials.values())
        number = max(numbers, default=-1) + 1 if trial is None else trial.number
        values = recorded(found.hyperparameters)
        run = Run(number, values, 0, self._definition.epochs, note={TRIAL: found.trial_id}, asked=self._next_event())
        if trial is None:
            trial = replace(trainings.new_trial(self._definition, number, values), started_at=time.time())
        else:
            trial = replace(trial, trainings=tuple(replace(t, untils=()) for t in trial.trainings), runs=())
        trial = trainings.with_run(trial, run, self._definition.objective)
        self._store.begin(trial, None, described(self._oracle.hyperparameters.space))
        self._trials[found.trial_id] = trial
        return trial

    def _end(self, trial: Trial, found: Any) -> None:
        objective, training = self._definition.objective, trial.trainings[0]
        metrics = outcome.metrics_of(found, objective.name)
        if found.status == "COMPLETED" and found.score is not None:
            known = training.curve.epochs[-1] if training.curve.epochs else {}
            metrics = {**metrics, **known, RETURNED: float(found.score)}
            training = trainings.extended(training, max(len(training.curve) - 1, 0), metrics, objective)
        trial = trainings.with_training_ended(
            trainings.with_training(trial, 0, training, objective), 0, objective
        )  # the curve is what was heard of it
        state = _STATES[found.status] if training.score is not None else State.FAILED
        error = None if state is State.COMPLETED else (found.message or "the trial failed").strip().splitlines()[-1]
        run = replace(trial.run, ended=self._next_event(), until=trial.epochs)
        trial = replace(
            trial, runs=(*trial.runs[:-1], run), state=state, error=error, ended_at=time.time(),
            values=recorded(found.hyperparameters),
        )  # fmt: skip
        self._store.close_trial(trial)
        self._trials[found.trial_id] = trial

    def _next_event(self) -> int:
        self._events += 1
        return self._events - 1
