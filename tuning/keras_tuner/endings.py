"""The end of a trial, told to the oracle before the study hears of it.

Owns that order. The oracle decides what has become of a trial: completed, failed, or to be run again; and it writes its
files first, so that the study, which is repaired from them, never knows of an end that they do not.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tuning.data import Data
from tuning.driver.seeds import seed_of_trial
from tuning.executors.base import Executor, Handler
from tuning.keras_tuner import left_behind, outcome, private, under_way
from tuning.keras_tuner.oracle_engine import OracleEngine
from tuning.keras_tuner.space import TRIAL, TunerSpace
from tuning.records.trial import RETURNED
from tuning.space import SearchSpace
from tuning.training.messages import Decision, Failed, Finished, Message, Report, Task


class Endings:
    """An executor whose trials end in the oracle first.

    Args:
        inner: what trains.
        space, engine: of the tuner.

    Attributes:
        is_broken_off: whether the end of a trial was that of the search, whatever else was under way.
    """

    def __init__(self, inner: Executor, space: TunerSpace, engine: OracleEngine) -> None:
        self._inner, self._space, self._engine, self._tuner = inner, space, engine, space.tuner
        self._tasks: dict[int, Task] = {}
        self._paused: set[int] = set()
        self._last: dict[int, Report] = {}
        self._waiting: list[Message] = []
        self.is_broken_off = False

    @property
    def slots(self) -> int:
        return self._inner.slots

    @property
    def pause_seconds(self) -> float:
        return self._inner.pause_seconds

    def load(self, source: str | None, space: SearchSpace, data: Data, is_own: bool = False) -> None:
        self._inner.load(source, space, data, is_own)

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return self._inner.call(function, *arguments)

    def submit(self, task: Task) -> str | None:
        self._tasks[task.run.number] = task
        attempts = private.attempts(self._tuner.oracle, task.run.note[TRIAL])
        # What is tried again draws other numbers: with the same ones it would fail again.
        return self._inner.submit(replace(task, seed=seed_of_trial(task.seed, attempts)) if attempts else task)

    def poll(self, handle: Handler) -> None:
        def ended_first(message: Message) -> Decision:
            if isinstance(message, Report):
                decision = handle(message)
                self._last[message.number] = message
                if decision is not Decision.GO and not message.amends:
                    self._paused.add(message.number)
                return decision
            if self._waits(message):
                self._waiting.append(message)
                return Decision.GO
            return self._take(message, handle)

        for message in [message for message in self._waiting if not self._waits(message)]:
            self._waiting.remove(message)
            self._take(message, handle)
        self._inner.poll(ended_first)

    def _waits(self, message: Message) -> bool:
        """Tell whether the end of a trial is not told yet.

        It may end the search, and comes before the ends of trials that were begun earlier; or the search is ending with
        one that was begun earlier, and then it is not told at all.
        """
        task = self._tasks.get(message.number)
        if task is None or message.number in self._paused:
            return False
        if self._engine.ends_before(task.run.note[TRIAL]):
            return True
        if not isinstance(message, Failed):
            return False
        if not message.is_fatal and not private.is_at_its_limit(self._tuner.oracle):
            return False
        return bool(self._begun_before(message.number))

    def _begun_before(self, number: int) -> set[str]:
        """Return the trials under way that were begun before a run was, and do not pause."""
        earlier = {task.run.note[TRIAL] for n, task in self._tasks.items() if n < number and n not in self._paused}
        return earlier & set(self._space.trials)

    def _take(self, message: Message, handle: Handler) -> Decision:
        if isinstance(message, Failed) and message.is_fatal:
            self._end_search(message)
        elif isinstance(message, (Finished, Failed)) and message.number not in self._paused:
            return self._end(message, handle)
        return handle(message)

    def close(self) -> None:
        self._inner.close()
        if self.is_broken_off:
            self._engine.abandon()

    def _end_search(self, message: Failed) -> None:
        """Have an error that a trial raised in a worker raised by the search; KerasTuner leaves that trial as it is."""
        task = self._tasks.get(message.number)
        trial = None if task is None else self._space.trials.get(task.run.note[TRIAL])
        if trial is not None and self._space.fatal is None:
            self._space.fatal = outcome.fatal(self._tuner.oracle, trial, message.traceback)
        if trial is not None and self._space.fatal is not None:
            left_behind.taken(self._tuner, trial)
            del self._space.trials[trial.trial_id]
            self.is_broken_off = True

    def _end(self, message: Finished | Failed, handle: Handler) -> Decision:
        task = self._tasks.pop(message.number)
        trial_id = task.run.note[TRIAL]
        trial = self._space.trials.pop(trial_id)
        error: Exception | None = None
        under_way.forget(private.trial_folder(self._tuner.oracle, trial_id))  # or what is tried again would go on
        try:
            left_behind.taken(self._tuner, trial)
            outcome.told(self._tuner.oracle, trial)
            if isinstance(message, Failed) and trial.status == "RUNNING":  # it failed before the tuner came to it
                trial.status, trial.message = "FAILED", message.traceback
            self._tuner.on_trial_end(trial)
        except Exception as raised:  # such as too many failures in a row
            error = raised
        known = self._tuner.oracle.trials.get(trial_id, trial)
        if error is None and self._engine.retry(trial_id):
            self.submit(task)
            return Decision.GO
        last = self._last.pop(message.number, None)
        ending = _agreed(message, known)
        if isinstance(ending, Finished) and last is not None:
            self._score(last, known, handle)
        decision = handle(ending)
        if error is not None:
            self.is_broken_off = True
            self._engine.end_with(error, self._begun_before(message.number))
        return decision

    def _score(self, last: Report, trial: Any, handle: Handler) -> None:
        """Have the study know the score that an oracle of the program's own has given a trial."""
        score, objective = float(trial.score), self._tuner.oracle.objective.name
        if score != outcome.metrics_of(trial, objective).get(objective):
            handle(replace(last, metrics={**last.metrics, RETURNED: score}, checkpoint=False, amends=True))


def _agreed(message: Finished | Failed, trial: Any) -> Finished | Failed:
    """Return what the study hears of the end of a trial: failed where the oracle says so."""
    is_scored = trial.status == "COMPLETED" and trial.score is not None and math.isfinite(trial.score)
    if isinstance(message, Finished) and not is_scored:
        error = f"the oracle says {trial.status}, with score {trial.score}"
        return Failed(message.number, error, trial.message or "", message.seconds, training=message.training)
    if isinstance(message, Failed):
        # What the trial raised says more than how it came here.
        error = message.error.removeprefix("TrialFailedError: ")
        return replace(message, error=error, traceback=trial.message or message.traceback)
    return message
