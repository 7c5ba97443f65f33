"""Processes that a trial has started: whether one has ended, and whether that was done to it from outside.

Owns the look at them. Whoever stops a whole job reaches them, too, perhaps before the search, and the system kills them
when memory is short: then the trial raises, though nothing is wrong with it.
"""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from typing import Any


def ended() -> tuple[Any, ...]:
    """Return something that is no longer the same once another process that this one has started has ended."""
    unburied = None
    with contextlib.suppress(ChildProcessError, AttributeError):  # there is no child; macOS before Python 3.13
        unburied = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT | os.WNOHANG)
    return resource.getrusage(resource.RUSAGE_CHILDREN), unburied and unburied.si_pid


def was_killed(error: BaseException) -> bool:
    """Tell whether an error says that a process was ended by a signal: of `subprocess`, or of a pool of processes."""
    return any(
        isinstance(one, BrokenExecutor) or (isinstance(code := getattr(one, "returncode", None), int) and code < 0)
        for one in _chain(error)
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        yield error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
