"""Event files: how a summary becomes bytes on disk, and back.

Owns the files' format and names. Works on TensorBoard's own messages, framed by `framing`, and never imports
TensorFlow, which costs seconds and hundreds of megabytes. What is written where is not decided here.
"""

from __future__ import annotations

import itertools
import os
import re
import socket
import struct
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.plugins.hparams import metadata as hparams_metadata
from tensorboard.plugins.hparams import plugin_data_pb2

from tuning.files import replaced
from tuning.tensorboard.framing import framed

SUFFIX = ".tuning"
"""Ends the name of every file written here, so that a user's own files are told apart and left alone."""

_LARGEST = 3.4028234663852886e38  # of a 32-bit float, which is what TensorBoard keeps of a scalar
_LABELLED = re.compile(rf".*tfevents\..*\.([a-z]+-\w+){re.escape(SUFFIX)}")
_files = itertools.count()


class EventFile:
    """One growing event file.

    The file is opened for each `append` and closed after it: what was appended survives the process, and a
    thousand trials at rest hold no file handles.

    Args:
        folder: the run's folder; made with the first event.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path: Path | None = None

    def append(self, events: Iterable[event_pb2.Event]) -> None:
        """Write `events`, all of them in one piece, and hand them to the operating system."""
        events = list(events)
        if not events:
            return
        if self._path is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            path, events = self._folder / file_name(), [_version(), *events]
        else:
            path = self._path
        self._path = None  # a write that fails half-way leaves a torn record: the next one goes to a new file
        with open(path, "ab") as file:
            file.write(_encoded(events))
        self._path = path


def write_once(folder: Path, events: Iterable[event_pb2.Event], label: str = "") -> None:
    """Write a complete event file; whoever is killed on the way leaves none that TensorBoard would read.

    The disk is not waited for, which would take longer than all else that the driver does for a trial: what a loss of
    power has left empty is written again from the store when the study goes on.

    Args:
        folder: the run's folder; made if missing.
        events: all the events.
        label: becomes part of the file's name; a word, a hyphen and a word.
    """
    name = file_name(label)
    unfinished = folder / f"unfinished.{name.rpartition('tfevents.')[2]}"
    with replaced(folder / name, unfinished, synced=False):
        unfinished.write_bytes(_encoded([_version(), *events]))


def file_name(label: str = "") -> str:
    """Return a new event file's name; TensorBoard reads the files of a folder in the order of their names."""
    when, number = f"{int(time.time()):010d}", f"{next(_files):07d}"
    parts = ["events.out.tfevents", when, socket.gethostname(), str(os.getpid()), number]
    return ".".join([*parts, label] if label else parts) + SUFFIX


def label_of(name: str) -> str:
    """Return the label of a file that `write_once` wrote with one; an empty string for any other file."""
    match = _LABELLED.fullmatch(name)
    return match[1] if match else ""


def scalars(points: Iterable[tuple[str, float, int]], wall_time: float) -> list[event_pb2.Event]:
    """Return the events of (tag, value, step), one for each step.

    What TensorBoard cannot draw is left out: NaN, infinity, and what is infinite as a 32-bit float.
    """
    events: dict[int, event_pb2.Event] = {}
    for tag, value, step in points:
        if abs(value) <= _LARGEST:  # false for NaN as well
            event = events.setdefault(step, event_pb2.Event(step=step, wall_time=wall_time))
            event.summary.value.add(tag=tag, simple_value=value)
    return list(events.values())


def hparams_event(tag: str, content: plugin_data_pb2.HParamsPluginData, wall_time: float) -> event_pb2.Event:
    """Return the event that carries a record of the HPARAMS tab."""
    entry = summary_pb2.Summary.Value(
        tag=tag, metadata=hparams_metadata.create_summary_metadata(content), tensor=hparams_metadata.NULL_TENSOR
    )
    return event_pb2.Event(wall_time=wall_time, summary=summary_pb2.Summary(value=[entry]))


def read_events(path: Path) -> Iterator[Any]:
    """Yield the events of a file, up to the first one that is torn."""
    data = path.read_bytes()
    start = 0
    while start + 12 <= len(data):
        (length,) = struct.unpack_from("<Q", data, start)
        end = start + 12 + length
        if end + 4 > len(data):
            return
        try:
            event = event_pb2.Event.FromString(data[start + 12 : end])
        except DecodeError:
            return
        yield event
        start = end + 4


def _version() -> event_pb2.Event:
    return event_pb2.Event(wall_time=time.time(), file_version="brain.Event:2")


def _encoded(events: Iterable[event_pb2.Event]) -> bytes:
    return framed([event.SerializeToString() for event in events])
