"""Where output goes: results to standard output, everything else to standard error."""

from __future__ import annotations

import json
import sys
from functools import lru_cache
from typing import Any

from rich.console import Console

WIDE = 240
"""Columns to use where the output is no terminal, so that tables are not cut."""


@lru_cache(maxsize=1)
def results() -> Console:
    """Return the console of standard output."""
    return Console(soft_wrap=False, highlight=False) if sys.stdout.isatty() else Console(width=WIDE, highlight=False)


@lru_cache(maxsize=1)
def remarks() -> Console:
    """Return the console of standard error."""
    return (
        Console(stderr=True, highlight=False)
        if sys.stderr.isatty()
        else Console(stderr=True, width=WIDE, highlight=False)
    )


def error_line(text: str) -> None:
    """Print an error as one line."""
    sys.stderr.write(f"error: {' '.join(text.split())}\n")


def print_json(record: Any) -> None:
    """Print one JSON value; numbers that JSON does not have become null."""
    sys.stdout.write(json.dumps(_strict(record), indent=2, allow_nan=False) + "\n")


def _strict(value: Any) -> Any:
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, dict):
        return {key: _strict(item) for key, item in value.items()}
    return [_strict(item) for item in value] if isinstance(value, (list, tuple)) else value
