"""The search: ask, train, store, tell, observe.

Owns the order of events, which is the same for every engine and executor: the store is written first, then
the engine is told, then the observers. So whatever dies, nothing finished is lost, and a search that is
started again goes on where it was. Knows nothing of how proposals are made, runs are trained, or trials shown.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

from tuning.driver.budget import Limits, Tally
from tuning.driver.interruption import GRACE_SECONDS, INTERRUPTED, OUT_OF_TIME, PAUSES, interruptible, wait_for_stop
from tuning.driver.known_space import KnownSpace
from tuning.driver.observer import Observer, notify, remark
from tuning.driver.outcome import judged, raise_if_all_failed
from tuning.driver.proposals import Proposals
from tuning.driver.task import task_of
from tuning.driver.weights import Weights
from tuning.engines.base import Done, Engine
from tuning.errors import StudyError
from tuning.executors.base import Executor
from tuning.records import trainings
from tuning.records.constraint import excesses
from tuning.records.definition import Definition
from tuning.records.packed import Trials
from tuning.records.trial import RETURNED, Run, State, Training, Trial
from tuning.storage.folder import CHECKPOINTS
from tuning.storage.reading import unswept
from tuning.storage.store import Store
from tuning.training.messages import Decision, Failed, Finished, Key, Lost, Message, Report
from tuning.training.options import TrainingOptions


@dataclass
class Search:
    """One search, new or resumed; `run` does it.

    Attributes:
        definition: what is searched.
        engine, executor, store, observers: see their doors.
        path, trials: the study's folder, and its trials by number, once the search has begun.
        keep: number of best trials whose weights are kept.
        training: what all runs have in common.
        deadline: `time.monotonic()` after which running trials pause; None for no limit.
        limits, retries: when nothing more is asked for; processes that may die in a run before its trial has failed.
        stopping, stopped_at: why no more is asked for, and `time.monotonic()` then; running trials pause.
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
    limits: Limits = Limits()
    retries: int = 1
    trials: Trials = field(default_factory=Trials)
    stopping: str = ""
    stopped_at: float = 0.0

    def __post_init__(self) -> None:
        self._tally = Tally(self.limits, self.definition)
        self._resting: set[int] = set()  # trials between two runs
        self._waiting: list[Key] = []  # trainings of runs that have begun, and runs that an interruption has cut
        self._unanswered: set[Key] = set()  # trainings whose last answer may have got lost with a process
        self._under_way: set[Key] = set()
        self._verdicts: dict[Key, tuple[State, str | None]] = {}  # what was told to stop, and as what
        self._events = count()
        self._proposals = Proposals(self.engine)
        self._space = KnownSpace(self.definition.hyperparameters)
        self._weights = Weights(self.definition, self.path / CHECKPOINTS, self.keep, self.engine.may_continue)

    # The page: a whole search -----------------------------------------------------------------------------

    def run(self) -> None:
        """Search until the engine is done, the search is interrupted, or everything failed.

        Raises:
            SearchFailedError: every trial failed.
            StudyError: the store or a checkpoint cannot be written any more.
            KeyboardInterrupt: interrupted; running trials are stored and the study can be resumed.
        """
        self.begin()
        with interruptible(self._interrupt):
            try:
                while self.start_runs():
                    self.executor.poll(self.handle)
            finally:
                self._proposals.close()
                self.executor.close()
        self.end()
        if self.stopping == INTERRUPTED:
            raise KeyboardInterrupt
        raise_if_all_failed(self.trials.listed())

    # Its parts, for whoever lets a program of its own train, one step at a time ------------------------------

    def begin(self) -> None:
        """Read the study, and tell that it is searched."""
        with unswept():
            self._notify("search_started", self.definition, self._resumed())
        self._close_settled()

    def end(self) -> None:
        """Close what rests, unless the search only pauses, and tell that it is over."""
        if self.stopping not in PAUSES:
            self._close(self._resting)
        self._weights.tidy()
        self._notify("search_ended", self.trials.listed(), self.stopping)

    def start_runs(self) -> bool:
        """Fill the free slots; tell whether the search goes on.

        While there are no slots at all, one run is asked for, so that a search that is done ends, and waits for a slot.
        """
        if self.deadline is not None and time.monotonic() > self.deadline and not self.stopping:
            self._stop(OUT_OF_TIME)
        if self.stopping:
            self._proposals.drop()
            if time.monotonic() - self.stopped_at > self.executor.pause_seconds:
                return False  # what has not reported since is hung; its run is taken up again with the study
        while True:
            for message in self._proposals.released():
                self._handle(message)
            slots = self.executor.slots
            if self.stopping or len(self._under_way) >= max(slots, not self._waiting):
                break
            if self._waiting:
                self._start_training(*self._waiting.pop(0))
                continue
            enough = self._tally.reached(self.trials.unfinished, slots)
            answer = self._proposals.enough(enough) if enough else self._proposals.ask(len(self.trials), slots)
            if isinstance(answer, Run):
                self._begin_run(answer)
                continue
            if isinstance(answer, Done) and not self._under_way:
                self._stop(answer.reason)
                return False
            break
        return bool(self._under_way) or self._proposals.is_busy or (bool(self._waiting) and not self.stopping)

    def handle(self, message: Message) -> Decision:
        """Deal with a message; with the end of a run, while the engine thinks, as soon as it has answered."""
        return Decision.GO if self._proposals.holds(message) else self._handle(message)

    def _handle(self, message: Message) -> Decision:
        trial = self.trials[message.number]
        if not isinstance(message, Report):
            self._under_way.discard((message.number, message.training))
        if trial.state.is_finished and not (isinstance(message, Failed) and message.is_fatal):
            return Decision.STOP  # another training has decided the trial
        if isinstance(message, Report):
            return self._epoch_ended(trial, message)
        if isinstance(message, Finished):
            self._run_finished(trial, message)
        elif isinstance(message, Failed):
            self._run_failed(trial, message)
        elif isinstance(message, Lost):
            self._run_lost(trial, message)
        return Decision.GO

    def decide(self, key: Key, state: State) -> None:
        """Give the run that is under way a state at its end, whatever it comes to."""
        self._verdicts[key] = (state, None)

    def _interrupt(self) -> None:
        """Have the running trials pause; a second time, end at once."""
        if self.stopping != INTERRUPTED:
            self._stop(INTERRUPTED)
        elif time.monotonic() - self.stopped_at > GRACE_SECONDS:  # `timeout`, for one, sends two signals at once
            raise KeyboardInterrupt

    # Beginnings -------------------------------------------------------------------------------------------

    def _resumed(self) -> list[Trial]:
        """Read the study, tell the engine, put runs that were under way first in line, and return the trials."""
        trials, state = self.store.read()
        self._resting = {t.number for t in trials if t.state is State.RUNNING and not t.is_training}
        marks = [m for t in trials for run in t.runs for m in (run.asked, run.ended) if m is not None]
        self._events = count(max(marks, default=-1) + 1)
        for trial in trials:
            self.trials[trial.number] = trial
            self._tally.ended(trial)
            self._space.learn(trial)
        self.engine.restore(trials, state)
        self._waiting = [(t.number, index) for t in trials if t.is_training for index in trainings.not_ended(t)]
        self._unanswered = set(self._waiting)
        self._weights.take_up(trials, self.trials)
        return trials

    def _begin_run(self, run: Run) -> None:
        """Store a trial with its new run, together with the state of the engine, and put its trainings in line."""
        run = replace(run, asked=next(self._events))
        trial = self.trials.get(run.number)
        if trial is None:
            trial = replace(trainings.new_trial(self.definition, run.number, run.values), started_at=time.time())
        if run.source is not None and not self.definition.told:
            self._weights.take_over(trial, self.trials[run.source])
        self._tally.goes_on(trial)
        trial = trainings.with_run(trial, run, self.definition.objective)
        self.store.begin(trial, self.engine.dump(), self._space.hyperparameters)
        self.trials[trial.number] = trial
        self._resting.discard(trial.number)
        self._weights.run_began(trial)
        self._close_settled()
        self._waiting += [(trial.number, index) for index in trainings.not_ended(trial)]

    def _start_training(self, number: int, index: int) -> None:
        """Train the last run of a trial, in one of its trainings, from the checkpoint where there is one."""
        training = self.trials[number].trainings[index]
        # What was reported after the checkpoint will be reported again.
        is_unanswered = (number, index) in self._unanswered and len(training.curve) <= training.checkpoint
        training = trainings.cut(training, training.checkpoint, self.definition.objective)
        trial = self._update(self.trials[number], index, training)
        resumable = self.engine.may_continue(number)
        task = task_of(self.definition, trial, index, self.path, resumable, self.training)
        if is_unanswered and self.engine.should_stop(trial):
            if not training.curve:  # others of its trainings have decided it
                self._end_run(replace(trial, state=State.PRUNED))
                return
            self._verdicts[task.key] = (State.PRUNED, None)
            task = replace(task, run=replace(task.run, stop=task.trained))
        self._under_way.add(task.key)
        worker = self.executor.submit(task)
        self._notify("run_started", self._update(trial, index, replace(training, worker=worker)))

    # What workers report ----------------------------------------------------------------------------------

    def _epoch_ended(self, trial: Trial, message: Report) -> Decision:
        before, key = min(trial.epochs, message.epoch), (message.number, message.training)
        training = trainings.extended(
            trial.trainings[message.training], message.epoch, message.metrics, self.definition.objective
        )
        if message.checkpoint:
            training = replace(training, checkpoint=len(training.curve))
        trial = self._update(trial, message.training, training)
        if message.checkpoint:
            self._weights.written(*key, training.checkpoint)
            self.store.save(trial)
        grown = self._store_growth(trial, before)
        self._notify("training_epoch_ended", trial, message.training)
        for longer in grown:
            self._notify("epoch_ended", longer)
        value = message.metrics.get(RETURNED, message.metrics.get(self.definition.objective.name))
        if value is not None and not math.isfinite(value):
            error = f"{self.definition.objective.name} is {value} in epoch {message.epoch}: training diverged"
            self._verdicts[key] = (State.FAILED, error)
            return Decision.STOP
        if not message.amends and self.engine.should_stop(trial):
            self._verdicts[key] = (State.PRUNED, None)
            return Decision.STOP
        return Decision.PAUSE if self.stopping else Decision.GO

    def _store_growth(self, trial: Trial, before: int) -> list[Trial]:
        """Store the epochs of the trial's own curve from `before` on; return the trial as it was after each.

        A curve that is a mean may have grown by none or by several.
        """
        grown = [trainings.until(trial, epoch + 1) for epoch in range(before, trial.epochs)]
        for longer in grown:
            value = longer.curve.epochs[-1].get(self.definition.objective.name)
            if value is not None:
                self.store.report(longer, value)
        return grown

    def _run_finished(self, trial: Trial, message: Finished) -> None:
        training, restarted = trial.trainings[message.training], message.restarted
        training = trainings.after(training, message.seconds, message.checkpoint, restarted)
        trial = replace(
            trial,
            values=trainings.kept(trial.values, message.values),
            compiled=message.compiled,
            compiled_reason=message.reason,
            found=trial.found + self._space.new(message.space, trial.found),
            resources={**trial.resources, **message.resources},
        )
        self._weights.written(message.number, message.training, message.checkpoint)
        if restarted is not None:
            remark(self.observers, f"trial {message.number} began again at epoch 0: {restarted}")
        verdict, error = self._verdicts.pop((message.number, message.training), (State.RUNNING, None))
        if message.is_refused:
            verdict = State.PRUNED
        elif training.score is None and verdict is not State.FAILED:
            verdict, error = State.FAILED, f"training did not report {self.definition.objective.name}"
        is_paused = self.stopping and verdict is State.RUNNING and len(training.curve) < trial.run.stop
        trial = self._update(trial, message.training, training)
        if is_paused:
            self.store.save(trial)  # the run has not ended
        elif verdict is not State.RUNNING:
            self._end_run(replace(trial, state=verdict, error=error))
        else:
            self._end_training(trial, message.training)

    def _end_training(self, trial: Trial, index: int) -> None:
        """End the run of a trial with the last of its trainings, or when the engine has seen enough of them."""
        before = trial.epochs
        trial = self.trials[trial.number] = trainings.with_training_ended(trial, index, self.definition.objective)
        grown, left = self._store_growth(trial, before), trainings.not_ended(trial)
        if left:
            self.store.save(trial)
        for longer in grown:
            self._notify("epoch_ended", longer)
        if not left or self.engine.should_stop(trial):
            self._end_run(replace(trial, state=State.PRUNED) if left else trial)

    def _run_failed(self, trial: Trial, message: Failed) -> None:
        if message.is_fatal:
            raise StudyError(message.error)
        if message.by_signal and trial.trainings[message.training].lost < self.retries:
            self._run_lost(trial, Lost(message.number, message.error, message.training))
            return
        if message.has_lost and not self.stopping:
            wait_for_stop()
        if self.stopping == INTERRUPTED:
            # Its own processes may have got the signal: the run has not ended, and is trained again.
            self.store.save(trial)
            return
        self._verdicts.pop((message.number, message.training), None)
        training = trainings.after(trial.trainings[message.training], message.seconds)
        trial = self._update(trial, message.training, training)
        self._end_run(replace(trial, state=State.FAILED, error=message.error, traceback=message.traceback))

    def _run_lost(self, trial: Trial, message: Lost) -> None:
        """Train the run again from its checkpoint, unless that was tried before.

        What a stop of the whole job, or a machine that leaves, takes with it is no fault of the trial's.
        """
        if message.counts and not self.stopping:
            wait_for_stop()
        training, counts = trial.trainings[message.training], message.counts and not self.stopping
        if counts and training.lost >= self.retries:
            error = f"training was lost {training.lost + 1} times, the last time because {message.reason}"
            self._run_failed(trial, Failed(message.number, error, "", 0.0, training=message.training))
            return
        self._verdicts.pop((message.number, message.training), None)
        self.store.save(self._update(trial, message.training, replace(training, lost=training.lost + counts)))
        self._waiting.append((message.number, message.training))
        self._unanswered.add((message.number, message.training))

    # Endings ----------------------------------------------------------------------------------------------

    def _end_run(self, trial: Trial) -> None:
        """Store the end of a run, tell the engine, tell the observers; close the trial or let it rest."""
        trial = judged(trial, self.definition)
        run = replace(trial.run, ended=next(self._events), until=trial.epochs)
        trial = replace(trial, runs=(*trial.runs[:-1], run))
        self._waiting = [key for key in self._waiting if key[0] != trial.number]
        if trial.state is State.RUNNING and not self.engine.may_continue(trial.number):
            trial = replace(trial, state=State.COMPLETED)
        if trial.state.is_finished:
            trial = self._with_end_stored(trial)
        else:
            self.store.save(trial)
            self._resting.add(trial.number)
        self._space.learn(trial)
        trial = self.trials[trial.number] = trainings.at_rest(trial)
        self.engine.tell(trial)
        self._notify("run_ended", trial)
        if trial.state.is_finished:
            self._notify("trial_ended", trial)
        self._close_settled()
        self._weights.run_ended(self.trials[trial.number])

    def _close_settled(self) -> None:
        """Close the resting trials that the engine will not continue any more."""
        self._close([number for number in self._resting if not self.engine.may_continue(number)])

    def _close(self, numbers: Iterable[int]) -> None:
        for number in sorted(numbers):
            trial = self.trials[number] = self._with_end_stored(replace(self.trials[number], state=State.COMPLETED))
            self._resting.discard(number)
            self._notify("trial_ended", trial)
            self._weights.run_ended(trial)

    def _with_end_stored(self, trial: Trial) -> Trial:
        trial = replace(trial, ended_at=time.time())
        self._tally.ended(trial)
        self.store.close_trial(trial, excesses(trial, self.definition.constraints))
        return trial

    def _stop(self, reason: str) -> None:
        self.stopping, self.stopped_at = reason, time.monotonic()

    def _update(self, trial: Trial, index: int, training: Training) -> Trial:
        """Return the trial after something became of one of its trainings; it is the one known from now on."""
        trial = self.trials[trial.number] = trainings.with_training(trial, index, training, self.definition.objective)
        return trial

    def _notify(self, event: str, *records: Any) -> None:
        notify(self.observers, event, *records)
