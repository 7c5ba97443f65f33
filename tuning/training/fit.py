"""The call of a space's `fit`.

Owns how its callbacks and arguments are put together, for everything that trains, and that `model.fit` runs compiled
epochs. What it returns is read by `outcome`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tuning.data import Data
from tuning.errors import DataError, TuningError, one_line
from tuning.records.objective import Objective
from tuning.space import HyperParameters, SearchSpace
from tuning.training.callbacks import annealing, fresh
from tuning.training.messages import Decision
from tuning.training.models import is_keras_model
from tuning.training.options import TrainingOptions

_NAMED_TWICE = re.compile(r"got multiple values for keyword argument '(\w+)'$")

Listen = Callable[[Mapping[str, Any]], Decision]
"""Takes the metrics of an epoch that has ended, and decides what comes next."""

Trainer = Callable[..., Any]
"""Trains a model in place of its `fit`: called with the model and the arguments of `model.fit`."""


def data_of(space: SearchSpace) -> Data:
    """Return the space's own data; none where only its `fit` has some.

    Raises:
        DataError: it has none, or they cannot be loaded.
    """
    if space.has_own_fit and not space.has_own_data:
        return Data(None)
    try:
        return space.load_data()
    except (TuningError, KeyboardInterrupt):
        raise
    except BaseException as error:  # SystemExit, and classes of the space's own
        raise DataError(f"the data of '{space.name}' could not be loaded: {one_line(error)}") from error


def fit_space(
    space: SearchSpace,
    hp: HyperParameters,
    model: Any,
    data: Data,
    callbacks: Sequence[Any],
    compiled: bool,
    trainer: Trainer | None = None,
    **options: Any,
) -> Any:
    """Call the space's `fit` in such a way that `model.fit` runs compiled epochs and the callbacks.

    A `fit` that forgets to hand on `callbacks` is reported on all the same, because `model.fit` adds them. One that
    sets an argument itself beside those it hands on, `model.fit(*args, epochs=hp.Int(...), **kwargs)`, is called
    without that argument; what it sets counts, and a `model.fit` of its that does not set it gets it as before.
    """
    trained, withheld = False, dict[str, Any]()
    if hasattr(model, "fit") and is_keras_model(model):
        genuine = type(model).fit

        def fit(*args: Any, **kwargs: Any) -> Any:
            nonlocal trained
            trained = True
            kwargs = {**withheld, **kwargs}
            vars(fit)["x"] = kwargs["x"] if "x" in kwargs else args[0] if args else None
            given = list(kwargs.get("callbacks") or ())
            kwargs["callbacks"] = given + [c for c in callbacks if c not in given]
            if trainer is not None:
                return trainer(model, *args, **kwargs)
            if not compiled or has_own_fit(model):
                return genuine(model, *args, **kwargs)
            from tuning import compiled as training

            return training.fit(model, *args, **kwargs)

        model.fit = fit
    arguments = () if data.x is None else (data.x,) if data.y is None else (data.x, data.y)
    if data.validation is not None:
        options.setdefault("validation_data", data.validation)
    if data.sample_weight is not None:
        options.setdefault("sample_weight", data.sample_weight)
    options.setdefault("verbose", 0)
    options = {"callbacks": list(callbacks), **options}
    twice = vars(space).setdefault("_sets_itself", set())  # names, remembered so that no other trial raises
    while True:
        withheld.update({name: options.pop(name) for name in twice if name in options})
        try:
            return space.fit(hp, model, *arguments, **options)
        except TypeError as error:
            named = _NAMED_TWICE.search(str(error))
            if trained or named is None or named[1] not in options:
                raise
            twice.add(named[1])


def handed_on(model: Any, otherwise: Any) -> Any:
    """Return the x that a space's `fit` has handed to `model.fit` last; `otherwise` where it has not called it."""
    x = getattr(vars(model).get("fit"), "x", None)
    return otherwise if x is None else x


def has_own_fit(model: Any) -> bool:
    """Tell whether a Keras model is of a class with a `fit` of its own, which is called as it is."""
    import keras

    return type(model).fit is not keras.Model.fit


def assembled(
    space: SearchSpace,
    model: Any,
    options: TrainingOptions,
    listen: Listen | None,
    folder: Path,
    objective: Objective | None = None,
    first: Sequence[Any] = (),
    given: bool = True,
) -> dict[str, Any]:
    """Return what a training hands to `fit_space` besides its epochs: search, final training, estimators alike.

    The callbacks are the space's, the person's, annealing, early stopping, and the one that reports. That one is last
    for Keras, so that it sees what the others add to the metrics; and first otherwise, where a `fit` that stops at the
    first callback that wants to stop would not come to it.

    Args:
        space: what is trained.
        model: freshly built. A checkpoint has the learning rate it was saved with, which is not where annealing begins.
        options: what a person asked for.
        listen: told of each epoch; None for nobody.
        folder: the training's own, for what callbacks write.
        objective: what `options.patience` waits for.
        first: callbacks that come before all others.
        given: whether the callbacks of the space and the person take part.
    """
    own = [space.callbacks, options.fit_options.get("callbacks")] if given else []
    callbacks = [*first, *(callback for each in own for callback in fresh(each, folder))]
    if options.anneal is not None:
        callbacks.append(annealing(model, options.anneal))
    if options.uses_keras and options.patience is not None and objective is not None:
        import keras

        callbacks.append(
            keras.callbacks.EarlyStopping(monitor=objective.name, mode=objective.direction, patience=options.patience)
        )
    if listen is not None:
        reporting = reporting_callback(listen, options.uses_keras)
        callbacks = [*callbacks, reporting] if options.uses_keras else [*first, reporting, *callbacks[len(first) :]]
    rest = {name: value for name, value in options.fit_options.items() if name != "callbacks"}
    return {"callbacks": callbacks, "compiled": options.compiled, **rest}


def reporting_callback(listen: Listen, uses_keras: bool) -> Any:
    """Return a callback that passes each epoch's metrics to `listen` and obeys its answer.

    For Keras it is a `keras.callbacks.Callback`. Otherwise a `fit` calls `on_epoch_end(epoch, logs)` itself
    and ends when that returns True (`stop_training` says the same).
    """
    if not uses_keras:
        return _PlainCallback(listen)
    import keras

    class Reporting(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
            if listen(logs or {}) is not Decision.GO:
                self.model.stop_training = True

    return Reporting()


def validation_callback(callbacks: Sequence[Any], tell: Callable[[], None]) -> list[Any]:
    """Return a callback that says when a validation has ended; none where no callback could then change the weights.

    It must come before the others: `SwapEMAWeights` lets the averages take the weights' place while a validation lasts.
    """
    import keras

    default = keras.callbacks.Callback.on_test_end
    spared = (keras.callbacks.ProgbarLogger, keras.callbacks.TensorBoard)
    ends = [getattr(type(c), "on_test_end", default) for c in callbacks if not isinstance(c, spared)]
    if all(end is default for end in ends):
        return []

    class Validated(keras.callbacks.Callback):
        def on_test_end(self, logs: Mapping[str, Any] | None = None) -> None:
            tell()

    return [Validated()]


class _PlainCallback:
    def __init__(self, listen: Listen) -> None:
        self._listen = listen
        self.stop_training = False

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> bool:
        self.stop_training = self._listen(logs or {}) is not Decision.GO
        return self.stop_training
