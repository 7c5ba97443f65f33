"""What is remembered of a model and of the code that trains it, so that a change of either is noticed.

Owns the flat form, a text for each place to the value there, and the comparison of two. Values that differ by no more
than rounding are equal, and what was written under another version of Python or Keras is not compared at all: a study
is never refused for what differs from machine to machine.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

TOLERANCE = 1e-4
"""Relative difference of two numbers that may come from rounding."""

MAX_NAMED = 4
"""Differences that are named; of a layer put in between all that follow are different."""

VERSIONS = "versions"
CODE = "code"


def differences(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """Name what differs; an empty list when nothing does, or when one of them is not known."""
    if not mine or not theirs:
        return []
    found = []
    for part in sorted({*mine, *theirs} - {VERSIONS}):
        needs = "python" if part == CODE else "keras"
        if mine[VERSIONS].get(needs) != theirs[VERSIONS].get(needs):
            continue
        found += _differing(part, mine.get(part, {}), theirs.get(part, {}))
    more = len(found) - MAX_NAMED
    return [*found[:MAX_NAMED], *([f"{more} more of the model"] if more > 0 else [])]


def _differing(part: str, mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    found = []
    for place in {**theirs, **mine}:
        one, other = mine.get(place, "absent"), theirs.get(place, "absent")
        if _same(one, other):
            continue
        if part == CODE and "absent" not in (one, other):
            found.append(f"the code of {place} has changed")
        else:
            found.append(f"{part} {place} is {_words(one)}, in the study {_words(other)}")
    return found


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, (int, float)) and isinstance(other, (int, float)) and type(one) is not bool:
        return one == other or math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=1e-9)
    return bool(one == other)


def _words(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
