"""The search: ask, train, store, tell, observe.

Owns the order of events, which is the same for every engine and executor: the store is written first, then
the engine is told, then the observers. So whatever dies, nothing finished is lost, and a search that is
started again goes on where it was. Knows nothing of how proposals are made, runs are trained, or trials shown.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import signal
import threading
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tuning.driver.observer import Observer
from tuning.engines.base import Done, Engine
from tuning.errors import SearchFailedError, StudyError
from tuning.executors.base import Executor
from tuning.hyperparameters import Hyperparameter
from tuning.records.definition import Definition
from tuning.records.parts import as_part, not_ended, with_part, with_part_ended
from tuning.records.ranking import pareto, ranked, scores_of
from tuning.records.trial import Part, Run, State, Trial
from tuning.storage.folder import CALLBACKS, CHECKPOINTS, TENSORBOARD
from tuning.storage.store import Store
from tuning.tensorboard.layout import Layout
from tuning.training import checkpoints
from tuning.training.messages import Decision, Failed, Finished, Lost, Message, Report, Task
from tuning.training.options import TrainingOptions

INTERRUPTED = "interrupted"
OUT_OF_TIME = "the time limit is reached"
PAUSES = (INTERRUPTED, OUT_OF_TIME)
"""Reasons to stop that leave the search unfinished."""

Key = tuple[int, int | None]
"""A trial's number, and the part of it that is trained; None for a trial that is trained once."""

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that pause a search."""

MAX_LOST = 1
"""Workers that a run may lose before its trial has failed."""

GRACE_SECONDS = 0.3
"""Whoever ends a whole job, and so workers and driver alike, does it within that time; so does who sends it twice."""


@dataclass
class Search:
    """One search, new or resumed; `run` does it.

    Attributes:
        definition: what is searched.
        engine, executor, store, observers: see their doors.
        path: the study's folder.
        keep: number of best trials whose weights are kept.
        training: what all runs have in common.
        deadline: `time.monotonic()` after which running trials pause; None for no limit.
        stopping: why no more is asked for; running trials pause after their epoch.
        stopped_at: `time.monotonic()` when that was.
    """

    definition: Definition
    engine: Engine
    executor: Executor
    store: Store
    path: Path
    observers: Sequence[Observer] = ()
    keep: int = 3
    training: TrainingOptions = TrainingOptions()
    deadline: float | None = None
    stopping: str = ""
    stopped_at: float = 0.0

    def __post_init__(self) -> None:
        self.trials: dict[int, Trial] = {}
        self._waiting: list[Key] = []  # parts of runs that have begun, and runs that an interruption has cut
        self._under_way: set[Key] = set()
        self._verdicts: dict[Key, tuple[State, str | None]] = {}  # what was told to stop, and as what
        self._events = 0
        self._space = self.definition.hyperparameters

    # The page: a whole search -----------------------------------------------------------------------------

    def run(self) -> None:
        """Search until the engine is done, the search is interrupted, or everything failed.

        Raises:
            SearchFailedError: every trial failed.
            StudyError: the store or a checkpoint cannot be written any more.
            KeyboardInterrupt: interrupted; running trials are stored and the study can be resumed.
        """
        self._resume()
        self._notify("search_started", self.definition, self._listed())
        self._close_settled()
        self._prune()
        with self._interruptible():
            try:
                while self._start_runs():
                    self.executor.poll(self._handle)
            finally:
                self.executor.close()
        if self.stopping not in PAUSES:
            self._close(n for n, t in self.trials.items() if t.state is State.RUNNING and not t.is_training)
        self._prune()
        self._notify("search_ended", self._listed(), self.stopping)
        if self.stopping == INTERRUPTED:
            raise KeyboardInterrupt
        self._raise_if_all_failed()

    def _start_runs(self) -> bool:
        """Fill the free slots; tell whether the search goes on.

        While there are no slots at all, one run is asked for, so that a search that is done ends, and waits for a slot.
        """
        if self.deadline is not None and time.monotonic() > self.deadline and not self.stopping:
            self._stop(OUT_OF_TIME)
        if self.stopping and time.monotonic() - self.stopped_at > self.executor.pause_seconds:
            return False  # what has not reported since is hung; its run is taken up again with the study
        while not self.stopping and (len(self._under_way) < self.executor.slots or self._is_idle):
            if self._waiting:
                self._start(*self._waiting.pop(0))
                continue
            answer = self.engine.ask()
            if isinstance(answer, Run):
                self._waiting += self._to_train(self._begun(answer))
                continue
            if isinstance(answer, Done) and not self._under_way:
                self._stop(answer.reason)
                return False
            break
        return bool(self._under_way) or (bool(self._waiting) and not self.stopping)

    @property
    def _is_idle(self) -> bool:
        return not self._under_way and not self._waiting

    def _handle(self, message: Message) -> Decision:
        trial, part = self.trials[message.number], message.part
        if not isinstance(message, Report):
            self._under_way.discard((trial.number, part))
        if trial.state.is_finished and not (isinstance(message, Failed) and message.is_fatal):
            return Decision.STOP  # another part has decided the trial
        trial = as_part(trial, part)
        if isinstance(message, Report):
            return self._epoch_ended(trial, message)
        if isinstance(message, Finished):
            self._run_finished(trial, message)
        elif isinstance(message, Failed):
            self._run_failed(trial, message)
        elif isinstance(message, Lost):
            self._run_lost(trial, message)
        return Decision.GO

    # Beginnings -------------------------------------------------------------------------------------------

    def _resume(self) -> None:
        """Read the study, tell the engine, and put runs that were under way first in line."""
        trials, state = self.store.read()
        self.trials = {trial.number: trial for trial in trials}
        marks = [m for t in trials for run in t.runs for m in (run.asked, run.ended) if m is not None]
        self._events = max(marks, default=-1) + 1
        for trial in trials:
            self._learn(trial)
        self.engine.restore(trials, state)
        self._waiting = [key for trial in trials if trial.is_training for key in self._to_train(trial)]

    def _begun(self, run: Run) -> Trial:
        """Return the trial with its new run, stored together with the state of the engine."""
        run = replace(run, asked=self._next_event())
        parts = len(self.definition.part_names) * (Part(),)
        trial = self.trials.get(run.number) or Trial(run.number, run.values, started_at=time.time(), parts=parts)
        trial = replace(trial, values=run.values, runs=(*trial.runs, run))
        self.store.begin(trial, self.engine.dump(), self._space)
        self.trials[trial.number] = trial
        self._close_settled()
        return trial

    @staticmethod
    def _to_train(trial: Trial) -> list[Key]:
        return [(trial.number, part) for part in not_ended(trial)]

    def _start(self, number: int, part: int | None) -> None:
        """Train the last run of a trial, or of one part of it, from its checkpoint where it has one."""
        trial = as_part(self.trials[number], part)
        # What was reported after the checkpoint will be reported again.
        trial = self._scored(replace(trial, curve=trial.curve.until(trial.checkpoint)))
        self._under_way.add((number, part))
        self._notify("run_started", self._taken(trial, part))
        fold, repeat = self.definition.fold_and_repeat(part)
        name = "" if part is None else self.definition.part_names[part]
        self.executor.submit(
            Task(
                run=trial.run,
                seed=seed_of_trial(self.definition.seed, number, repeat),
                objective=self.definition.objective,
                folder=str(self.path / CHECKPOINTS),
                trained=trial.checkpoint,
                best=trial.score,
                resumable=self.engine.may_continue(number),
                options=self.training,
                part=part,
                fold=fold,
                files=str(self.path / CALLBACKS / f"trial_{number:04d}" / name),
                log_folder=str(Layout(self.path / TENSORBOARD).log(number, name)),
            )
        )

    # What workers report ----------------------------------------------------------------------------------

    def _epoch_ended(self, trial: Trial, message: Report) -> Decision:
        curve = trial.curve.until(message.epoch).extended(message.metrics)
        trial = self._scored(replace(trial, curve=curve))
        if message.checkpoint:
            trial = replace(trial, checkpoint=trial.epochs)
        before = self.trials[trial.number].epochs if message.part is not None else message.epoch
        whole = self._taken(trial, message.part)
        if message.checkpoint:
            self.store.save(whole)
        if message.part is not None:
            self._notify("part_epoch_ended", whole, message.part)
        self._curve_grew(whole, before)
        value = message.metrics.get(self.definition.objective.name)
        if value is not None and not math.isfinite(value):
            error = f"{self.definition.objective.name} is {value} in epoch {message.epoch}: training diverged"
            self._verdicts[trial.number, message.part] = (State.FAILED, error)
            return Decision.STOP
        if self.stopping:
            return Decision.PAUSE
        if self.engine.should_stop(whole):
            self._verdicts[trial.number, message.part] = (State.PRUNED, None)
            return Decision.STOP
        return Decision.GO

    def _curve_grew(self, trial: Trial, before: int) -> None:
        """Store and tell the epochs of the trial's curve from `before` on; of a mean there may be none or several."""
        for epoch in range(before, trial.epochs):
            value = trial.curve.epochs[epoch].get(self.definition.objective.name)
            until = replace(trial, curve=trial.curve.until(epoch + 1))
            if value is not None:
                self.store.report(until, value)
            self._notify("epoch_ended", until)

    def _run_finished(self, trial: Trial, message: Finished) -> None:
        trial = replace(
            trial,
            values=message.values,
            seconds=trial.seconds + message.seconds,
            checkpoint=message.checkpoint,
            compiled=message.compiled,
            compiled_reason=message.reason,
            found=trial.found + self._new(message.space, trial.found),
            resources={**trial.resources, **message.resources},
        )
        verdict, error = self._verdicts.pop((trial.number, message.part), (State.RUNNING, None))
        if trial.score is None and verdict is not State.FAILED:
            verdict, error = State.FAILED, f"training did not report {self.definition.objective.name}"
        is_paused = self.stopping and verdict is State.RUNNING and trial.epochs < trial.run.stop
        trial = self._taken(trial, message.part)
        if is_paused:
            self.store.save(trial)  # the run has not ended
        elif message.part is None or verdict is not State.RUNNING:
            self._end_run(replace(trial, state=verdict, error=error))
        else:
            self._part_ended(trial, message.part)

    def _part_ended(self, trial: Trial, part: int) -> None:
        """End the run of a trial with its last part, or as soon as the engine has seen enough of them."""
        before = trial.epochs
        trial = with_part_ended(trial, part, self.definition.objective)
        self._curve_grew(trial, before)
        if not not_ended(trial):
            self._end_run(trial)
        elif self.engine.should_stop(trial):
            self._end_run(replace(trial, state=State.PRUNED))
        else:
            self.store.save(trial)
            self.trials[trial.number] = trial

    def _run_failed(self, trial: Trial, message: Failed) -> None:
        if message.is_fatal:
            raise StudyError(message.error)
        if self.stopping == INTERRUPTED:
            # Its own processes may have got the signal: the run has not ended, and is trained again.
            self.store.save(self._taken(trial, message.part))
            return
        self._verdicts.pop((trial.number, message.part), None)
        trial = self._taken(replace(trial, seconds=trial.seconds + message.seconds), message.part)
        self._end_run(replace(trial, state=State.FAILED, error=message.error, traceback=message.traceback))

    def _run_lost(self, trial: Trial, message: Lost) -> None:
        """Train the run again from its checkpoint, unless that was tried before.

        What a stop of the whole job takes with it is no fault of the trial's.
        """
        if not self.stopping:
            time.sleep(GRACE_SECONDS)  # the same hand may be about to stop, or kill, this process
        if trial.lost >= MAX_LOST and not self.stopping:
            again = f"{trial.lost + 1} times, the last time because {message.reason}"
            self._run_failed(trial, Failed(message.number, f"training was lost {again}", "", 0.0, part=message.part))
            return
        self._verdicts.pop((trial.number, message.part), None)
        self.store.save(self._taken(replace(trial, lost=trial.lost + (not self.stopping)), message.part))
        self._waiting.append((message.number, message.part))

    # Endings ----------------------------------------------------------------------------------------------

    def _end_run(self, trial: Trial) -> None:
        """Store the end of a run, tell the engine, tell the observers; close the trial or let it rest."""
        several = self.definition.several
        trial = replace(trial, scores=scores_of(trial, several))
        missing = [o.name for o, score in zip(several, trial.scores, strict=True) if score is None]
        if missing and trial.state is State.RUNNING:
            trial = replace(trial, state=State.FAILED, error=f"there is no value of {', '.join(missing)}")
        run = replace(trial.run, ended=self._next_event(), until=trial.epochs)
        trial = replace(trial, runs=(*trial.runs[:-1], run), lost=0)
        self._waiting = [key for key in self._waiting if key[0] != trial.number]
        if trial.state is State.RUNNING and not self.engine.may_continue(trial.number):
            trial = replace(trial, state=State.COMPLETED)
        if trial.state.is_finished:
            trial = replace(trial, ended_at=time.time())
            self.store.close_trial(trial)
        else:
            self.store.save(trial)
        self._learn(trial)
        self.trials[trial.number] = trial
        self.engine.tell(trial)
        self._notify("run_ended", trial)
        if trial.state.is_finished:
            self._notify("trial_ended", trial)
        self._close_settled()
        self._prune()

    def _close_settled(self) -> None:
        """Close the resting trials that the engine will not continue any more."""
        self._close(
            n
            for n, t in self.trials.items()
            if t.state is State.RUNNING and not t.is_training and not self.engine.may_continue(n)
        )

    def _close(self, numbers: Iterator[int]) -> None:
        closing = list(numbers)
        for number in closing:
            trial = replace(self.trials[number], state=State.COMPLETED, ended_at=time.time())
            self.store.close_trial(trial)
            self.trials[number] = trial
            self._notify("trial_ended", trial)
        if closing:
            self._prune()

    def _prune(self) -> None:
        """Delete the checkpoints of trials that are neither among the best nor going to be continued."""
        settled = [trial for trial in self.trials.values() if not trial.is_training]
        several = self.definition.several
        chosen = ranked(settled, self.definition.objective)[: self.keep] + (pareto(settled, several) if several else [])
        best = [trial.number for trial in chosen]
        checkpoints.prune(self.path / CHECKPOINTS, best, self._goes_on_from)

    def _goes_on_from(self, number: int, part: int | None) -> int | None:
        """Return the epochs in the checkpoint that a trial would go on from; None when it is finished."""
        trial = self.trials.get(number)
        if trial is None or (trial.state.is_finished and not self.engine.may_continue(number)):
            return None
        return as_part(trial, part).checkpoint

    def _raise_if_all_failed(self) -> None:
        trials = self._listed()
        if not trials or any(t.state is not State.FAILED for t in trials):
            return
        reasons = Counter(t.error for t in trials).most_common(3)
        listed = "; ".join(f"{count} x {reason}" for reason, count in reasons)
        raise SearchFailedError(
            f"all {len(trials)} trials failed: {listed}. `tune show` prints them with their values."
        )

    def _stop(self, reason: str) -> None:
        self.stopping, self.stopped_at = reason, time.monotonic()

    # Small things -----------------------------------------------------------------------------------------

    def _scored(self, trial: Trial) -> Trial:
        best = self.definition.objective.best(trial.curve.values(self.definition.objective.name))
        epoch, score = best if best is not None else (None, None)
        return replace(trial, score=score, best_epoch=epoch)

    def _taken(self, trial: Trial, part: int | None) -> Trial:
        """Take over what became of a trial, or of one part of it; return the whole trial."""
        trial = with_part(trial, part, self.definition.objective)
        self.trials[trial.number] = trial
        return trial

    def _new(
        self, space: Sequence[Mapping[str, Any]], found: Sequence[Mapping[str, Any]]
    ) -> tuple[Mapping[str, Any], ...]:
        """Return the hyperparameters (JSON) that no trial had met before, nor this one, which has `found` some."""
        known = {h.key for h in (*self._space, *map(Hyperparameter.from_json, found))}
        return tuple(record for record in space if Hyperparameter.from_json(record).key not in known)

    def _learn(self, trial: Trial) -> None:
        self._space += tuple(map(Hyperparameter.from_json, trial.found))

    def _next_event(self) -> int:
        self._events += 1
        return self._events - 1

    def _listed(self) -> list[Trial]:
        return [self.trials[number] for number in sorted(self.trials)]

    def _notify(self, event: str, *records: Any) -> None:
        for observer in self.observers:
            try:
                getattr(observer, event)(*records)
            except Exception as error:  # observers do not steer: one that fails is not worth a search
                warnings.warn(f"{type(observer).__name__}.{event} raised {type(error).__name__}: {error}", stacklevel=2)

    @contextlib.contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Let the first Ctrl-C, SIGTERM or SIGHUP pause the running trials; a second one ends at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def interrupt(signum: int, frame: Any) -> None:
            if self.stopping != INTERRUPTED:
                self._stop(INTERRUPTED)
            elif time.monotonic() - self.stopped_at > GRACE_SECONDS:  # `timeout`, for one, sends two at once
                raise KeyboardInterrupt

        numbers = [n for n in STOPS if signal.getsignal(n) is not signal.SIG_IGN]  # as nohup has it
        before = {number: signal.signal(number, interrupt) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def seed_of_trial(seed: int, number: int, repeat: int = 0) -> int:
    """Return the seed of one trial's training: the same for every run and fold of it, in any process."""
    text = f"{seed}/{number}/{repeat}" if repeat else f"{seed}/{number}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") % 2**31
