"""The metrics of many epochs in little memory: numbers side by side instead of a mapping an epoch.

Owns the packing. A search remembers the curves of all its trials, and they are most of what it remembers: packed, an
epoch takes 8 bytes a metric, and a tenth of what mappings take.
"""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, overload

Metrics = Mapping[str, float]


def packed(epochs: Sequence[Metrics]) -> Sequence[Metrics]:
    """Return the same epochs, packed where all of them have the same metrics; numbers may be text such as "nan"."""
    if isinstance(epochs, PackedEpochs):
        return epochs
    if not epochs:
        return ()
    names, *others = set(map(tuple, epochs))
    if others or not names:
        return tuple({name: float(value) for name, value in epoch.items()} for epoch in epochs)
    values = chain.from_iterable(epoch.values() for epoch in epochs)
    return PackedEpochs(names, array("d", map(float, values)))


class PackedEpochs(Sequence[Metrics]):
    """Epochs of the same metrics, which are made into mappings when they are looked at.

    Args:
        names: of the metrics.
        numbers: one value a metric and epoch; the values of an epoch lie side by side.
    """

    __slots__ = ("_names", "_numbers")

    def __init__(self, names: Sequence[str], numbers: array[float]) -> None:
        shared = tuple(map(sys.intern, names))
        self._names, self._numbers = _NAMES.setdefault(shared, shared), numbers

    def __len__(self) -> int:
        return len(self._numbers) // len(self._names)

    @overload
    def __getitem__(self, index: int) -> Metrics: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Metrics, ...]: ...
    def __getitem__(self, index: int | slice) -> Metrics | tuple[Metrics, ...]:
        places = range(len(self))[index]
        return self._epoch(places) if isinstance(places, int) else tuple(map(self._epoch, places))

    def __iter__(self) -> Iterator[Metrics]:
        return map(self._epoch, range(len(self)))

    def __eq__(self, other: Any) -> bool:
        return tuple(self) == tuple(other) if isinstance(other, (tuple, PackedEpochs)) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as that of a tuple of mappings

    def __repr__(self) -> str:
        return repr(tuple(self))

    def values(self, metric: str) -> list[float]:
        """Return one value an epoch; NaN where there is none of that name."""
        if metric not in self._names:
            return [math.nan] * len(self)
        return self._numbers[self._names.index(metric) :: len(self._names)].tolist()

    def _epoch(self, place: int) -> Metrics:
        n = len(self._names)
        return dict(zip(self._names, self._numbers[n * place : n * (place + 1)], strict=True))


_NAMES: dict[tuple[str, ...], tuple[str, ...]] = {}
"""The names that curves have: the same object for all of them."""
