"""Families of tests of which each landing runs a few."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def few(values: Iterable[Any], n: int = 2) -> list[Any]:
    """Return parameters of a test; all but the first `n` are marked slow. A tuple holds several arguments."""
    given = [value if isinstance(value, tuple) else (value,) for value in values]
    return [pytest.param(*each, marks=pytest.mark.slow if i >= n else ()) for i, each in enumerate(given)]
