"""The models of a trial, given a `fit` of compiled epochs.

Owns what a model that `hypermodel.build` returns gets, as long as its trial lasts: a `fit` of its own, in which epochs
are compiled programs and somebody listens to the first training's epochs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import keras

from tuning import compiled
from tuning.compiled import FitReport
from tuning.keras_tuner import private

Listen = Callable[[Mapping[str, Any]], None]

_CALLBACKS = 5
"""Place of `callbacks` among the arguments of `model.fit`, where it is given by place."""


class Models:
    """The models of one trial.

    Args:
        tuner: whose trial it is.
        listen: told of the metrics of each epoch of the trial's first training.
        quiet: whether a training that does not say shows no progress.
    """

    def __init__(self, tuner: Any, listen: Listen, quiet: bool) -> None:
        self._tuner, self._listen, self._quiet = tuner, listen, quiet
        self._heard: Any = None  # the callback that listens
        self._models: list[Any] = []
        self._reports: list[FitReport] = []

    @property
    def how(self) -> tuple[bool | None, str | None]:
        """Whether all trainings were of compiled epochs, and why not; None where nothing was trained."""
        reasons = [report.reason for report in self._reports if not report.compiled]
        return (None if not self._reports else not reasons), (reasons[0] if reasons else None)

    @contextmanager
    def compiled(self) -> Iterator[None]:
        """Have the models that are built meanwhile train with compiled epochs."""
        hypermodel = self._tuner.hypermodel
        if hypermodel is None:
            yield
            return
        own, genuine = vars(hypermodel).get("build"), hypermodel.build

        def build(*args: Any, **kwargs: Any) -> Any:
            model = genuine(*args, **kwargs)
            self._equip(model)
            return model

        hypermodel.build = build
        try:
            yield
        finally:
            if own is None:
                del hypermodel.build
            else:
                hypermodel.build = own
            for model in self._models:
                vars(model).pop("fit", None)
            self._models.clear()

    def _equip(self, model: Any) -> None:
        if not isinstance(model, keras.Model) or "fit" in vars(model):
            return

        def fit(*args: Any, **kwargs: Any) -> Any:
            if len(args) > _CALLBACKS:
                return type(model).fit(model, *args, **kwargs)
            kwargs["callbacks"] = self._callbacks(kwargs.get("callbacks"))
            if self._quiet and len(args) < _CALLBACKS and kwargs.get("verbose", "auto") == "auto":
                kwargs["verbose"] = 0
            try:
                return compiled.fit(model, *args, **kwargs)
            finally:
                report = compiled.last_report(model)
                self._reports += [] if report is None else [report]

        model.fit = fit
        self._models.append(model)

    def _callbacks(self, given: Any) -> Any:
        """Return the callbacks of a training: KerasTuner's without its batches, and one that listens to the first."""
        if isinstance(given, keras.callbacks.CallbackList):
            return given
        listed: Sequence[Any] = keras.tree.flatten(given) if given else []
        theirs = () if private.looks_at_batches(self._tuner) else private.tuner_callback()
        callbacks = [_Epochs(c.tuner, c.trial) if theirs and type(c) is theirs else c for c in listed]
        if self._heard is None:
            self._heard = _Heard(self._listen)
            callbacks.append(self._heard)
        return callbacks


class _Epochs(keras.callbacks.Callback):
    """Tells a tuner of epochs, as KerasTuner's own callback does, and not of batches, which nobody asked for."""

    def __init__(self, tuner: Any, trial: Any) -> None:
        super().__init__()
        self.tuner, self.trial = tuner, trial

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.tuner.on_epoch_begin(self.trial, self.model, epoch, logs=logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.tuner.on_epoch_end(self.trial, self.model, epoch, logs=logs)


class _Heard(keras.callbacks.Callback):
    def __init__(self, listen: Listen) -> None:
        super().__init__()
        self._listen = listen

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._listen(logs or {})
