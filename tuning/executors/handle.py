"""A worker process as its driver holds it: started, spoken to, measured, and ended for certain.

Owns the process, its end of the channel, and the times and sizes by which the executor judges it. What goes on inside
the process is `worker`'s.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tuning.executors.guardian import MARK, STOPS, end_descendants
from tuning.training.messages import Key

MAX_GROWTH_BYTES = 1_500_000_000
"""A worker that has grown by more since its first run is replaced by a fresh one."""

LEAST_GROWTH_BYTES = 100_000_000
"""A worker that has grown by less is not replaced, however little memory there is: a fresh one would not help."""

FULL = 0.85
"""The part of its share of the memory that a worker may fill before a run: the run itself needs some more."""

CHANNEL_SECONDS = 30
"""A worker that stands still for so long in the middle of a message is taken for dead."""

_ROOT = Path(__file__).parent.parent.parent  # where the package `tuning` lies
_START = """import sys
sys.path.insert(0, sys.argv[1])
from tuning.executors.worker import main
main(*map(int, sys.argv[2:]))"""


class WorkerHandle:
    """A worker process that trains one task at a time, or a few in lanes.

    Args:
        environment: of the process.
        mark: tells it, and what it starts, from all other processes.
        share: memory that the process may fill, in bytes.
        payload: descriptor of the file that the space and the data are read from.
        folder: the working folder of the process.

    Attributes:
        tasks: keys of the tasks it has, in the order in which they came.
        is_ready: whether it has loaded the space.
        heard: `time.monotonic()` when it last had something to do or to say.
    """

    def __init__(self, environment: Mapping[str, str], payload: int, mark: str, share: int, folder: Path) -> None:
        self._mark, self._share = mark, share
        self.tasks: list[Key] = []
        self.is_ready = False
        self.heard = time.monotonic()
        self._first_resident: int | None = None
        self._resident = 0
        mine, theirs = socket.socketpair()
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            mine.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", CHANNEL_SECONDS, 0))
        with theirs, _stops_held_back():
            # The worker has a session of its own, so that Ctrl-C does not reach what it has started, and all of
            # that can be ended together. What it prints is a remark: standard output is for the driver's results.
            self._process = subprocess.Popen(
                [sys.executable, "-c", _START, str(_ROOT), str(theirs.fileno()), str(payload), str(os.getpid())],
                pass_fds=[theirs.fileno(), payload],
                stdin=subprocess.DEVNULL,
                stdout=2,
                env={**environment, MARK: mark},
                cwd=folder,
                start_new_session=True,
            )
        self.channel = Connection(mine.detach())

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, message: Any) -> None:
        """Send; a worker that is gone, or does not listen, ends, which is found out when it is listened to."""
        try:
            self.channel.send(message)
        except OSError:
            self.kill()
        self.heard = time.monotonic()

    def receive(self) -> Any:
        """Return the next message.

        Raises:
            EOFError: the worker is gone, or stands still in the middle of a message.
        """
        try:
            message = self.channel.recv()
        except OSError as error:
            raise EOFError(str(error)) from None
        self.heard = time.monotonic()
        return message

    def measured(self, resident: int) -> None:
        """Take note of the worker's memory after a run."""
        self._first_resident = resident if self._first_resident is None else self._first_resident
        self._resident = resident

    @property
    def has_grown(self) -> bool:
        """Whether a fresh worker would need less memory, and that is called for."""
        growth = 0 if self._first_resident is None else self._resident - self._first_resident
        is_short = self._resident > FULL * self._share
        return growth > (min(LEAST_GROWTH_BYTES, MAX_GROWTH_BYTES) if is_short else MAX_GROWTH_BYTES)

    def is_silent_for(self, seconds: float) -> bool:
        """Tell whether the worker has said nothing for so long, not even what waits to be read."""
        return time.monotonic() - self.heard > seconds and not self.channel.poll()

    def hang_up(self) -> None:
        """Close the channel, upon which the worker ends by itself."""
        self.channel.close()

    def end(self, patience_seconds: float) -> None:
        """See to it that the process, and all that it has started, is gone.

        Args:
            patience_seconds: time that the process is given to end by itself.
        """
        self.hang_up()
        self._has_ended_within(patience_seconds)
        self.kill()
        if self._process.returncode is None:  # until it is waited for, its session's number is nobody else's
            end_descendants({self._process.pid}, self._mark)
        self._process.wait()

    def kill(self) -> None:
        """End the process and its group, at once. Does nothing when it has been waited for."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def epitaph(self) -> str:
        """Say how a process ended that has closed its channel; it is given a moment to be gone."""
        if not self._has_ended_within(2):
            return "it stood still in the middle of a message"
        self.end(0)
        code = self._process.returncode
        return f"killed by signal {-code}" if code < 0 else f"exit code {code}"

    @property
    def has_ended(self) -> bool:
        """Whether the process is gone: what it has started may live on, and hold its end of the channel open."""
        return self._has_ended_within(0)

    def _has_ended_within(self, seconds: float) -> bool:
        """Wait for the end, but leave the process to be waited for: until then nobody else gets its number."""
        deadline = time.monotonic() + seconds
        while self._process.returncode is None:
            if _is_over(self._process.pid):
                break
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.005)
        return True


def _is_over(child: int) -> bool:
    """Tell whether a child has ended, without burying it."""
    if hasattr(os, "waitid"):
        try:
            return os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None
        except ChildProcessError:  # it was buried already: this process may ignore SIGCHLD, as the one that started it
            return True
    import psutil  # macOS has no waitid before Python 3.13

    try:
        return bool(psutil.Process(child).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


@contextlib.contextmanager
def _stops_held_back() -> Iterator[None]:
    """Start processes for which signals that stop a job wait until they know what to do with them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
