"""Histograms of weights for TensorBoard, written without TensorFlow.

Owns their form in an event file. For Keras on anything but TensorFlow, which would have to be imported to write them.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def histograms_callback(folder: Path) -> Any:
    """Return a callback that writes the histogram of each weight of its model at the end of each epoch."""
    import keras
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.plugins.histogram.summary_v2 import histogram_pb
    from tensorboard.summary.writer.record_writer import RecordWriter

    path = folder / f"events.out.tfevents.{time.time():.0f}.{socket.gethostname()}.{os.getpid()}"

    def write(events: Iterable[Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)  # who tidies the trial's folder when it begins may do so just now
        is_new = not path.exists()
        with open(path, "ab") as file:
            writer = RecordWriter(file)
            for event in [Event(wall_time=time.time(), file_version="brain.Event:2")] * is_new + [*events]:
                writer.write(event.SerializeToString())

    class Histograms(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            weights = [(weight.path, keras.ops.convert_to_numpy(weight)) for weight in self.model.weights]
            write(Event(wall_time=time.time(), step=epoch, summary=histogram_pb(*weight)) for weight in weights)

    return Histograms()
