"""All configurations of a space, one after the other, and how many there are.

Owns the walk through values and conditions. Knows nothing of what has been tried.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

from tuning.hyperparameters import Hyperparameter


def count_up_to(most: int, space: Sequence[Hyperparameter]) -> int | None:
    """Return the number of configurations; None where there are more than `most`, or endlessly many."""
    if any(h.count() == math.inf for h in space):
        return None
    n = sum(1 for _ in itertools.islice(every_configuration(space), most + 1))
    return n if n <= most else None


def every_configuration(space: Sequence[Hyperparameter]) -> Iterator[dict[str, Any]]:
    """Yield every configuration; of a hyperparameter with endless values only the default."""
    return _completed(list(space), {})


def _completed(space: list[Hyperparameter], values: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if not space:
        yield values
        return
    h, rest = space[0], space[1:]
    if h.name in values or not h.is_active(values):
        yield from _completed(rest, values)
    elif h.is_fixed or h.count() == math.inf:
        yield from _completed(rest, {**values, h.name: h.default})
    else:
        for index in range(int(h.count())):
            yield from _completed(rest, {**values, h.name: h.value_at(index)})
