"""What a search learns from others before it has trials of its own.

Owns the record. On other data a configuration comes to another score; how it compared with its neighbours there is what
can be learned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Lesson:
    """A trial of another study.

    Attributes:
        values: its configuration, complete, as the learning search has it.
        score: of which larger is better, on that study's own scale.
    """

    values: Mapping[str, Any]
    score: float
