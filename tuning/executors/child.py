"""A worker process: `python -m tuning.executors.child FD`.

Owns the process's life: it waits for tasks on its channel, trains them one after the other, and ends when
the channel closes, which is how the end of the driver reaches it, whatever it is doing at that moment.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import pickle
import queue
import signal
import sys
import threading
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tuning.executors.channel import Call, Load, Memory, Returned, Setup, read_payload


def main(descriptor: int) -> None:
    """Serve the channel until it closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the driver decides
    sys.stdout = sys.stderr  # standard output belongs to the driver's results
    channel = Connection(descriptor)
    tasks: queue.SimpleQueue[Any] = queue.SimpleQueue()
    answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(channel, tasks, answers), daemon=True).start()
    space = data = None
    while True:
        message = tasks.get()
        if isinstance(message, Setup):
            _set_up(message)
        elif isinstance(message, Load):
            space, data = _loaded(Path(message.path))
        elif isinstance(message, Call):
            channel.send(_called(message, space, data))
        else:
            _train(channel, answers, space, data, message)


def _receive(channel: Connection, tasks: Any, answers: Any) -> None:
    """Sort what comes in; end the process when the driver is gone, even in the middle of an epoch."""
    from tuning.worker import Decision

    try:
        while True:
            message = channel.recv()
            (answers if isinstance(message, Decision) else tasks).put(message)
    except (EOFError, OSError):
        os._exit(0)


def _set_up(message: Setup) -> None:
    sys.path[:] = message.sys_path
    if "keras" in message.imports:
        from tuning.quiet import import_keras

        import_keras()
    for name in message.imports:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def _loaded(path: Path) -> tuple[Any, Any]:
    source, space, data = read_payload(path)
    if source is not None:
        from tuning.space import resolve

        space = resolve(source)
    return space, data


def _called(message: Call, space: Any, data: Any) -> Returned:
    import cloudpickle

    raised = False
    try:
        function, arguments = pickle.loads(message.pickled)
        result = function(space, data, *arguments)
    except Exception as error:
        result, raised = error, True
    try:
        pickled = cloudpickle.dumps(result)
        pickle.loads(pickled)  # some exceptions can be pickled and not be unpickled
        return Returned(pickled, raised)
    except Exception:
        return Returned(None, True, f"{type(result).__name__}: {result}")


def _train(channel: Connection, answers: Any, space: Any, data: Any, task: Any) -> None:
    from tuning.worker import Decision, Report, train

    def report(message: Report) -> Decision:
        channel.send(message)
        return answers.get()

    channel.send(train(space, data, task, report))
    channel.send(Memory(_resident_bytes()))


def _resident_bytes() -> int:
    import psutil

    return psutil.Process().memory_info().rss


if __name__ == "__main__":
    main(int(sys.argv[1]))
