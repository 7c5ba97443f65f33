"""The program of a worker process; `handle` starts it.

Owns the process's life: it waits for tasks on its channel, trains them one after the other or in lanes, and ends when
the channel closes or its driver dies, whatever it is doing at that moment; signals that stop a whole job are the
driver's business. What a trial forks has neither the channel nor the worker's way with signals.
"""

from __future__ import annotations

import contextlib
import copy
import ctypes
import gc
import importlib
import os
import pickle
import queue
import signal
import sys
import threading
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

from tuning.errors import one_line
from tuning.executors.channel import (
    Batch,
    Call,
    Load,
    Loaded,
    Memory,
    Returned,
    Setup,
    Train,
    Unable,
    read_payload,
)
from tuning.executors.guardian import STOPS
from tuning.executors.output import kept
from tuning.training.messages import Decision, Report, failure
from tuning.training.train import train

_PR_SET_PDEATHSIG = 1


def main(channel_descriptor: int, payload_descriptor: int, driver: int) -> None:
    """Serve the channel until it closes.

    Args:
        channel_descriptor: this end of the channel.
        payload_descriptor: the file with the space and the data, complete when a `Load` arrives.
        driver: process id of the driver.
    """
    _die_with(driver)
    _leave_stops_to_the_driver()
    sys.stdout = sys.stderr  # standard output is for the driver's results
    for descriptor in (channel_descriptor, payload_descriptor):
        os.set_inheritable(descriptor, False)
    channel = Connection(channel_descriptor)
    _keep_forks_apart(channel)
    tasks: queue.SimpleQueue[Any] = queue.SimpleQueue()
    answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(channel, tasks, answers), daemon=True).start()
    try:
        _serve(channel, tasks, answers, payload_descriptor)
    except ConnectionError:  # the driver has hung up in the middle of a message
        os._exit(0)


def _serve(channel: Connection, tasks: Any, answers: Any, payload: int) -> None:
    space = data = lanes = None
    while True:
        message = tasks.get()
        if isinstance(message, Setup):
            _set_up(message)
            lanes = _lanes_of(message.batch)
        elif isinstance(message, Load):
            try:
                space, data = _loaded(payload)
            except BaseException as error:
                channel.send(Unable(_described(error)))
            else:
                channel.send(Loaded())
        elif isinstance(message, Call):
            channel.send(_called(message, space, data))
        elif lanes is None:
            _train(channel, answers, space, data, message)
        else:
            if message.is_alone:
                lanes.wait()
            # What a space notes of itself while it builds is that trial's.
            lanes.start(partial(_train_in_lane, channel, answers, copy.copy(space), data, message))
            if message.is_alone:
                lanes.wait()


def _lanes_of(batch: Batch) -> Any:
    """Return lanes for several tasks at once; None for one after the other, as where Keras has changed too much."""
    if batch.size == 1:
        return None
    from tuning.compiled import lanes, private

    try:
        private.of_this_thread()
    except private.GoneError:
        return None
    return lanes.Lanes(batch.is_measured)


def _train_in_lane(channel: Connection, *given: Any) -> None:
    """Train a task; only one lane has its turn, so only one speaks, and the next answer is its."""
    try:
        _train(channel, *given)
    except ConnectionError:  # the driver has hung up
        os._exit(0)


def _die_with(driver: int) -> None:
    """Have the system kill this process when its driver dies: a long epoch may keep all threads from running.

    Where the system cannot do that, the end of the channel still ends the process.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != driver:  # it died before
        os._exit(0)


def _leave_stops_to_the_driver() -> None:
    """Let signals that stop a whole job pass, without having programs that are started here ignore them."""
    for number in STOPS:
        signal.signal(number, lambda *_: None)
        signal.siginterrupt(number, False)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)


def _keep_forks_apart(channel: Connection) -> None:
    """See to it that what a trial forks has nothing of the worker's.

    With the channel it would hide the worker's end; with the worker's way of taking signals it could not be stopped,
    not even if that lasted for a moment only.
    """
    before: list[Any] = []  # the forking threads' masks; a fork ends before the next one begins

    def as_usual() -> None:
        channel.close()
        for number in STOPS:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        unblock()

    def unblock() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, before.pop())

    os.register_at_fork(
        before=lambda: before.append(signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)),
        after_in_parent=unblock,
        after_in_child=as_usual,
    )


def _receive(channel: Connection, tasks: Any, answers: Any) -> None:
    """Sort what comes in; end the process when the driver is gone, even in the middle of an epoch."""
    try:
        while True:
            message = channel.recv()
            (answers if isinstance(message, Decision) else tasks).put(message)
    except (EOFError, OSError):
        os._exit(0)
    finally:  # without its ear a worker would wait for ever
        os._exit(1)


def _set_up(message: Setup) -> None:
    sys.path[:] = message.sys_path
    # Importing ahead only saves time: whatever goes wrong will go wrong again where it can be told.
    with contextlib.suppress(Exception):
        if "keras" in message.imports:
            from tuning.space.imports import import_keras, without

            # TensorFlow Lite and Keras's callback for Orbax load JAX for a function of theirs that no training calls.
            with without("jax"):
                import_keras()
        for name in message.imports:
            importlib.import_module(name)


def _loaded(payload: int) -> tuple[Any, Any]:
    source, space, data = read_payload(payload)
    if source is not None:
        from tuning.space import resolve

        space = resolve(source)
    gc.freeze()  # modules and data stay for good: no collection needs to look through them
    return space, data


def _called(message: Call, space: Any, data: Any) -> Returned:
    import cloudpickle

    raised = False
    try:
        function, arguments = pickle.loads(message.pickled)
        result = function(space, data, *arguments)
    except BaseException as error:
        result, raised = error, True
    try:
        pickled = cloudpickle.dumps(result)
        pickle.loads(pickled)  # some exceptions can be pickled and not be unpickled
        return Returned(pickled, raised, _described(result))
    except Exception:
        return Returned(None, True, _described(result))


def _train(channel: Connection, answers: Any, space: Any, data: Any, message: Train) -> None:
    def report(epoch: Report) -> Decision:
        channel.send(epoch)
        answer: Decision = answers.get()
        return answer

    try:
        task = pickle.loads(message.pickled)
        with kept(task.output, f"trial {task.run.number} from epoch {task.trained}"):
            last: Any = train(space, data, task, report)
    except BaseException as error:  # nobody presses Ctrl-C here: a KeyboardInterrupt is the space's own
        last = failure(message.key, error)
    channel.send(Memory(_own_bytes()))
    channel.send(last)


def _own_bytes() -> int:
    """Return the memory that this process shares with no other."""
    import psutil

    memory = psutil.Process().memory_info()
    return int(memory.rss - getattr(memory, "shared", 0))


def _described(result: Any) -> str:
    return one_line(result) if isinstance(result, BaseException) else type(result).__name__
