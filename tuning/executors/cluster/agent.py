"""What runs in a worker of Dask's: it holds one slot of a search, and starts the ordinary worker process for it.

Owns the slot's life on that machine. It is a task of Dask's that lasts as long as its driver wants it: once the driver
or its scheduler is gone, or the machine is about to leave, it is not wanted any more, and the worker process ends.
Messages go to the driver as events of the scheduler's, and come by `deliver`. Takes no decisions and stores nothing.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import platform
import queue
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Mapping
from multiprocessing import Pipe
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, BinaryIO

import dask
import distributed

from tuning.errors import TuningError, one_line
from tuning.executors.channel import Call, Train
from tuning.executors.cluster import files, versions
from tuning.executors.cluster.space import gathered
from tuning.executors.cluster.wire import (
    Answer,
    Begin,
    Begun,
    Broken,
    Complete,
    End,
    Filled,
    Gather,
    Gone,
    PayloadIsWritten,
    Piece,
    Put,
    Said,
    Tidy,
)
from tuning.executors.machine import Share, n_cores, visible_gpus
from tuning.executors.processes import ProcessExecutor, unnamed_file
from tuning.training.messages import Decision, Message, Report

LOOK_SECONDS = 0.25
"""Time between two looks whether the slot is wanted."""

_WANTED = ("executing", "long-running")
_RUNNING = ("running", "paused")
"""States of the task, and of Dask's worker, in which the slot is held."""

_slots: dict[str, _Slot] = {}


def serve(topic: str, probe: tuple[str, str] | None) -> None:
    """Hold the slot that is called like this task of Dask's.

    Args:
        topic: of the events to the driver.
        probe: a file and what it holds where the driver's folder is seen; None where it is not to be.
    """
    worker = distributed.get_worker()
    name = str(worker.get_current_task())
    slot = _slots[name] = _Slot(name, topic, worker)
    try:
        slot.hold(probe)
    finally:
        del _slots[name]


def deliver(name: str, pickled: bytes) -> None:
    """Take a message of the driver's for a slot, which may be gone."""
    slot = _slots.get(name)
    if slot is not None:
        slot.take(pickle.loads(pickled))


def read(name: str, path: str, position: int) -> bytes:
    """Return a piece of a file in a slot's folder."""
    return files.piece(_slots[name].folder / path, position)


class _Slot:
    """One slot on this machine."""

    def __init__(self, name: str, topic: str, worker: Any) -> None:
        self._name, self._topic, self._worker = name, topic, worker
        self.folder = Path(tempfile.mkdtemp(prefix="tuning-", dir=worker.local_directory))
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._bell, self._rope = Pipe(duplex=False)
        self._executor: ProcessExecutor | None = None
        self._payload: BinaryIO | None = None
        self._sent: dict[str, tuple[int, int]] = {}
        self._has_ended = threading.Event()
        _quieten()

    def hold(self, probe: tuple[str, str] | None) -> None:
        """Serve until the slot is not wanted any more."""
        threading.Thread(target=self._look, daemon=True).start()
        last: Any = Gone()
        try:
            self._send(None, hello(self.folder, probe))
            while not self._has_ended.is_set():
                self._serve()
        except Exception as error:
            if not self._has_ended.is_set():  # otherwise it was closed in the middle of something
                last = Broken(str(error) if isinstance(error, TuningError) else one_line(error))
        finally:
            self._end()
            self._send(last)

    def take(self, message: Any) -> None:
        """Take a message; called in another thread. An answer, for which training waits, is handed on at once."""
        if isinstance(message, Answer) and self._executor is not None:
            self._executor.answer(message.key, message.decision)
            return
        self._inbox.put(message)
        with contextlib.suppress(OSError):
            self._rope.send_bytes(b"!")

    def _serve(self) -> None:
        while self._bell.poll():
            self._bell.recv_bytes()
            self._obey(self._inbox.get())
        if self._executor is None:
            wait([self._bell], timeout=LOOK_SECONDS)
        else:
            self._executor.poll(self._forward, self._bell)

    def _look(self) -> None:
        """End the slot as soon as it is not wanted, whatever it is doing."""
        while not self._has_ended.is_set():
            task = self._worker.state.tasks.get(self._name)
            if task is None or task.state not in _WANTED or self._worker.status.name not in _RUNNING:
                self._end()
            time.sleep(LOOK_SECONDS)

    def _end(self) -> None:
        self._has_ended.set()
        if self._executor is not None:
            with contextlib.suppress(Exception):
                self._executor.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _obey(self, message: Any) -> None:
        if isinstance(message, Begin):
            self._begin(message)
        elif isinstance(message, End):
            self._end()
        elif isinstance(message, Piece):
            files.put(self._file, message.position, message.content)
        elif isinstance(message, Complete):
            self._send(Filled())
        elif isinstance(message, Put):
            files.write(self.folder, message.path, message.position, message.content)
        elif isinstance(message, Tidy):
            files.empty(self.folder)
            self._sent = {}
        elif self._executor is None:
            raise RuntimeError(f"{type(message).__name__} before the worker process was started")
        elif isinstance(message, PayloadIsWritten):
            self._executor.payload_is_written()
        elif isinstance(message, Gather):
            self._executor.call(gathered, message.pickled, files.place_of(self._file).path)
            self._send(Filled())
        elif isinstance(message, Call):
            self._send(self._executor.call_pickled(message))
        elif isinstance(message, Train):
            self._executor.submit_pickled(message)

    @property
    def _file(self) -> BinaryIO:
        if self._payload is None:
            raise RuntimeError("there is no payload before the worker process was started")
        return self._payload

    def _begin(self, message: Begin) -> None:
        self._payload = files.opened(message.payload) or unnamed_file()
        share = Share(message.slots, message.first, visible_gpus(), _variables(message.variables))
        self._executor = ProcessExecutor(1, message.imports, message.silence_seconds, share, self._payload)
        self._send(Begun(files.place_of(self._payload)))

    def _forward(self, message: Message) -> Decision | None:
        """Send what the worker process says; whether it goes on, the driver will answer."""
        has_files = not isinstance(message, Report) or message.checkpoint
        self._send(Said(message, files.fresh(self.folder, self._sent) if has_files else ()))
        return None

    def _send(self, message: Any, plain: Mapping[str, Any] | None = None) -> None:
        what = {"hello": plain} if plain is not None else {"pickled": pickle.dumps(message)}
        self._worker.log_event(self._topic, {"slot": self._name, **what})


def hello(folder: Path, probe: tuple[str, str] | None) -> dict[str, Any]:
    """Return what an agent says of itself at first, in plain values, which every version can read."""
    return {
        "host": socket.gethostname(),
        "machine": machine(),
        "folder": str(folder),
        "sees": probe is not None and files.holds(*probe),
        "gpus": len(visible_gpus()),
        "kind": _kind(),
        "versions": versions.installed(),
        "system": platform.system(),
    }


def machine() -> str:
    """Return what processes of one machine have in common, and of one container where there are some."""
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{socket.gethostname()} {boot} {os.stat('/proc/self/ns/pid').st_ino} {os.geteuid()}"
    return f"{socket.gethostname()} {os.getpid()}"


def _kind() -> str:
    """Return what machines have in common on which things take equally long."""
    processor = platform.processor()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), processor)
    return f"{n_cores()} x {processor}, {len(visible_gpus())} GPUs"


def _variables(given: Mapping[str, str]) -> dict[str, str]:
    """Return the user's environment on this machine: without what Dask has set of its own, with what the driver has."""
    preset = dask.config.get("distributed.nanny.pre-spawn-environ") or {}
    mine = {n: value for n, value in os.environ.items() if n not in preset or str(preset[n]) != value}
    return {**mine, **given}


def _quieten() -> None:
    """Keep Dask's worker from logging a line for every message."""
    log = logging.getLogger("distributed.worker")
    if not any(isinstance(one, _Quiet) for one in log.filters):
        log.addFilter(_Quiet())


class _Quiet(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not (str(record.msg).startswith("Run out-of-band") and record.args in (("deliver",), ("read",)))
