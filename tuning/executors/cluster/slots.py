"""The slots of a cluster as a driver knows them, machine by machine.

Owns which slots there are, their names and places, and which payload of their machine they read. Tells nobody.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tuning.executors.cluster.wire import Place
from tuning.training.messages import Task


@dataclass(eq=False)
class Payload:
    """The file of a machine that its worker processes read the space and the data from.

    Attributes:
        place: where it lies.
        is_filled: whether it is complete.
        filler: the slot that fills it; None for nobody yet, and where the driver does.
    """

    place: Place
    is_filled: bool = False
    filler: Slot | None = None


@dataclass(eq=False)
class Slot:
    """A slot that an agent holds.

    Attributes:
        name: its own, that of no other slot at any time.
        address: of the worker of Dask's.
        host, machine: name of its machine, and what tells that from all others; empty until the agent has spoken.
        folder: of the agent.
        sees: whether its machine sees the study's folder.
        place: number among those of its machine.
        is_begun, is_ready, is_refused: whether it was told to begin, has all that it needs, is not used.
        payload: that it reads; None until it has begun.
        task: that it trains; None while it is idle.
        heard, answered: `time.monotonic()` when its agent last spoke, and was last told something.
    """

    name: str
    address: str
    host: str = ""
    machine: str = ""
    folder: str = ""
    sees: bool = False
    place: int = 0
    is_begun: bool = False
    is_ready: bool = False
    is_refused: bool = False
    payload: Payload | None = None
    task: Task | None = None
    heard: float = 0.0
    answered: float = 0.0

    @property
    def worker(self) -> str:
        """The name of the place where it trains."""
        return f"{self.host}:{self.place}"


class Slots:
    """All slots that are held, in the order of their beginning.

    Args:
        machine, payload: the driver's own; what is loaded on its machine reads its payload.
    """

    def __init__(self, machine: str = "", payload: Payload | None = None) -> None:
        self.threads: dict[str, int] = {}
        self._slots: dict[str, Slot] = {}
        self._own = {} if payload is None else {machine: payload}
        self._payloads = dict(self._own)
        self._prefix, self._numbers = f"tuning-slot-{os.urandom(8).hex()}", itertools.count()

    def __iter__(self) -> Iterator[Slot]:
        return iter(list(self._slots.values()))

    def __len__(self) -> int:
        return len(self._slots)

    def __contains__(self, slot: object) -> bool:
        return isinstance(slot, Slot) and slot.name in self._slots

    def get(self, name: str) -> Slot | None:
        return self._slots.get(name)

    def add(self, address: str) -> Slot:
        """Return a new slot at a worker of Dask's."""
        name = f"{self._prefix}-{next(self._numbers)}"
        slot = self._slots[name] = Slot(name, address, heard=time.monotonic())
        return slot

    def remove(self, *slots: Slot) -> None:
        for slot in slots:
            self._slots.pop(slot.name, None)
            if not self.on(slot.machine) and slot.machine not in self._own:
                self._payloads.pop(slot.machine, None)

    def at(self, address: str) -> list[Slot]:
        return [slot for slot in self if slot.address == address]

    def on(self, machine: str) -> list[Slot]:
        return [slot for slot in self if slot.machine == machine]

    @property
    def addresses(self) -> set[str]:
        return {slot.address for slot in self}

    @property
    def n_used(self) -> int:
        """Number of slots, without those that are held only so that nobody else is sent there."""
        return sum(not slot.is_refused for slot in self)

    @property
    def ready(self) -> list[Slot]:
        return [slot for slot in self if slot.is_ready]

    def idle(self) -> Slot:
        """Return a slot that could train now, on the machine with the fewest that do."""
        idle = [slot for slot in self.ready if slot.task is None]
        return min(idle, key=lambda slot: sum(other.task is not None for other in self.on(slot.machine)))

    def silent(self, seconds: float) -> list[Slot]:
        """Return one slot of each address whose task has been silent for so long."""
        now = time.monotonic()
        found = [s for s in self if s.task is not None and now - max(s.heard, s.answered) > seconds]
        return list({slot.address: slot for slot in found}.values())

    def free(self, most: int | None) -> Iterator[str]:
        """Yield the address of each thread without a slot, those with the fewest first; no more than make `most`."""
        room = None if most is None else most - self.n_used
        held = {address: len(self.at(address)) for address in self.threads}
        while room is None or room > 0:
            open_ = [address for address, threads in self.threads.items() if held[address] < threads]
            if not open_:
                return
            address = min(open_, key=lambda one: held[one])
            held[address] += 1
            room = None if room is None else room - 1
            yield address

    # Machines -----------------------------------------------------------------------------------------------

    def said_hello(self, slot: Slot, hello: Mapping[str, Any]) -> None:
        """Take note of where a slot is."""
        taken = {other.place for other in self.on(hello["machine"])}
        slot.place = next(number for number in itertools.count() if number not in taken)
        slot.host, slot.machine = hello["host"], hello["machine"]
        slot.folder, slot.sees = hello["folder"], hello["sees"]

    def total_on(self, slot: Slot, most: int | None) -> int:
        """Return how many slots the machine of a slot has, or will have: its workers share one address's host."""
        host = _host(slot.address)
        threads = sum(count for address, count in self.threads.items() if _host(address) == host)
        return max(1, threads if most is None else min(threads, most), slot.place + 1)

    def may_begin(self, machine: str) -> list[Slot]:
        """Return the slots of a machine that may begin now: one while it has no payload, then all."""
        here = [slot for slot in self.on(machine) if machine and not slot.is_refused]
        waiting = [slot for slot in here if not slot.is_begun]
        if machine in self._payloads:
            return waiting
        return [] if any(slot.is_begun for slot in here) else waiting[:1]

    def payload_of(self, machine: str) -> Place | None:
        found = self._payloads.get(machine)
        return None if found is None else found.place

    def begun(self, slot: Slot, place: Place) -> None:
        """Take note of the payload that a slot reads: that of its machine, or one of its own."""
        shared = self._payloads.get(slot.machine)
        is_same = shared is not None and (shared.place.device, shared.place.inode) == (place.device, place.inode)
        slot.payload = shared if is_same else Payload(place)
        if shared is None and slot.payload is not None:
            self._payloads[slot.machine] = slot.payload


def _host(address: str) -> str:
    return address.rpartition(":")[0]
