"""Where output goes: results to standard output, everything else to standard error.

Owns that text is shown as it is: brackets are no markup, and what would steer a terminal is written out.
"""

from __future__ import annotations

import json
import sys
import unicodedata
from functools import lru_cache
from typing import IO, Any

from rich.console import Console
from rich.text import Text

WIDE = 240
"""Columns to use where the output is no terminal, so that tables are not cut."""


class _Console(Console):
    def __init__(self, stream: IO[str], is_error: bool = False) -> None:
        width = None if stream.isatty() else WIDE
        super().__init__(stderr=is_error, width=width, markup=False, emoji=False, highlight=False)

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(printable(text), **options)


@lru_cache(maxsize=1)
def results() -> Console:
    """Return the console of standard output."""
    return _Console(sys.stdout)


@lru_cache(maxsize=1)
def remarks() -> Console:
    """Return the console of standard error."""
    return _Console(sys.stderr, is_error=True)


def printable(text: str) -> str:
    """Return text in which control characters, and others that are not seen, are written out."""
    if text.isprintable():
        return text
    return "".join(c if c in "\n\t" or unicodedata.category(c)[0] != "C" else repr(c)[1:-1] for c in text)


def error_line(text: str) -> None:
    """Print an error as one line."""
    sys.stderr.write(f"error: {printable(' '.join(text.split()))}\n")


def print_json(record: Any) -> None:
    """Print one JSON value; numbers that JSON does not have become null."""
    sys.stdout.write(json.dumps(_strict(record), indent=2, allow_nan=False) + "\n")


def _strict(value: Any) -> Any:
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, dict):
        return {key: _strict(item) for key, item in value.items()}
    return [_strict(item) for item in value] if isinstance(value, (list, tuple)) else value
