"""The models of a trial, given a `fit` of compiled epochs.

Owns what a model that `hypermodel.build` returns gets, as long as its trial lasts: a `fit` of its own, in which epochs
are compiled programs and somebody listens to the first training's epochs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tuning import compiled
from tuning.compiled import FitReport
from tuning.keras_tuner import private, under_way
from tuning.keras_tuner.turns import Turns
from tuning.keras_tuner.under_way import Trained, UnderWay

Listen = Callable[[Mapping[str, Any]], bool]
"""Takes the metrics of an epoch that has ended, and tells whether training goes on."""

_CALLBACKS, _EPOCHS = 5, 3
"""Places of `callbacks` and `epochs` among the arguments of `model.fit`, where they are given by place."""


def is_keras_fit_replaced() -> bool:
    """Tell whether the program, or a library such as one that logs trainings, has replaced `keras.Model.fit`."""
    code = getattr(keras.Model.fit, "__code__", None)  # whatever else it may have copied of the genuine one
    return code is None or Path(keras.__file__).parent not in Path(code.co_filename).parents


class PausedError(BaseException):
    """The search wants a training to end that is to be gone on with later."""


class Models:
    """The models of one trial.

    Args:
        tuner: whose trial it is.
        listen: told of the metrics of each epoch of the trial's first training.
        is_sent: whether other processes train other trials meanwhile: then a training that does not say shows no
            progress, and what is written to the same place in every trial is written in turn.
        under_way: what the trial has left and leaves for being gone on with.
    """

    def __init__(self, tuner: Any, listen: Listen, is_sent: bool, under_way: UnderWay) -> None:
        self._tuner, self._listen, self._is_sent, self._under_way = tuner, listen, is_sent, under_way
        self._turns = Turns(Path(tuner.project_dir, "turns.lock"), private.reads_between(tuner)) if is_sent else None
        self._n_trainings = 0
        self._models: list[Any] = []
        self._reports: list[FitReport] = []

    @property
    def how(self) -> tuple[bool | None, str | None]:
        """Whether all trainings were of compiled epochs, and why not; None where nothing was trained."""
        reasons = [report.explanation for report in self._reports if not report.compiled]
        return (None if not self._reports else not reasons), (reasons[0] if reasons else None)

    @contextmanager
    def compiled(self) -> Iterator[None]:
        """Have the models that are built meanwhile train with compiled epochs."""
        hypermodel = self._tuner.hypermodel
        if hypermodel is None:
            yield
            return
        attributes, genuine = vars(hypermodel), hypermodel.build  # whatever the class does when they are set
        own = attributes.get("build")
        attributes["build"] = _Equipping(genuine, self._equip)
        try:
            yield
        finally:
            if own is None:
                del attributes["build"]
            else:
                attributes["build"] = own
            for model in self._models:
                vars(model).pop("fit", None)
            self._models.clear()
            if self._turns is not None:
                self._turns.end()

    def _equip(self, model: Any) -> None:
        if not isinstance(model, keras.Model) or "fit" in vars(model):
            return

        def fit(*args: Any, **kwargs: Any) -> Any:
            if type(model).fit is not keras.Model.fit or is_keras_fit_replaced():
                return self._train_its_own_way(model, args, kwargs)
            if len(args) > _CALLBACKS or isinstance(kwargs.get("callbacks"), keras.callbacks.CallbackList):
                self._under_way.cannot_be_followed()
                return compiled.fit(model, *args, **kwargs)
            if self._is_sent and len(args) < _CALLBACKS and kwargs.get("verbose", "auto") == "auto":
                kwargs["verbose"] = 0
            return self._train(model, args, kwargs)

        model.fit = fit
        self._models.append(model)

    def _train(self, model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> keras.callbacks.History:
        """Call compiled `fit`, from where an earlier attempt at the trial has come to; return all its epochs."""
        place, self._n_trainings = self._n_trainings, self._n_trainings + 1
        epochs = args[_EPOCHS] if len(args) > _EPOCHS else kwargs.get("epochs", 1)
        trained = self._under_way.found(place, model, epochs)
        history = keras.callbacks.History()
        callbacks = [*self._callbacks(kwargs.get("callbacks")), history]
        known = Trained(0, epochs, False, []) if trained is None else trained
        follower = _Follower(place, callbacks, self._under_way, known, self._listen if place == 0 else None)
        if trained is not None and trained.is_ended:
            under_way.remind(callbacks, trained.remembered)
            self._reports.append(FitReport(trained.compiled, trained.reason))
            history.set_model(model)
            follower.repeat(history)
            model.history = history
            return history
        if trained is not None:
            kwargs["initial_epoch"], trained.epochs = trained.next_epoch, epochs
        kwargs["callbacks"] = [*callbacks, follower]
        try:
            with self._places_of(callbacks):
                compiled.fit(model, *args, **kwargs)
        finally:
            report = compiled.last_report(model)
            self._reports += [] if report is None else [report]
        follower.training_ended(report)
        return history

    def _train_its_own_way(self, model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a `fit` that a model's class has of its own, with the very arguments: it knows what they are."""
        place, self._n_trainings = self._n_trainings, self._n_trainings + 1
        self._under_way.cannot_be_followed()
        is_own = type(model).fit is not keras.Model.fit
        reason = f"{type(model).__name__} has its own `fit`" if is_own else "`keras.Model.fit` is replaced"
        self._reports.append(FitReport(False, reason))
        if "callbacks" not in kwargs:
            return type(model).fit(model, *args, **kwargs)
        callbacks, begun = self._callbacks(kwargs["callbacks"]), Trained(0, 0, False, [])
        follower = _Follower(place, callbacks, self._under_way, begun, None if place else self._listen)
        with self._places_of(callbacks):
            return type(model).fit(model, *args, **{**kwargs, "callbacks": [*callbacks, follower]})

    def _places_of(self, callbacks: Sequence[Any]) -> AbstractContextManager[None]:
        return nullcontext() if self._turns is None else self._turns.taken(callbacks)

    def _callbacks(self, given: Any) -> list[Any]:
        """Return the callbacks of a training: KerasTuner's without its batches, where nobody asked for them."""
        listed: Sequence[Any] = keras.tree.flatten(given) if given else []
        theirs = () if private.looks_at_batches(self._tuner) else private.tuner_callback()
        return [_Epochs(c.tuner, c.trial) if theirs and type(c) is theirs else c for c in listed]


class _Equipping:
    """A hypermodel's `build` as long as a trial lasts; copied, or sent to another process, it is the genuine one."""

    def __init__(self, genuine: Callable[..., Any], equip: Callable[[Any], None]) -> None:
        self._genuine, self._equip = genuine, equip

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        model = self._genuine(*args, **kwargs)
        self._equip(model)
        return model

    def __reduce__(self) -> Any:
        return _itself, (self._genuine,)


def _itself(build: Callable[..., Any]) -> Callable[..., Any]:
    return build


class _Epochs(keras.callbacks.Callback):
    """Tells a tuner of epochs, as KerasTuner's own callback does, and not of batches, which nobody asked for."""

    def __init__(self, tuner: Any, trial: Any) -> None:
        super().__init__()
        self.tuner, self.trial = tuner, trial

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.tuner.on_epoch_begin(self.trial, self.model, epoch, logs=logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.tuner.on_epoch_end(self.trial, self.model, epoch, logs=logs)


class _Follower(keras.callbacks.Callback):
    """The last of a training's callbacks: tells of its epochs, and writes what it takes to go on from them.

    Args:
        place: of the training in its trial.
        others: the callbacks before it.
        under_way: where it is written.
        trained: what the training goes on from.
        listen: told of each epoch; None for nobody.
    """

    def __init__(
        self, place: int, others: list[Any], under_way: UnderWay, trained: Trained, listen: Listen | None
    ) -> None:
        super().__init__()
        self._place, self._others, self._under_way, self._listen = place, others, under_way, listen
        self._trained = trained
        self._before: list[dict[str, Any]] = []

    def on_train_begin(self, logs: Any = None) -> None:
        self._before = under_way.memory_of(self._others)
        if self._trained.logs:
            under_way.remind(self._others, self._trained.remembered)
            self.repeat(self._others[-1])

    def repeat(self, history: keras.callbacks.History) -> None:
        """Tell again of the epochs that were trained before."""
        history.epoch, history.history = [], {}
        first = self._trained.next_epoch - len(self._trained.logs)
        for epoch, logs in enumerate(self._trained.logs, first):
            history.on_epoch_end(epoch, logs)
            self._tell(logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs = {name: float(value) for name, value in (logs or {}).items() if np.ndim(value) == 0}
        self._trained.logs.append(logs)
        self._trained.next_epoch = epoch + 1
        if self._under_way.is_due and not self.model.stop_training:
            self._write()
        self._tell(logs)

    def _tell(self, logs: Mapping[str, Any]) -> None:
        if self._listen is not None and not self._listen(logs):
            if not self._trained.is_ended and self._before:
                self._write()
            raise PausedError

    def training_ended(self, report: FitReport | None) -> None:
        """Have it known that the training is not to be gone on with, but followed by the next one."""
        if report is not None:
            self._trained.compiled, self._trained.reason = report.compiled, report.explanation
        if self._under_way.is_due or self._under_way.has(self._place):
            self._trained.is_ended = True
            self._write()
        else:
            self._under_way.cannot_be_followed()

    def _write(self) -> None:
        self._trained.remembered = under_way.changed(self._others, self._before)
        self._under_way.write(self._place, self.model, self._trained)
