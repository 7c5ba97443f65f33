"""Ctrl-C, and the signals of whoever stops a job, told to a search instead of raised somewhere inside it.

Owns the reasons for which a search pauses, too.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

INTERRUPTED = "interrupted"
OUT_OF_TIME = "the time limit is reached"
CLOSED = "closed by the program"
PAUSES = (INTERRUPTED, OUT_OF_TIME, CLOSED)
"""Reasons to stop that leave the search unfinished."""

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that pause a search."""

GRACE_SECONDS = 0.3
"""Whoever ends a whole job, and so workers and driver alike, does it within that time; so does who sends it twice."""

PATIENCE_SECONDS = 20.0
"""How long whoever stops a job is kept waiting for the end of an epoch; soon after that such jobs are killed."""


def wait_for_stop() -> None:
    """Wait a moment: who has ended a process of the search may be about to stop, or kill, this one."""
    time.sleep(GRACE_SECONDS)


@contextlib.contextmanager
def interruptible(interrupt: Callable[[], None]) -> Iterator[None]:
    """Call `interrupt` at each of `STOPS` that is not ignored; a thread other than the main one gets none.

    It is called again after `PATIENCE_SECONDS` where the signal is one that comes but once: an epoch need not end.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    reminders: list[threading.Timer] = []

    def handle(signum: int, frame: Any) -> None:
        interrupt()
        if signum != signal.SIGINT and not reminders:  # Ctrl-C is pressed again
            reminder = threading.Timer(PATIENCE_SECONDS, os.kill, (os.getpid(), signum))
            reminder.daemon = True
            reminder.start()
            reminders.append(reminder)

    numbers = [n for n in STOPS if signal.getsignal(n) is not signal.SIG_IGN]  # as nohup has it
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        for reminder in reminders:
            reminder.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)
