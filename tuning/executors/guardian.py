"""Ends what workers have started, also when their driver is killed before it can do that itself.

Owns the search for processes that stem from a worker: by its session, and by a mark in the environment that survives
a session of their own. Run as a program it is a driver's guardian: it waits for the driver's end, however that comes,
and then kills what is left. It needs nothing but the standard library, so that it starts in some milliseconds.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from pathlib import Path

MARK = "TUNE_WORKER"
"""The variable of the environment by which descendants of a worker are known."""

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that stop a whole job. What they mean is the driver's business, though they reach its workers, too."""

_PROC = Path("/proc")
_ROUNDS = 100
_ROUND_SECONDS = 0.01


class Guardian:
    """The guardian of this process, which it outlives by a moment.

    Args:
        mark: what the marks of all workers begin with.
    """

    def __init__(self, mark: str) -> None:
        # Neither signals to the driver's group nor a mark of an outer search's worker reach it.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, str(os.getpid()), mark],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            env={},
        )

    def watch(self, session: int) -> None:
        """Take note of a worker's session."""
        self._tell(f"+{session}")

    def forget(self, session: int) -> None:
        """Forget a session that has ended, as its number may be given to another one."""
        self._tell(f"-{session}")

    def close(self) -> None:
        """End the guardian: there is nothing to guard any more."""
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def _tell(self, line: str) -> None:
        if self._process.stdin is not None:
            with contextlib.suppress(OSError, ValueError):  # somebody has killed it; workers still die with the driver
                self._process.stdin.write(f"{line}\n".encode())
                self._process.stdin.flush()


def end_descendants(sessions: Collection[int], mark: str) -> None:
    """Kill every process that is in one of the sessions or whose mark begins with `mark`; wait until they are gone."""
    wanted = f"{MARK}={mark}".encode()
    for _ in range(_ROUNDS):
        found = [pid for pid in _living() if _belongs(pid, sessions, wanted)]
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if not found:
            return
        time.sleep(_ROUND_SECONDS)


def _belongs(pid: int, sessions: Collection[int], wanted: bytes) -> bool:
    with contextlib.suppress(OSError):
        if os.getsid(pid) in sessions:
            return True
    try:
        variables = (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:  # it is gone, or somebody else's
        return False
    return any(variable.startswith(wanted) for variable in variables)


def _living() -> Iterator[int]:
    """Yield the processes that are not just waiting to be buried."""
    if _PROC.is_dir():
        for name in os.listdir(_PROC):
            if name.isdigit():
                with contextlib.suppress(OSError):
                    status = (_PROC / name / "stat").read_text(errors="replace")
                    if status.rpartition(")")[2].split()[0] not in "ZX":
                        yield int(name)
        return
    listed = subprocess.run(["ps", "-axo", "pid=,stat="], capture_output=True, text=True, check=False).stdout
    for line in listed.splitlines():
        number, _, state = line.strip().partition(" ")
        if number.isdigit() and "Z" not in state:
            yield int(number)


def _guard(driver: int, mark: str) -> None:
    for number in STOPS:
        signal.signal(number, signal.SIG_IGN)
    sessions: set[int] = set()
    unread = b""
    while os.getppid() == driver:  # a process that the driver has forked may hold its end of the pipe open
        if not select.select([0], [], [], 1.0)[0]:
            continue
        read = os.read(0, 65536)
        if not read:
            break
        *lines, unread = (unread + read).split(b"\n")
        for line in lines:
            (sessions.add if line[:1] == b"+" else sessions.discard)(int(line[1:]))
    end_descendants(sessions, mark)


if __name__ == "__main__":
    _guard(int(sys.argv[1]), sys.argv[2])
