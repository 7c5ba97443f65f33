"""The metrics of many epochs in little memory: numbers side by side instead of a mapping an epoch.

Owns the packing. A search remembers the curves of all its trials, and they are most of what it remembers: packed, an
epoch takes 8 bytes a metric, and a tenth of what mappings take. They are most of what it stores, too, where numbers as
text, each with its name, take three times the room, and much of the time of reading a study.
"""

from __future__ import annotations

import base64
import math
import sys
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
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


def to_json(epochs: Sequence[Metrics]) -> Any:
    """Return what JSON can hold of epochs.

    These are the names of their metrics, and all numbers, as `PackedEpochs` has them, in base64; or a mapping an epoch,
    with what is not finite as text, where not all epochs have the same metrics.
    """
    epochs = packed(epochs)
    if isinstance(epochs, PackedEpochs):
        return epochs.to_json()
    return [{name: v if math.isfinite(v) else str(v) for name, v in epoch.items()} for epoch in epochs]


def from_json(record: Any) -> Sequence[Metrics]:
    """Return the epochs of which `to_json` has made a record.

    Raises:
        TypeError, ValueError, LookupError: it is none.
    """
    return PackedEpochs.from_json(record) if isinstance(record, Mapping) else packed(record)


def names_in(epochs: Iterable[Metrics]) -> set[str]:
    """Return the names of all metrics that epochs report."""
    return set(epochs.names if isinstance(epochs, PackedEpochs) else chain.from_iterable(epochs))


class PackedEpochs(Sequence[Metrics]):
    """Epochs of the same metrics, which are made into mappings when they are looked at.

    Args:
        names: of the metrics.
        numbers: one value a metric and epoch; the values of an epoch lie side by side.
    """

    __slots__ = ("_numbers", "names")

    def __init__(self, names: Sequence[str], numbers: array[float]) -> None:
        shared = tuple(names)
        if shared not in _NAMES:
            _NAMES[shared] = tuple(map(sys.intern, names))
        self.names, self._numbers = _NAMES[shared], numbers

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> PackedEpochs:
        """Return the epochs of a record that `to_json` has made.

        Raises:
            TypeError, ValueError, LookupError: it is none.
        """
        numbers, names = array("d", base64.b64decode(record["numbers"], validate=True)), record["names"]
        if not names or len(set(names)) != len(names) or len(numbers) % len(names):
            raise ValueError(f"{len(numbers)} numbers are none of epochs with the metrics {names}")
        if sys.byteorder == "big":
            numbers.byteswap()
        return cls(names, numbers)

    def to_json(self) -> dict[str, Any]:
        """Return the names and, as base64 of little-endian doubles, the numbers."""
        numbers = self._numbers
        if sys.byteorder == "big":
            numbers = numbers[:]
            numbers.byteswap()
        return {"names": list(self.names), "numbers": base64.b64encode(numbers.tobytes()).decode()}

    @classmethod
    def from_bytes(cls, names: Sequence[str], numbers: bytes) -> PackedEpochs:
        """Return the epochs of which `to_bytes` has made these numbers, on the same machine."""
        return cls(names, array("d", numbers))

    def to_bytes(self) -> bytes:
        """Return the numbers as this machine has them."""
        return self._numbers.tobytes()

    def __len__(self) -> int:
        return len(self._numbers) // len(self.names)

    @overload
    def __getitem__(self, index: int) -> Metrics: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Metrics]: ...
    def __getitem__(self, index: int | slice) -> Metrics | Sequence[Metrics]:
        places, n = range(len(self))[index], len(self.names)
        if isinstance(places, int):
            return self._epoch(places)
        if places.step == 1:
            return PackedEpochs(self.names, self._numbers[n * places.start : n * places.stop])
        return tuple(map(self._epoch, places))

    def __iter__(self) -> Iterator[Metrics]:
        return map(self._epoch, range(len(self)))

    def __eq__(self, other: Any) -> bool:
        return tuple(self) == tuple(other) if isinstance(other, (tuple, PackedEpochs)) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as that of a tuple of mappings

    def __repr__(self) -> str:
        return repr(tuple(self))

    def values(self, metric: str) -> list[float]:
        """Return one value an epoch; NaN where there is none of that name."""
        if metric not in self.names:
            return [math.nan] * len(self)
        return self._numbers[self.names.index(metric) :: len(self.names)].tolist()

    def _epoch(self, place: int) -> Metrics:
        n = len(self.names)
        return dict(zip(self.names, self._numbers[n * place : n * (place + 1)], strict=True))


_NAMES: dict[tuple[str, ...], tuple[str, ...]] = {}
"""The names that curves have: the same object for all of them."""
