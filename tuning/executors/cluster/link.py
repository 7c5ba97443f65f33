"""The connection to a scheduler of dask.distributed: who is there, what agents say, and what they are told.

Owns all that is said to Dask by a driver. What comes in is put into one queue, in the order in which the scheduler has
sent it. The client's loop runs in a thread of its own; everything here may be called from the driver's.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pickle
import queue
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import distributed

from tuning.errors import OptionError, StudyError, must, one_line
from tuning.executors.cluster import agent
from tuning.executors.cluster.wire import Answer

CONNECT_SECONDS = 15
"""Time that a scheduler is given to answer."""

SCHEMES = ("", "tcp", "tls", "ws", "wss")
"""What an address may begin with; nothing is tcp."""

ECHO_SECONDS = 0.02
CLOSE_SECONDS = 3

_DELIVER = pickle.dumps(agent.deliver)

_ALL = "all"
"""The topic on which the scheduler tells which workers come and go."""


@dataclass(frozen=True)
class Workers:
    """The workers of Dask's that are there: threads by address."""

    threads: dict[str, int]


@dataclass(frozen=True)
class Left:
    """A worker of Dask's is gone."""

    address: str


@dataclass(frozen=True)
class Heard:
    """An agent has said something: a message, or at first what it is, in plain values."""

    slot: str
    message: Any = None
    hello: dict[str, Any] | None = None


@dataclass(frozen=True)
class Refused:
    """An agent could not begin; the error in one line."""

    slot: str
    error: str


class Link:
    """A connection of this driver's own.

    Args:
        cluster: address of a scheduler, path of its scheduler file, or a client, from which address and certificates
            are taken.

    Raises:
        OptionError: there is no scheduler that answers.
    """

    def __init__(self, cluster: Any) -> None:
        self.incoming: queue.SimpleQueue[Workers | Left | Heard | Refused | None] = queue.SimpleQueue()
        self._topic = f"tuning-{os.urandom(8).hex()}"
        self._tasks: dict[str, tuple[str, Any]] = {}
        self._turns: dict[str, asyncio.Lock] = {}
        self._wishes: list[Any] = []
        self._is_closed = False
        self._client = connected(cluster)
        self.address = str(self._client.scheduler.address)
        self._subscribe()

    def _subscribe(self) -> None:
        """Listen, and wait until something is heard: what is said before that would be lost."""
        hears = asyncio.Event()
        for topic, hear in ((_ALL, self._hear_of_workers), (self._topic, self._hear)):
            self._client.subscribe_topic(topic, hear)
        echo = f"{self._topic}-echo"
        self._client.subscribe_topic(echo, lambda _: hears.set())

        async def call_until_heard() -> None:
            while not hears.is_set():  # events and subscriptions take different ways
                await self._client.scheduler.log_event(topic=echo, msg="")
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(hears.wait(), ECHO_SECONDS)

        self._waited_for(lambda: asyncio.wait_for(call_until_heard(), CONNECT_SECONDS))
        self._waited_for(self._look)

    @property
    def is_up(self) -> bool:
        return bool(self._client.status == "running")

    def hold(self, slot: str, worker: str, probe: tuple[str, str] | None) -> None:
        """Have an agent hold a slot at a worker of Dask's, once it has a thread to spare."""
        future = self._client.submit(
            agent.serve, self._topic, probe, key=slot, workers=[worker], allow_other_workers=False, pure=False
        )
        self._tasks[slot] = (worker, future)
        future.add_done_callback(lambda done: self._has_failed(slot, done))

    def release(self, slot: str) -> None:
        """Let go of a slot: its agent ends."""
        _, future = self._tasks.pop(slot, (None, None))
        self._turns.pop(slot, None)
        if future is not None:
            with contextlib.suppress(Exception):
                future.release()

    def wish(self, slots: int) -> None:
        """Tell the scheduler how many slots more are wanted than there are, for clusters that grow by demand.

        They go by the tasks that wait: these wait for a resource that no worker has.
        """
        while len(self._wishes) > max(0, slots):
            self._wishes.pop().release()
        while len(self._wishes) < slots:
            key = f"tuning-wish-{os.urandom(8).hex()}"
            self._wishes.append(self._client.submit(bool, key=key, resources={"tuning-wish": 1}, pure=False))

    def tell(self, slot: str, *messages: Any) -> None:
        """Send messages to a slot's agent, behind those that are still being sent."""
        self.tell_all(slot, lambda: messages)

    def tell_all(self, slot: str, make: Callable[[], Iterable[Any]]) -> None:
        """The same for messages that are made one by one, when it is their turn."""
        if slot in self._tasks and not self._is_closed:
            self._client.loop.add_callback(self._tell, slot, self._tasks[slot][0], make)

    def answer(self, slot: str, message: Answer) -> None:
        """Send an answer, for which training waits.

        Nobody tells that it has come, which takes a fifth off each report (`scripts/bench_cluster.py`). What is sent
        after it may come before it, but for what follows from it.
        """
        if slot in self._tasks and not self._is_closed:
            self._client.loop.add_callback(self._answer, slot, self._tasks[slot][0], message)

    def fetch(self, slot: str, path: str, size: int, file: BinaryIO) -> None:
        """Write a file of an agent's into an open one.

        Raises:
            OSError: it cannot be had; the agent may be gone.
        """
        worker = self._tasks[slot][0]
        position = 0
        while position < size:
            try:
                content = self._client.run(agent.read, slot, path, position, workers=[worker])[worker]
            except Exception as error:
                raise OSError(one_line(error)) from error
            file.write(content)
            position += len(content)
            if not content:
                raise OSError(f"'{path}' has become shorter")

    def forget(self, worker: str) -> None:
        """Have the scheduler forget a worker of Dask's that does not answer, so that nothing is sent to it again."""
        self._client.loop.add_callback(self._forget, worker)

    def answers(self, seconds: float) -> bool:
        """Tell whether the scheduler answers within that time."""
        try:
            self._waited_for(lambda: asyncio.wait_for(self._look(), seconds))
        except (OSError, asyncio.TimeoutError, StudyError):
            return False
        return True

    def close(self) -> None:
        """Let go of everything that is held."""
        self._is_closed = True
        self.wish(0)
        for slot in list(self._tasks):
            self.release(slot)
        with contextlib.suppress(Exception):  # or the scheduler logs that it could not tell us that we leave
            self._client.unsubscribe_topic(_ALL)
        with contextlib.suppress(Exception):
            self._client.close(timeout=CLOSE_SECONDS)

    # In the loop's thread ---------------------------------------------------------------------------------

    async def _tell(self, slot: str, worker: str, make: Callable[[], Iterable[Any]]) -> None:
        async with self._turns.setdefault(slot, asyncio.Lock()):
            for message in make():
                with contextlib.suppress(OSError, ValueError):  # that it is gone is told by others
                    await self._client.run(
                        agent.deliver, slot, pickle.dumps(message), workers=[worker], on_error="ignore"
                    )

    async def _answer(self, slot: str, worker: str, message: Answer) -> None:
        """Do what the client's `run` does, without replies, for which it has no argument: the words of its protocol."""
        call = {"op": "run", "function": _DELIVER, "args": pickle.dumps((slot, pickle.dumps(message))), "reply": False}
        with contextlib.suppress(OSError, ValueError):
            await self._client.scheduler.broadcast(msg=call, workers=[worker], on_error="ignore", reply=False)

    async def _forget(self, worker: str) -> None:
        with contextlib.suppress(OSError):
            await self._client.scheduler.unregister(address=worker, stimulus_id="tuning-silent", safe=False)

    async def _look(self) -> None:
        found = await self._client.scheduler.identity(n_workers=-1)
        self.incoming.put(Workers({address: worker["nthreads"] for address, worker in found["workers"].items()}))

    async def _hear_of_workers(self, event: tuple[float, Any]) -> None:
        said = event[1]
        action = said.get("action") if isinstance(said, dict) else None
        if action == "remove-worker":
            self.incoming.put(Left(said["worker"]))
        elif action == "add-worker":
            await self._look()

    def _hear(self, event: tuple[float, Any]) -> None:
        said = event[1]
        message = pickle.loads(said["pickled"]) if "pickled" in said else None
        self.incoming.put(Heard(said["slot"], message, said.get("hello")))

    # Small things -----------------------------------------------------------------------------------------

    def _waited_for(self, make: Callable[[], Awaitable[Any]]) -> Any:
        return self._client.sync(make)

    def _has_failed(self, slot: str, future: Any) -> None:
        if future.status == "error" and slot in self._tasks:
            error = future.exception()
            self.incoming.put(Refused(slot, "" if error is None else one_line(error)))


def connected(cluster: Any) -> Any:
    """Return a client of our own of a scheduler; see `Link`.

    Raises:
        OptionError: there is none that answers.
    """
    address, security = _place(cluster)
    try:
        return distributed.Client(
            address, security=security, timeout=CONNECT_SECONDS, set_as_default=False, name="tune"
        )
    except Exception as error:  # of sockets and certificates
        advice = f"{one_line(error)}. `dask scheduler` starts one, `dask worker ADDRESS` brings machines to it."
        raise OptionError(must("cluster", "be that of a scheduler that answers", address, advice)) from error


def _place(cluster: Any) -> tuple[str, Any]:
    """Return address and certificates of a scheduler.

    They are looked at here, because a client that could not even begin to connect takes half a minute to be deleted.

    Raises:
        OptionError: there can be no connection.
    """
    if not isinstance(cluster, str):
        address = getattr(getattr(cluster, "scheduler", None), "address", None)
        if not isinstance(address, str):
            advice = "Such as 'tcp://host:8786', 'scheduler.json', or distributed.Client()."
            raise OptionError(
                must("cluster", "be an address, a scheduler file, or a connected client", cluster, advice)
            )
        return address, cluster.security
    address = _address_in(Path(cluster)) if cluster.endswith(".json") else cluster
    scheme, _, place = address.rpartition("://")
    host, _, port = place.rpartition(":")
    if scheme not in SCHEMES or not host or not port.isdecimal():
        advice = "`dask scheduler` prints its own; a scheduler file ends in .json."
        raise OptionError(must("cluster", "be an address such as tcp://host:8786 or tls://host:8786", address, advice))
    security = distributed.Security()  # as Dask is configured
    if scheme == "tls" and security.get_connection_args("client").get("ssl_context") is None:
        advice = "Dask finds them by distributed.comm.tls in its configuration, such as ~/.config/dask/tls.yaml."
        raise OptionError(must("cluster", "be reached with certificates", address, advice))
    return address, security


def _address_in(file: Path) -> str:
    """Return the address in a scheduler file.

    Raises:
        OptionError: there is none.
    """
    advice = "`dask scheduler --scheduler-file FILE` writes it."
    if not file.is_file():
        raise OptionError(must("cluster", "be an existing scheduler file", str(file), advice))
    try:
        return str(json.loads(file.read_text(encoding="utf-8"))["address"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise OptionError(must("cluster", "be a scheduler file", str(file), f"{one_line(error)}. {advice}")) from error
