"""Train runs on the machines of a cluster, one in each slot that an agent holds there.

Owns who trains what, and what becomes of a task whose slot is gone. Machines may come and go at any time.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cloudpickle

from tuning.data import Data
from tuning.errors import Remark, StudyError, TuningError
from tuning.executors.base import Handler
from tuning.executors.channel import Call, Returned, Train
from tuning.executors.cluster import agent, versions
from tuning.executors.cluster.link import Heard, Left, Link, Refused, Workers
from tuning.executors.cluster.payload import PayloadSource
from tuning.executors.cluster.slots import Slot, Slots
from tuning.executors.cluster.space import code_by_value, is_file
from tuning.executors.cluster.transfer import Transfer
from tuning.executors.cluster.wire import (
    Answer,
    Begin,
    Begun,
    Broken,
    End,
    Filled,
    Gone,
    PayloadIsWritten,
    Said,
)
from tuning.executors.machine import users_variables
from tuning.executors.patience import Patience
from tuning.executors.processes import result_of, sendable
from tuning.space import SearchSpace
from tuning.training.messages import Failed, Finished, Lost, Report, Task

FORWARDED = ("TF_", "JAX_", "XLA_FLAGS", "KERAS_BACKEND")
"""What the names of the driver's variables begin with that worker processes on all machines get."""

CLOSE_SECONDS = 4
"""Time that agents are given to end their worker processes."""

WAITING_SECONDS = 5
"""After so long without a machine it is said that the search waits for one."""

GRACE_SECONDS = 3
"""An agent that hears of its worker process is given so much more time than that to speak."""

_POLL_SECONDS = 0.5


class ClusterExecutor:
    """An executor with the slots of a cluster of dask.distributed: one a thread of its workers.

    Its worker processes begin to start with the constructor, in a thread: before it is known what they will train.

    Args:
        cluster: address, scheduler file or client; see `Link`.
        path: the study's folder; None where tasks write no files.
        imports: modules that every worker process imports ahead.
        silence_seconds: as of `ProcessExecutor`.
        most: slots that may be held; None for all that there are.
        alike: whether times are compared, so that only machines of the kind of the first one are used.
    """

    def __init__(
        self,
        cluster: Any,
        path: Path | None = None,
        imports: Sequence[str] = (),
        silence_seconds: float | None = None,
        most: int | None = None,
        alike: bool = False,
    ) -> None:
        self._alike, self._kind = alike, ""
        self._imports, self._silence, self._most = tuple(imports), silence_seconds, most
        self._patience = Patience(silence_seconds)
        self._link = Link(cluster)
        self._transfer = Transfer(self._link, path)
        self._versions = versions.installed()
        self._variables = {n: v for n, v in users_variables().items() if n.startswith(FORWARDED)}
        self._source = PayloadSource(self._link)
        self._slots = Slots(agent.machine(), self._source.own)
        self._by_value = contextlib.ExitStack()
        self._is_closed = False
        self._returned: dict[str, Returned] = {}
        self._remarks: set[str] = set()
        self._unsaid: list[str] = []
        self._failure: BaseException | None = None
        self._preparing = threading.Thread(target=self._prepare, daemon=True)
        self._preparing.start()

    @property
    def slots(self) -> int:
        return len(self._slots.ready)

    @property
    def pause_seconds(self) -> float:
        return self._patience.pause_limit

    # The executor's door ------------------------------------------------------------------------------------

    def load(self, source: str | None, space: SearchSpace, data: Data, is_own: bool = False) -> None:
        self._end_preparing()
        self._say_remarks()
        if self._failure is not None:
            raise self._failure
        self._by_value.enter_context(code_by_value(source))
        self._source.load(None if is_file(source) else source, space, data, is_own)
        for slot in self._slots:
            self._fill(slot)

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        with sendable("what is passed to fit"):
            message = Call(cloudpickle.dumps((function, arguments)))
        for _ in range(2):
            slot = self._first_ready()
            self._link.tell(slot.name, message)
            while slot in self._slots and not slot.is_refused and slot.name not in self._returned:
                self._take_next(_refuse)
            if slot.name in self._returned:
                return result_of(self._returned.pop(slot.name))
        raise TuningError("two machines in a row have left the cluster while they looked at the search.")

    def submit(self, task: Task) -> str:
        slot = self._slots.idle()
        slot.task, slot.answered = task, time.monotonic()
        with sendable("what is passed to fit"):
            message = Train(task.key, cloudpickle.dumps(self._transfer.seen_from(slot, task)))
        self._transfer.push(slot, task)
        self._link.tell(slot.name, message)
        return slot.worker

    def poll(self, handle: Handler) -> None:
        self._take_next(handle)
        while not self._link.incoming.empty():
            self._take_next(handle)
        for slot in self._slots.silent(self._patience.limit + GRACE_SECONDS):
            if not self._link.answers(GRACE_SECONDS):
                raise self._lost_scheduler("does not answer")
            self._link.forget(slot.address)
            self._leave(slot.address, "its machine did not answer", handle)

    def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        self._end_preparing()
        for slot in self._slots:
            self._link.tell(slot.name, End())
        deadline = time.monotonic() + CLOSE_SECONDS
        while any(slot.machine for slot in self._slots) and self._link.is_up and time.monotonic() < deadline:
            with contextlib.suppress(queue.Empty):
                self._has_gone(self._link.incoming.get(timeout=0.1))
        self._transfer.close()
        self._link.close()
        self._by_value.close()
        self._source.close()

    def _prepare(self) -> None:
        """Have agents begin until there is something to load; what goes wrong is told then."""
        try:
            while (event := self._link.incoming.get()) is not None:
                self._take(event, _refuse)
        except BaseException as error:
            self._failure = error

    def _end_preparing(self) -> None:
        self._link.incoming.put(None)
        self._preparing.join()

    def _has_gone(self, event: Any) -> None:
        """Take note of the end of agents, while the search is being closed."""
        if isinstance(event, Left):
            self._slots.remove(*self._slots.at(event.address))
        elif isinstance(event, Refused) or (isinstance(event, Heard) and isinstance(event.message, (Gone, Broken))):
            self._slots.remove(*filter(None, [self._slots.get(event.slot)]))

    # What comes in ------------------------------------------------------------------------------------------

    def _take_next(self, handle: Handler) -> None:
        """Wait a moment for something to come in, and deal with it."""
        try:
            event = self._link.incoming.get(timeout=_POLL_SECONDS)
        except queue.Empty:
            if not self._link.is_up:
                raise self._lost_scheduler("is gone") from None
            return
        try:
            self._take(event, handle)
        finally:
            self._say_remarks()

    def _take(self, event: Any, handle: Handler) -> None:
        if isinstance(event, Workers):
            self._join(event.threads, handle)
        elif isinstance(event, Left):
            self._leave(event.address, "its machine has left the cluster", handle)
        elif event is not None:
            slot = self._slots.get(event.slot)
            if slot is None:
                return
            slot.heard = time.monotonic()
            if isinstance(event, Refused):
                self._give_up(slot, f"{slot.address} cannot be used: {event.error}", handle)
            elif event.hello is not None:
                self._welcome(slot, event.hello)
            else:
                self._obey(slot, event.message, handle)

    def _obey(self, slot: Slot, message: Any, handle: Handler) -> None:
        if isinstance(message, Said):
            self._pass_on(slot, message, handle)
        elif isinstance(message, Begun):
            self._slots.begun(slot, message.payload)
            self._begin_next(slot)
            self._fill(slot)
        elif isinstance(message, Filled):
            self._filled(slot)
        elif isinstance(message, Returned):
            self._returned[slot.name] = message
        elif isinstance(message, Broken):
            self._give_up(slot, f"on {slot.host}: {message.error}", handle)
        elif isinstance(message, Gone):
            self._drop(slot, "its machine is about to leave the cluster", handle)

    def _pass_on(self, slot: Slot, said: Said, handle: Handler) -> None:
        """Pass a message of a worker process on, once the files are here that it speaks of."""
        message, task = said.message, slot.task
        if task is None or (message.number, message.training) != task.key:
            return
        try:
            self._transfer.pull(slot, said.files)
        except OSError as error:
            if not self._link.is_up:
                raise self._lost_scheduler("is gone") from None
            self._link.release(slot.name)
            self._drop(slot, f"its files could not be had from {slot.host}: {error}", handle)
            return
        if isinstance(message, Report):
            self._patience.saw(time.monotonic() - slot.answered)
            decision = handle(message)
            self._transfer.recorded(slot, task, message)
            self._link.answer(slot.name, Answer(task.key, decision))
            slot.answered = time.monotonic()
        elif isinstance(message, (Finished, Failed, Lost)):
            slot.task = None
            handle(message)

    # Machines come and go -----------------------------------------------------------------------------------

    def _join(self, threads: Mapping[str, int], handle: Handler) -> None:
        """Take note of the machines that are there now."""
        for address in self._slots.addresses - threads.keys():
            self._leave(address, "its machine has left the cluster", handle)
        self._slots.threads = dict(threads)
        self._hold()

    def _hold(self) -> None:
        """Hold slots where there are threads without one; have a cluster that grows by demand start what is missing."""
        for address in self._slots.free(self._most):
            slot = self._slots.add(address)
            self._link.hold(slot.name, address, self._transfer.probe)
        self._link.wish(0 if self._most is None else self._most - self._slots.n_used)

    def _welcome(self, slot: Slot, hello: Mapping[str, Any]) -> None:
        """Let an agent begin, unless it cannot train what is searched here."""
        theirs = hello["versions"]
        wrong = versions.refused(self._versions, theirs)
        if not wrong and self._alike:
            self._kind = self._kind or hello["kind"]
            is_other = self._kind != hello["kind"]
            wrong = [f"{hello['kind']} instead of {self._kind}, and times are compared"] if is_other else []
        if wrong:
            slot.is_refused = True  # it is held, or the next one would be the same
            self._remark(f"{hello['host']} is not used: it has {', '.join(wrong)}")
            self._hold()
            return
        other = versions.differing(self._versions, theirs)
        if other:
            self._remark(f"{hello['host']} has {', '.join(other)}; scores may differ in their last digits")
        self._slots.said_hello(slot, hello)
        self._begin_next(slot)

    def _begin_next(self, slot: Slot) -> None:
        """Let agents of a machine begin: the first alone, because the others read its payload."""
        for other in self._slots.may_begin(slot.machine):
            other.is_begun = True
            self._link.tell(
                other.name,
                Begin(
                    self._imports,
                    self._silence,
                    self._slots.total_on(other, self._most),
                    other.place,
                    self._variables,
                    self._slots.payload_of(slot.machine),
                ),
            )

    def _fill(self, slot: Slot) -> None:
        """See to it that the payload of a slot is complete, and that its worker process reads it."""
        payload = slot.payload
        if payload is None or not self._source.is_loaded or slot.is_ready:
            return
        if payload is self._source.own:
            self._source.write()
        if payload.is_filled:
            self._link.tell(slot.name, PayloadIsWritten())
            slot.is_ready = True
        elif payload.filler not in self._slots:
            payload.filler = slot
            self._source.send(slot.name)

    def _filled(self, slot: Slot) -> None:
        if slot.payload is not None:
            slot.payload.is_filled = True
            for other in self._slots:
                if other.payload is slot.payload:
                    self._fill(other)

    def _leave(self, address: str, reason: str, handle: Handler) -> None:
        for slot in self._slots.at(address):
            self._drop(slot, reason, handle)
        self._slots.threads.pop(address, None)

    def _drop(self, slot: Slot, reason: str, handle: Handler) -> None:
        """Forget a slot that is gone; that its task is lost does not count against the trial.

        No other is held there until the cluster says again who is there.
        """
        self._link.release(slot.name)
        self._slots.remove(slot)
        self._slots.threads.pop(slot.address, None)
        for other in self._slots:
            self._fill(other)  # it may have been the one to fill their payload
        self._begin_next(slot)
        if slot.task is not None:
            number, training = slot.task.key
            handle(Lost(number, f"{reason} ({slot.worker})", training, counts=False))
        self._hold()

    def _give_up(self, slot: Slot, error: str, handle: Handler) -> None:
        """Do without a slot; end the search where that was the last one."""
        slot.is_refused, slot.is_ready = True, False
        if all(other.is_refused for other in self._slots):
            raise TuningError(f"the search cannot be trained {error}")
        self._remark(error)
        if slot.task is not None:
            task, slot.task = slot.task, None
            handle(Lost(task.run.number, error, task.training))
        self._hold()

    def _first_ready(self) -> Slot:
        """Return an idle slot; wait for one where there is none."""
        begun = time.monotonic()
        while not self._slots.ready:
            self._take_next(_refuse)
            if time.monotonic() - begun > WAITING_SECONDS and not self._slots.threads:
                self._remark(f"no machine has joined {self._link.address} yet; the search waits for one")
        return self._slots.idle()

    # Small things -------------------------------------------------------------------------------------------

    def _remark(self, text: str) -> None:
        """Have something said once, in the driver's thread."""
        if text not in self._remarks:
            self._remarks.add(text)
            self._unsaid.append(text)

    def _say_remarks(self) -> None:
        while self._unsaid:
            warnings.warn(self._unsaid.pop(0), Remark, stacklevel=2)

    def _lost_scheduler(self, what: str) -> StudyError:
        return StudyError(
            f"the scheduler at {self._link.address} {what}. What was reported before is stored; the same command goes "
            "on where it was, with a scheduler that answers."
        )


def _refuse(message: Any) -> Any:
    raise TuningError(f"nothing is being trained, but a machine of the cluster said {message}")
