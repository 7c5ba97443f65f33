"""Extra logging on request, into the trial's own folder of TensorBoard.

Owns what can be asked for, how it is written down, and writing it: the model's graph, histograms of its weights, a
profile of chosen batches, and what a space itself writes with `tf.summary`. Curves and the HPARAMS tab are not its
business. A run of TensorBoard of its own, so that nothing that is written here mixes with them.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuning.errors import guess, must, raise_all
from tuning.space.imports import backend
from tuning.training.histograms import histograms_callback

KINDS = {
    "graph": "the model's graph",
    "histograms": "histograms of the weights, each epoch",
    "summaries": "what the space writes with tf.summary",
    "profile=3,5": "a profile of the batches 3 to 5 of each trial, counted from 1",
}
"""What can be asked for, with an example where there is something to choose."""

_PROFILE = re.compile(r"profile=(\d+)(?:,(\d+))?")


@dataclass(frozen=True)
class Log:
    """What to log besides curves and hyperparameters.

    Attributes:
        graph, histograms, summaries: whether they are wanted; see `KINDS`.
        profile: first and last batch to profile, counted from 1; None for no profile.
    """

    graph: bool = False
    histograms: bool = False
    summaries: bool = False
    profile: tuple[int, int] | None = None

    @classmethod
    def read(cls, requests: Sequence[str]) -> Log:
        """Read requests such as "graph" and "profile=3,5".

        Raises:
            OptionError: names every request that is none.
        """
        if isinstance(requests, str):
            requests = [requests]
        fields: dict[str, Any] = {}
        mistakes = []
        for request in requests:
            batches = _PROFILE.fullmatch(request)
            if batches:
                first, last = int(batches[1]), int(batches[2] or batches[1])
                fields["profile"] = (first, last)
                if not 1 <= first <= last:
                    mistakes.append(must("log", "name batches from 1 on, the first one first", request))
            elif request in ("graph", "histograms", "summaries"):
                fields[request] = True
            else:
                mistakes.append(must("log", f"be one of {', '.join(KINDS)}", request, guess(request, KINDS)))
        raise_all(mistakes)
        return cls(**fields)

    def __bool__(self) -> bool:
        return self != Log()

    def unknown_to(self, backend: str) -> list[str]:
        """Return what of it cannot be had where Keras runs on `backend`."""
        missing = {"tensorflow": (), "jax": ("graph", "summaries")}.get(backend, ("graph", "summaries", "profile"))
        return [kind for kind in missing if getattr(self, kind)]


@contextlib.contextmanager
def written(log: Log, folder: str | None, trained: int, one_sample: Callable[[], Any]) -> Iterator[list[Any]]:
    """Write what was asked for while a run is built and trained.

    Args:
        log: what was asked for.
        folder: the run of TensorBoard to write; None for nothing at all.
        trained: epochs that the trial was trained before. A trial that begins finds its folder empty.
        one_sample: returns the inputs of one sample, as a batch.

    Yields:
        The callbacks that do it; the first of a run's.
    """
    if folder is None or not log:
        yield []
        return
    import keras

    if not trained:
        shutil.rmtree(folder, ignore_errors=True)
    Path(folder).mkdir(parents=True, exist_ok=True)
    profile = None if log.profile is None or trained else _profile(folder, *log.profile)
    callbacks = [profile] if profile else []
    try:
        if keras.config.backend() == "tensorflow":
            with _written_by_tensorflow(log, folder, trained, one_sample) as callback:
                yield [callback, *callbacks]
        else:
            yield [*([histograms_callback(Path(folder))] if log.histograms else []), *callbacks]
    finally:
        if profile is not None:
            profile.stop()


@contextlib.contextmanager
def _written_by_tensorflow(log: Log, folder: str, trained: int, one_sample: Callable[[], Any]) -> Iterator[Any]:
    """Write all but the profile; yield the callback that does it."""
    import tensorflow as tf

    writer = tf.summary.create_file_writer(folder)
    step = tf.Variable(trained, dtype=tf.int64, trainable=False)  # a variable, so that a traced step sees its changes
    try:
        with writer.as_default(step=step) if log.summaries else contextlib.nullcontext():
            yield _log_callback(log, writer, step, None if trained else one_sample)
    finally:
        writer.close()


def _log_callback(log: Log, writer: Any, step: Any, one_sample: Callable[[], Any] | None) -> Any:
    """Return the callback that keeps the step, and writes the graph and the histograms."""
    import keras
    import tensorflow as tf

    class Summaries(keras.callbacks.Callback):
        def on_train_begin(self, logs: Any = None) -> None:
            if log.graph and one_sample is not None:
                with writer.as_default():
                    _write_graph(self.model, one_sample)

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            step.assign(epoch)

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if log.histograms:
                with writer.as_default():
                    for weight in self.model.weights:
                        tf.summary.histogram(weight.path, keras.ops.convert_to_numpy(weight), step=epoch)
            writer.flush()

    return Summaries()


def _write_graph(model: Any, one_sample: Callable[[], Any]) -> None:
    """Write the graph of the model's forward pass."""
    import tensorflow as tf

    try:
        inputs = tf.nest.map_structure(tf.convert_to_tensor, one_sample())
        tf.summary.graph(tf.function(lambda x: model(x, training=False)).get_concrete_function(inputs).graph)
    except Exception as error:  # a picture is not worth a trial
        warnings.warn(f"the model's graph could not be written: {type(error).__name__}: {error}", stacklevel=2)


def _profile(folder: str, first: int, last: int) -> Any:
    """Return the callback that profiles batches. It looks at single batches, so Keras's own `fit` trains the trial."""
    import keras

    start, stop = _profiler()

    class Profile(keras.callbacks.Callback):
        def __init__(self) -> None:
            super().__init__()
            self._n_begun, self._is_running = 0, False

        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            self._n_begun += 1
            if self._n_begun == first:
                start(folder)
                self._is_running = True

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if self._n_begun == last:
                self.stop()

        def stop(self) -> None:
            if self._is_running:
                self._is_running = False
                stop()

    return Profile()


def _profiler() -> tuple[Callable[[str], Any], Callable[[], Any]]:
    """Return what begins a profile in a folder, and what ends it."""
    if backend() == "jax":
        import jax

        return jax.profiler.start_trace, jax.profiler.stop_trace
    import tensorflow as tf

    return tf.profiler.experimental.start, tf.profiler.experimental.stop
