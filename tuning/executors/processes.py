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
from multiprocessing.connection import wait
from typing import Any

import cloudpickle

from tuning.data import Data
from tuning.errors import TuningError
from tuning.executors.base import Handler
from tuning.executors.channel import Call, Load, Loaded, Memory, Returned, Setup, Train, Unable, write_payload
from tuning.executors.guardian import Guardian
from tuning.executors.handle import WorkerHandle
from tuning.executors.machine import default_workers, environment, free_bytes, visible_gpus, worker_name
from tuning.executors.patience import Patience
from tuning.space import SearchSpace
from tuning.training.messages import Failed, Finished, Key, Lost, Report, Task

__all__ = ["ProcessExecutor", "default_workers", "visible_gpus"]

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
        devices: ids of GPUs to share out; None to leave the choice to TensorFlow.
    """

    def __init__(
        self,
        slots: int,
        imports: Sequence[str] = (),
        silence_seconds: float | None = None,
        devices: Sequence[str] | None = None,
    ) -> None:
        self.slots = slots
        self._patience = Patience(silence_seconds)
        self._devices = devices or ()
        self._setup = Setup([path or os.getcwd() for path in sys.path], tuple(imports))
        # The file has no name: it cannot be cleaned away while workers need it, nor stay behind when all are killed.
        self._payload = tempfile.TemporaryFile(prefix="tuning-")  # noqa: SIM115
        self._is_loaded = False
        self._false_starts = 0
        self._tasks: dict[Key, Train] = {}  # under way
        self._workers: list[WorkerHandle] = []
        self._share = free_bytes() // slots
        self._mark = os.urandom(8).hex()
        self._starts = itertools.count()
        self._guardian = Guardian(self._mark)
        try:
            for slot in range(slots):
                self._workers.append(self._started(slot))
        except BaseException:
            self.close()
            raise

    def load(self, source: str | None, space: SearchSpace, data: Data) -> None:
        record = (source, None if source is not None else space, data)
        with _sendable("the space and its data"), _files_by_value():
            write_payload(self._payload, record)
        self._is_loaded = True
        for worker in self._workers:
            worker.send(Load())

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        with _sendable("what is passed to fit"), _files_by_value():
            message = Call(cloudpickle.dumps((function, arguments)))
        self._workers[0].send(message)
        is_retry = False
        while True:
            worker = self._workers[0]
            try:
                # Starting and looking may take their time; only a message may not.
                if not worker.channel.poll(_POLL_SECONDS) and not worker.has_ended:
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
                return _result(returned)
            self._take_note(worker, returned)

    def submit(self, task: Task) -> str:
        with _sendable("what is passed to fit"), _files_by_value():
            message = Train(task.key, cloudpickle.dumps(task))
        slot, worker = next((i, w) for i, w in enumerate(self._workers) if w.task is None)
        worker.task = message.key
        self._tasks[message.key] = message
        worker.send(message)
        return worker_name(slot)

    def poll(self, handle: Handler) -> None:
        by_channel = {id(worker.channel): worker for worker in self._workers}
        for channel in wait([worker.channel for worker in self._workers], timeout=_POLL_SECONDS):
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
        for worker in self._workers:
            worker.hang_up()
        deadline = time.monotonic() + CLOSE_SECONDS
        for worker in self._workers:
            self._end(worker, max(0.0, deadline - time.monotonic()))
        self._guardian.close()
        self._payload.close()

    def _started(self, slot: int) -> WorkerHandle:
        try:
            mark = f"{self._mark}-{next(self._starts)}-"
            worker = WorkerHandle(
                environment(slot, self.slots, self._devices), self._payload.fileno(), mark, self._share
            )
        except OSError as error:
            raise TuningError(
                f"a worker process could not be started: {error}. Search with fewer workers than {self.slots}."
            ) from None
        self._guardian.watch(worker.pid)
        worker.send(self._setup)
        if self._is_loaded:
            worker.send(Load())
        return worker

    def _receive(self, worker: WorkerHandle, handle: Handler) -> None:
        heard = worker.heard
        try:
            message = worker.receive()
        except EOFError:
            self._bury(worker, handle, f"its worker process died: {worker.epitaph()}")
            return
        if isinstance(message, Report):
            self._patience.saw(worker.heard - heard)
            worker.send(handle(message))
        elif isinstance(message, (Finished, Failed)):
            worker.task = None
            del self._tasks[message.number, message.training]
            if worker.has_grown:
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

    def _bury(self, worker: WorkerHandle, handle: Handler, reason: str) -> None:
        """Start another worker in place of a dead one, and say what was lost with it."""
        task = worker.task
        if not worker.is_ready:
            self._false_starts += 1
            if self._false_starts > MAX_FALSE_STARTS:
                raise TuningError(
                    f"{self._false_starts} worker processes in a row ended before they were ready to train; of the "
                    f"last one: {reason}. What they have printed says more; workers=1 trains without them."
                )
        successor = self._replace(worker)
        if task is None:
            return
        if worker.is_ready:
            del self._tasks[task]
            number, training = task
            handle(Lost(number, reason, training))
        else:  # training has not begun
            successor.task = task
            successor.send(self._tasks[task])

    def _replace(self, worker: WorkerHandle) -> WorkerHandle:
        self._end(worker, 0)
        slot = self._workers.index(worker)
        self._workers[slot] = self._started(slot)
        return self._workers[slot]

    def _silent(self) -> Iterator[tuple[WorkerHandle, float]]:
        for worker in list(self._workers):
            limit = self._patience.limit if worker.is_ready else self._patience.start_limit
            if worker.task is not None and worker.is_silent_for(limit):
                yield worker, limit

    def _end(self, worker: WorkerHandle, patience_seconds: float) -> None:
        worker.end(patience_seconds)
        self._guardian.forget(worker.pid)


def _result(returned: Returned) -> Any:
    """Return or raise what a worker has returned or raised."""
    try:
        result = TuningError(returned.error) if returned.pickled is None else pickle.loads(returned.pickled)
    except Exception:  # such as an exception of a class that only the worker has
        raise TuningError(returned.error) from None
    if returned.raised:
        raise result if isinstance(result, Exception) else TuningError(returned.error)
    return result


@contextlib.contextmanager
def _sendable(what: str) -> Iterator[None]:
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


@contextlib.contextmanager
def _files_by_value() -> Iterator[None]:
    """Have what was defined in the file of a space pickled with its code: workers cannot import it by name."""
    modules = [module for name, module in list(sys.modules.items()) if name.startswith("_tuning_space_")]
    known = cloudpickle.list_registry_pickle_by_value()
    fresh = [module for module in modules if module.__name__ not in known]
    for module in fresh:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in fresh:
            cloudpickle.unregister_pickle_by_value(module)
