"""Text on a terminal or in a file.

Owns that text is shown as it is: brackets are no markup, and what would steer a terminal is written out.
"""

from __future__ import annotations

import sys
import unicodedata
from functools import lru_cache
from typing import IO, Any

from rich.console import Console
from rich.text import Text

WIDE = 240
"""Columns to use where the output is no terminal, so that tables are not cut."""


class TextConsole(Console):
    """A console of standard output or standard error."""

    def __init__(self, stream: IO[str], is_error: bool = False) -> None:
        width = None if stream.isatty() else WIDE
        super().__init__(stderr=is_error, width=width, markup=False, emoji=False, highlight=False, force_jupyter=False)

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(printable(text), **options)


@lru_cache(maxsize=1)
def remarks() -> Console:
    """Return the console of standard error."""
    return TextConsole(sys.stderr, is_error=True)


def printable(text: str) -> str:
    """Return text in which control characters, and others that are not seen, are written out."""
    if text.isprintable():
        return text
    return "".join(c if c in "\n\t" or unicodedata.category(c)[0] != "C" else repr(c)[1:-1] for c in text)
