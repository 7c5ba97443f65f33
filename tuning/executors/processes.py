"""Train runs in worker processes that are supervised: one that dies takes only its own run with it.

Owns starting, watching, recycling and ending the workers. Retries are the search's decision: a dead or
silent worker becomes a `Lost` message. A pool from the standard library would not do: when one of its
processes is killed, every task under way is lost with it.
"""

from __future__ import annotations

import os
import pickle
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import cloudpickle

from tuning.data import Data
from tuning.errors import TuningError
from tuning.executors.base import Handler
from tuning.executors.channel import Call, Load, Memory, Returned, Setup, write_payload
from tuning.space import SearchSpace
from tuning.worker import Failed, Finished, Lost, Task

MAX_RESIDENT_BYTES = 2_500_000_000
"""A worker that holds more after a run is replaced by a fresh one."""

BYTES_A_WORKER = 1_200_000_000
"""Memory that a worker with TensorFlow and a small model needs."""

_POLL_SECONDS = 0.5


@dataclass
class _Worker:
    """One process and its channel; `number` is the trial it trains; a retired one gets no more."""

    process: subprocess.Popen[bytes]
    channel: Connection
    number: int | None = None
    retired: bool = False
    heard: float = field(default_factory=time.monotonic)


class ProcessExecutor:
    """An executor with worker processes on this machine.

    They start with the constructor, before it is known what they will train, so that their start-up and the
    driver's own imports overlap.

    Args:
        slots: number of workers.
        imports: modules that every worker imports ahead.
        silence_seconds: a worker that reports nothing for so long is killed; None for never.
        devices: ids of GPUs to share out; None to leave the choice to TensorFlow.
    """

    def __init__(
        self, slots: int, imports: Sequence[str] = (), silence_seconds: float | None = None,
        devices: Sequence[str] | None = None,
    ) -> None:
        self.slots = slots
        self._silence = silence_seconds
        self._devices = list(devices) if devices and len(devices) > 1 else None
        self._setup = Setup(list(sys.path), tuple(imports))
        self._folder = tempfile.TemporaryDirectory(prefix="tuning-")
        self._payload: Path | None = None
        self._workers = [self._started(slot) for slot in range(slots)]

    def load(self, source: str | None, space: SearchSpace, data: Data) -> None:
        """Give the workers the space and its data; `source` finds the space again where it has a name."""
        self._payload = Path(self._folder.name) / "payload"
        write_payload(self._payload, (source, None if source is not None else _by_value(space), data))
        for worker in self._workers:
            _send(worker, Load(str(self._payload)))

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Return `function(space, data, *arguments)`, called in the first worker; its errors are raised here."""
        worker = self._workers[0]
        _send(worker, Call(cloudpickle.dumps((function, arguments))))
        try:
            returned: Returned = worker.channel.recv()
        except (EOFError, OSError):
            raise TuningError(f"a worker process died while it looked at the search: {_epitaph(worker)}.") from None
        result = TuningError(returned.error) if returned.pickled is None else pickle.loads(returned.pickled)
        if returned.raised:
            raise result
        return result

    def submit(self, task: Task) -> None:
        worker = next(w for w in self._workers if w.number is None)
        if worker.retired:
            worker = self._replace(worker)
        worker.number, worker.heard = task.run.number, time.monotonic()
        _send(worker, task)

    def poll(self, handle: Handler) -> None:
        by_channel = {id(worker.channel): worker for worker in self._workers}
        for channel in wait([worker.channel for worker in self._workers], timeout=_POLL_SECONDS):
            self._receive(by_channel[id(channel)], handle)
        for worker in self._silent():
            worker.process.kill()
            self._bury(worker, handle, f"its worker process reported nothing for {self._silence:.0f} s")

    def close(self) -> None:
        for worker in self._workers:
            worker.channel.close()  # which ends the process
        for worker in self._workers:
            try:
                worker.process.wait(timeout=2)
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
        self._folder.cleanup()

    def _started(self, slot: int) -> _Worker:
        mine, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-m", "tuning.executors.child", str(theirs.fileno())],
                pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, env=self._environment(slot),
            )
        worker = _Worker(process, Connection(mine.detach()))
        _send(worker, self._setup)
        if self._payload is not None:
            _send(worker, Load(str(self._payload)))
        return worker

    def _environment(self, slot: int) -> dict[str, str]:
        """Return the environment of a worker: its share of threads, and its own GPU where there are several."""
        threads = str(max(1, (os.cpu_count() or 1) // self.slots))
        environment = {
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "TF_CPP_MIN_LOG_LEVEL": "3",
            "TF_NUM_INTRAOP_THREADS": threads, "TF_NUM_INTEROP_THREADS": threads, "OMP_NUM_THREADS": threads,
            "TF_FORCE_GPU_ALLOW_GROWTH": "true", **os.environ,
        }
        if self._devices is not None:
            environment["CUDA_VISIBLE_DEVICES"] = self._devices[slot % len(self._devices)]
        return environment

    def _receive(self, worker: _Worker, handle: Handler) -> None:
        try:
            message = worker.channel.recv()
        except (EOFError, OSError):
            self._bury(worker, handle, f"its worker process died: {_epitaph(worker)}")
            return
        worker.heard = time.monotonic()
        if isinstance(message, Memory):
            worker.retired = message.resident > MAX_RESIDENT_BYTES
        elif isinstance(message, (Finished, Failed)):
            worker.number = None
            handle(message)
        else:
            _send(worker, handle(message))

    def _bury(self, worker: _Worker, handle: Handler, reason: str) -> None:
        """Start another worker in place of a dead one, and say what was lost with it."""
        number = worker.number
        self._replace(worker)
        if number is not None:
            handle(Lost(number, reason))

    def _replace(self, worker: _Worker) -> _Worker:
        worker.channel.close()
        worker.process.kill()
        worker.process.wait()
        slot = self._workers.index(worker)
        self._workers[slot] = self._started(slot)
        return self._workers[slot]

    def _silent(self) -> Iterator[_Worker]:
        if self._silence is None:
            return
        for worker in list(self._workers):
            if worker.number is not None and time.monotonic() - worker.heard > self._silence:
                yield worker


def default_workers(max_trials: int | None) -> int:
    """Return how many workers this machine can hold: one a GPU where there are any, else one a core with memory."""
    import psutil

    gpus = len(visible_gpus())
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    room = gpus or min(cores, psutil.virtual_memory().available // BYTES_A_WORKER)
    return int(max(1, min(room, max_trials or room)))


def visible_gpus() -> list[str]:
    """Return the ids of the GPUs that may be used, without importing TensorFlow; empty when there are none."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [device for device in chosen.split(",") if device.strip() not in ("", "-1")]
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return [str(index) for index, line in enumerate(line for line in listed.splitlines() if line.startswith("GPU "))]


def _send(worker: _Worker, message: Any) -> None:
    """Send; a worker that is gone is found out when it is listened to."""
    try:
        worker.channel.send(message)
    except (BrokenPipeError, ConnectionError, OSError):
        pass


def _epitaph(worker: _Worker) -> str:
    """Say how a process ended."""
    try:
        code = worker.process.wait(timeout=2)
    except subprocess.TimeoutExpired:
        return "it closed its channel"
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"


def _by_value(space: SearchSpace) -> SearchSpace:
    """Have the space pickled with its code, if its module is one that a worker cannot import by name."""
    module = sys.modules.get(type(space).__module__)
    if module is not None and module.__name__.startswith("_tuning_space_"):
        cloudpickle.register_pickle_by_value(module)
    return space
