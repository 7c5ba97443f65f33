"""Histograms of weights for TensorBoard, written without TensorFlow.

Owns their form in an event file. For Keras on anything but TensorFlow, which would have to be imported to write them.
"""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import Any


def histograms_callback(folder: Path) -> Any:
    """Return a callback that writes the histogram of each weight of its model at the end of each epoch."""
    import keras
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.plugins.histogram.summary_v2 import histogram_pb
    from tensorboard.summary.writer.record_writer import RecordWriter

    path = folder / f"events.out.tfevents.{time.time():.0f}.{socket.gethostname()}.{os.getpid()}"

    def write(*events: Any) -> None:
        with open(path, "ab") as file:
            writer = RecordWriter(file)
            for event in events:
                writer.write(event.SerializeToString())

    class Histograms(keras.callbacks.Callback):
        def on_train_begin(self, logs: Any = None) -> None:
            if not path.exists():
                write(Event(wall_time=time.time(), file_version="brain.Event:2"))

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            write(*(
                Event(
                    wall_time=time.time(),
                    step=epoch,
                    summary=histogram_pb(weight.path, keras.ops.convert_to_numpy(weight)),
                )
                for weight in self.model.weights
            ))  # fmt: skip

    return Histograms()
