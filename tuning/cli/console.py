"""Where output goes: results to standard output, everything else to standard error."""

from __future__ import annotations

import json
import signal
import sys
from functools import lru_cache
from typing import Any

from rich.console import Console

from tuning.display.console import TextConsole, printable, remarks

__all__ = ["error_line", "print_json", "remarks", "results"]


@lru_cache(maxsize=1)
def results() -> Console:
    """Return the console of standard output."""
    return TextConsole(sys.stdout)


def error_line(text: str) -> None:
    """Print an error as one line."""
    sys.stderr.write(f"error: {printable(' '.join(text.split()))}\n")


def print_json(record: Any) -> None:
    """Print one JSON value; numbers that JSON does not have become null."""
    sys.stdout.write(json.dumps(_strict(record), indent=2, allow_nan=False) + "\n")


def end_on_signals() -> None:
    """Let a service manager's signal, and that of a closed terminal, end a server as Ctrl-C does."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)


def _strict(value: Any) -> Any:
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, dict):
        return {key: _strict(item) for key, item in value.items()}
    return [_strict(item) for item in value] if isinstance(value, (list, tuple)) else value
