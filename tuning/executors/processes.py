"""Train runs in worker processes that are supervised: one that dies takes only its own run with it.

Owns who trains what, and when a worker is replaced. Retries are the search's decision: a dead or silent worker
becomes a `Lost` message. A pool from the standard library would not do: when one of its processes is killed,
every task under way is lost with it.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pickle
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, BinaryIO, cast

import cloudpickle

from tuning.data import Data
from tuning.errors import TuningError
from tuning.executors.channel import (
    SINGLY,
    Batch,
    Call,
    Load,
    Loaded,
    Memory,
    Returned,
    Setup,
    Train,
    Unable,
    by_value,
    write_payload,
)
from tuning.executors.guardian import Guardian
from tuning.executors.handle import WorkerHandle
from tuning.executors.machine import Share, default_workers, environment, free_bytes, worker_name
from tuning.executors.patience import Patience
from tuning.space import SearchSpace
from tuning.training.messages import Decision, Failed, Finished, Key, Lost, Message, Report, Task

__all__ = ["ProcessExecutor", "default_workers"]

MAX_FALSE_STARTS = 3
"""Workers in a row that may die before they are ready; one more ends the search."""

CLOSE_SECONDS = 2
"""Time that workers are given to end by themselves."""

_POLL_SECONDS = 0.5


class ProcessExecutor:
    """An executor with worker processes on this machine.

    They start with the constructor, before it is known what they will train, so that their start-up and the
    driver's own imports overlap.

    Args:
        slots: number of workers.
        imports: modules that every worker imports ahead.
        silence_seconds: a worker that reports nothing for so long is killed; infinity for never, None for what
            follows from the epochs that were seen; see `Patience`.
        share: what the workers may take of this machine; None for all of it.
        payload: the file for the space and the data; None for one of its own.
        folder: where the workers work; None for the working folder as it is now. A space may change it later.
        batch: how many tasks each worker trains at once. When it dies, nobody knows which of them is to blame: none
            is, and each that was under way is trained alone the next time.
    """

    def __init__(
        self,
        slots: int,
        imports: Sequence[str] = (),
        silence_seconds: float | None = None,
        share: Share | None = None,
        payload: BinaryIO | None = None,
        folder: Path | None = None,
        batch: Batch = SINGLY,
    ) -> None:
        self._n_workers, self._batch = slots, batch
        self._patience = Patience(silence_seconds)
        self._place = Share(slots) if share is None else share
        self._folder = Path.cwd() if folder is None else folder
        self._setup = Setup([str(self._folder / path) for path in sys.path], tuple(imports), batch)
        self._payload = unnamed_file() if payload is None else payload
        self._is_loaded = self._is_closed = False
        self._false_starts = 0
        self._tasks: dict[Key, Train] = {}  # under way
        self._unanswered: set[Key] = set()
        self._suspects: set[Key] = set()  # tasks that were lost in company
        self._workers: list[WorkerHandle] = []
        self._share = free_bytes() // self._place.slots
        self._mark = os.urandom(8).hex()
        self._starts = itertools.count()
        self._guardian = Guardian(self._mark)
        try:
            for slot in range(slots):
                self._workers.append(self._started(slot))
        except BaseException:
            self.close()
            raise

    @property
    def slots(self) -> int:
        return sum(map(self._room, self._workers))

    def load(self, source: str | None, space: SearchSpace, data: Data, is_own: bool = False) -> None:
        record = (source, None if source is not None else space, data)
        with sendable("the space and its data"), _files_by_value():
            write_payload(self._payload, record)
        self.payload_is_written()

    def payload_is_written(self) -> None:
        """Have the workers read the payload, now that it is complete."""
        self._is_loaded = True
        for worker in self._workers:
            worker.send(Load())

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        with sendable("what is passed to fit"), _files_by_value():
            message = Call(cloudpickle.dumps((function, arguments)))
        return result_of(self.call_pickled(message))

    def call_pickled(self, message: Call) -> Returned:
        """Have a worker make a call that is pickled already."""
        self._workers[0].send(message)
        is_retry = False
        while True:
            worker = self._workers[0]
            try:
                # Starting and looking may take their time; only a message may not.
                if not worker.channel.poll(_POLL_SECONDS) and not worker.has_ended:
                    self._refuse_hung(worker)
                    continue
                returned = worker.receive()
            except (EOFError, OSError):
                when = "while it looked at the search" if worker.is_ready else "when it started"
                died = f"a worker process died {when}: {worker.epitaph()}."
                if is_retry:
                    raise TuningError(died) from None
                is_retry = True  # it may have been killed from outside
                self._replace(worker).send(message)
                continue
            if isinstance(returned, Returned):
                return returned
            self._take_note(worker, returned)

    def _refuse_hung(self, worker: WorkerHandle) -> None:
        limit = self._patience.look_limit if worker.is_ready else self._patience.start_limit
        if worker.is_silent_for(limit):
            doing = "it looked at the search: building a model, or training its first batch, hangs"
            raise TuningError(
                f"a worker process reported nothing for {limit:g} s while "
                f"{doing if worker.is_ready else 'it started'}. A longer silence_limit (--silence-limit) waits longer."
            )

    def submit(self, task: Task) -> str:
        with sendable("what is passed to fit"), _files_by_value():
            message = Train(task.key, cloudpickle.dumps(task))
        slot = self.submit_pickled(message)
        return worker_name(self._place.first + slot)

    def submit_pickled(self, message: Train) -> int:
        """Take a task that is pickled already; return the slot of its worker."""
        free = (worker for worker in self._workers if len(worker.tasks) < self._room(worker))
        worker = min(free, key=lambda worker: len(worker.tasks))
        message = replace(message, is_alone=message.key in self._suspects)
        worker.tasks.append(message.key)
        self._tasks[message.key] = message
        worker.send(message)
        return self._workers.index(worker)

    def answer(self, key: Key, decision: Decision) -> None:
        """Answer the report of a task whose handler has put that off; from any thread."""
        self._unanswered.discard(key)
        for worker in self._workers:
            if key in worker.tasks:
                worker.send(decision)

    def poll(self, handle: Callable[[Message], Decision | None], bell: Connection | None = None) -> None:
        """Wait a moment for messages and pass them to `handle`.

        Args:
            handle: as of every executor; where it returns None for a report, `answer` follows.
            bell: ends the wait, too, when there is something to be read from it.
        """
        by_channel = {id(worker.channel): worker for worker in self._workers}
        channels = [*(worker.channel for worker in self._workers), *([] if bell is None else [bell])]
        for channel in wait(channels, timeout=_POLL_SECONDS):
            if channel is not bell:
                self._receive(by_channel[id(channel)], handle)
        for worker in list(self._workers):
            if worker.has_ended and not worker.channel.poll():  # what a trial has started lives on and holds its end
                self._bury(worker, handle, f"its worker process died: {worker.epitaph()}")
        for worker, limit in self._silent():
            worker.kill()
            self._bury(worker, handle, f"its worker process reported nothing for {limit:g} s")

    @property
    def pause_seconds(self) -> float:
        return self._patience.pause_limit

    def close(self) -> None:
        self._is_closed = True
        for worker in self._workers:
            worker.hang_up()
        deadline = time.monotonic() + CLOSE_SECONDS
        for worker in self._workers:
            self._end(worker, max(0.0, deadline - time.monotonic()))
        self._guardian.close()
        self._payload.close()

    def _started(self, slot: int) -> WorkerHandle:
        if self._is_closed:  # in another thread
            raise TuningError("the worker processes have been ended.")
        try:
            mark = f"{self._mark}-{next(self._starts)}-"
            worker = WorkerHandle(
                environment(self._place.first + slot, self._place.slots, self._place.devices, self._place.variables),
                self._payload.fileno(),
                mark,
                self._share,
                self._folder,
            )
        except OSError as error:
            raise TuningError(
                f"a worker process could not be started: {error}. Search with fewer workers than {self._n_workers}."
            ) from None
        self._guardian.watch(worker.pid)
        worker.send(self._setup)
        if self._is_loaded:
            worker.send(Load())
        return worker

    def _receive(self, worker: WorkerHandle, handle: Callable[[Message], Decision | None]) -> None:
        heard = worker.heard
        try:
            message = worker.receive()
        except EOFError:
            self._bury(worker, handle, f"its worker process died: {worker.epitaph()}")
            return
        if isinstance(message, Report):
            self._patience.saw(worker.heard - heard)
            key = (message.number, message.training)
            self._unanswered.add(key)  # the answer may come in another thread, before the handler returns
            decision = handle(message)
            if decision is not None:
                self.answer(key, decision)
        elif isinstance(message, (Finished, Failed)):
            key = message.number, message.training
            worker.tasks.remove(key)
            del self._tasks[key]
            self._suspects.discard(key)
            if worker.has_grown and not worker.tasks:
                self._replace(worker)
            handle(message)
        else:
            self._take_note(worker, message)

    def _take_note(self, worker: WorkerHandle, message: Any) -> None:
        """Take what a worker says of itself."""
        if isinstance(message, Memory):
            worker.measured(message.resident)
        elif isinstance(message, Loaded):
            worker.is_ready, self._false_starts = True, 0
        elif isinstance(message, Unable):
            raise TuningError(f"a worker process could not load the search: {message.error}")

    def _bury(self, worker: WorkerHandle, handle: Callable[[Message], Any], reason: str) -> None:
        """Start another worker in place of a dead one, and say what was lost with it."""
        if not worker.is_ready:
            self._false_starts += 1
            if self._false_starts > MAX_FALSE_STARTS:
                raise TuningError(
                    f"{self._false_starts} worker processes in a row ended before they were ready to train; of the "
                    f"last one: {reason}. What they have printed says more; workers=1 trains without them."
                )
        successor = self._replace(worker)
        if not worker.is_ready:  # training has not begun
            successor.tasks = worker.tasks
            for key in worker.tasks:
                successor.send(self._tasks[key])
            return
        blamed = self._blamed(worker.tasks)
        for key in worker.tasks:
            self._unanswered.discard(key)
            del self._tasks[key]
        for number, training in worker.tasks:
            handle(Lost(number, reason, training, counts=(number, training) == blamed))

    def _blamed(self, tasks: Sequence[Key]) -> Key | None:
        """Return which of a dead worker's tasks was trained alone; where several were, none, but all are suspects."""
        if len(tasks) == 1 or (tasks and tasks[0] in self._suspects):
            return tasks[0]
        self._suspects.update(itertools.takewhile(lambda key: key not in self._suspects, tasks))
        return None

    def _room(self, worker: WorkerHandle) -> int:
        """Return how many tasks a worker may have: one that is about to be replaced gets no more."""
        return len(worker.tasks) if worker.tasks and worker.has_grown else self._batch.size

    def _replace(self, worker: WorkerHandle) -> WorkerHandle:
        self._end(worker, 0)
        slot = self._workers.index(worker)
        self._workers[slot] = self._started(slot)
        return self._workers[slot]

    def _silent(self) -> Iterator[tuple[WorkerHandle, float]]:
        for worker in list(self._workers):
            limit = self._patience.limit if worker.is_ready else self._patience.start_limit
            is_training = bool(worker.tasks) and self._unanswered.isdisjoint(worker.tasks)
            if is_training and worker.is_silent_for(limit):
                yield worker, limit

    def _end(self, worker: WorkerHandle, patience_seconds: float) -> None:
        worker.end(patience_seconds)
        self._guardian.forget(worker.pid)


def unnamed_file() -> BinaryIO:
    """Return a file without a name: it cannot be cleaned away while workers need it, nor stay when all are killed."""
    return cast(BinaryIO, tempfile.TemporaryFile(prefix="tuning-"))


def result_of(returned: Returned) -> Any:
    """Return or raise what a worker has returned or raised."""
    try:
        result = TuningError(returned.error) if returned.pickled is None else pickle.loads(returned.pickled)
    except Exception:  # such as an exception of a class that only the worker has
        raise TuningError(returned.error) from None
    if returned.raised:
        raise result if isinstance(result, Exception) else TuningError(returned.error)
    return result


@contextlib.contextmanager
def sendable(what: str) -> Iterator[None]:
    """Turn what goes wrong in pickling into an error that says what to do."""
    try:
        yield
    except OSError as error:
        raise TuningError(
            f"{what} could not be written to '{tempfile.gettempdir()}' for the worker processes: {error}. "
            "Free some space there, name another folder in TMPDIR, or train with workers=1."
        ) from None
    except Exception as error:
        raise TuningError(
            f"{what} cannot be sent to worker processes: {type(error).__name__}: {error}. "
            "Make what cannot be sent inside build or fit, or by a function in place of x, or train with workers=1."
        ) from None


def _files_by_value() -> contextlib.AbstractContextManager[None]:
    """Have what was defined in the file of a space pickled with its code: workers cannot import it by name."""
    return by_value([module for name, module in list(sys.modules.items()) if name.startswith("_tuning_space_")])
