"""Watches what a space's `fit` hands to `model.fit`, and what the model's own steps hand to its losses.

Owns the watching, and that a training ends after one batch where its data cannot be made small. Nothing is called that
the training would not call, and all of it gets what it would get without being watched.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from tuning.data import Data
from tuning.preflight.sample import Sample

TRAINING, VALIDATION = "training", "validation"

FRESH = "Give a function in its place that returns a fresh one: `lambda: batches()`."

_OF_LOSSES = ("x", "y", "y_pred", "sample_weight", "training")


class Output(NamedTuple):
    """What is known of an output of a model.

    Attributes:
        name: its name; "output" for the only one.
        shape: of a batch.
        loss: the name of Keras's function behind its loss; empty for any other loss.
        ignored: the class that the loss leaves out; None for none.
        constant: the only value that a whole batch had; None where there were several, or none were seen.
    """

    name: str
    shape: tuple[int | None, ...]
    loss: str
    ignored: int | None = None
    constant: float | None = None


class Watch:
    """Watches one training of one model.

    Args:
        sample: what `fit` is given.
        shared: what all trials are given; a function in it gives each its own.

    Attributes:
        outputs: the model's outputs; empty as long as no loss has been computed by `compute_loss`.
        labels: labels and weights of samples by split, as the model's own step has handed them to its losses.
        given: labels by split, as `model.fit` got them.
        not_finite: splits in which a loss was no finite number.
        model: the one whose losses were seen.
        length_counts: whether `model.fit` got x and y as `fit` did.
        mistakes: what is wrong with what `model.fit` got.
        remarks: what may be meant as it is.
    """

    def __init__(self, sample: Sample, shared: Data) -> None:
        self.outputs: list[Output] = []
        self.labels: dict[str, tuple[Any, Any]] = {}
        self.given: dict[str, Any] = {}
        self.not_finite: set[str] = set()
        self.model: Any = None
        self.length_counts = False
        self.mistakes: list[str] = []
        self.remarks: list[str] = []
        self._shared = shared
        self._sample, self._split = sample, TRAINING

    def fit(self, model: Any, *args: Any, **kwargs: Any) -> Any:
        """Call the `fit` of the model's class, and watch."""
        import keras

        arguments = _by_name(model, args, kwargs)
        self._look_at(arguments)
        watch = self

        class Phases(keras.callbacks.Callback):
            def on_test_begin(self, logs: Any = None) -> None:
                watch._split = VALIDATION

            def on_test_end(self, logs: Any = None) -> None:
                watch._split = TRAINING

            def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
                if not watch._sample.is_small:
                    self.model.stop_training = True

        kwargs["callbacks"] = [Phases(), *(kwargs.get("callbacks") or ())]
        if not self._sample.is_small and arguments.get("validation_data") is not None:
            kwargs["validation_steps"] = 1
        compute_loss = model.compute_loss

        def watched(*args: Any, **kwargs: Any) -> Any:
            self._before_loss(model, {**dict(zip(_OF_LOSSES, args, strict=False)), **kwargs})
            loss = compute_loss(*args, **kwargs)
            self._after_loss(loss)
            return loss

        model.compute_loss = watched
        try:
            return type(model).fit(model, *args, **kwargs)
        finally:
            vars(model).pop("compute_loss", None)
            wait_for_values()

    def _look_at(self, arguments: Mapping[str, Any]) -> None:
        x, y, data = arguments.get("x"), arguments.get("y"), self._sample.data
        mistakes, remarks = judge_generators(arguments, self._shared)
        self.mistakes += mistakes
        self.remarks += remarks
        self.length_counts |= x is data.x and y is data.y and y is not None
        if y is data.y:
            self.given[TRAINING] = y
        validation = arguments.get("validation_data")
        ours = data.validation
        if isinstance(validation, tuple) and isinstance(ours, tuple) and validation[1:2] and validation[1] is ours[1]:
            self.given[VALIDATION] = validation[1]
        if arguments.get("validation_split") and y is data.y:
            self.given[VALIDATION] = y

    def _before_loss(self, model: Any, given: Mapping[str, Any]) -> None:
        self.model, split = model, self._split

        def take(y: Any, y_pred: Any, sample_weight: Any) -> None:
            self.labels.setdefault(split, (y, sample_weight))
            if not self.outputs and y_pred is not None:
                self.outputs = _outputs(model, y_pred)

        with_values(take, *(given.get(name) for name in ("y", "y_pred", "sample_weight")))

    def _after_loss(self, loss: Any) -> None:
        split = self._split

        def take(loss: Any) -> None:
            value = concrete(loss)
            if value is not None and not np.isfinite(value).all():
                self.not_finite.add(split)

        with_values(take, loss)


def judge_generators(arguments: Mapping[str, Any], shared: Data) -> tuple[list[str], list[str]]:
    """Return what is wrong, and what may be, with generators among the arguments of `model.fit`.

    Args:
        arguments: by name.
        shared: what all trials are given.
    """
    mistakes, remarks = [], []
    for name, steps, given in (
        ("x", "steps_per_epoch", shared.x),
        ("validation_data", "validation_steps", shared.validation),
    ):
        if not is_generator(arguments.get(name)):
            continue
        has_steps = arguments.get(steps) is not None
        if arguments[name] is not given:  # it is a training's own
            remarks += [] if has_steps else [f"{name} is a generator without {steps}: an epoch ends where it ends."]
        elif has_steps:
            remarks.append(f"{name} is a generator that all trials share: once it has ended there are no data. {FRESH}")
        else:
            mistakes.append(
                f"`{name}` must be data that every trial can read from their beginning, but got a generator without "
                f"{steps}: if it ends, the first trial uses it up, and if it does not, its first epoch never ends. "
                f"{FRESH} One without end needs {steps}=N as well."
            )
    return mistakes, remarks


def with_values(take: Callable[..., None], *tensors: Any) -> None:
    """Call `take` with tensors of a step; on JAX, where a step is traced, when they have values."""
    import keras

    if keras.config.backend() == "jax":
        import jax

        if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(tensors)):
            jax.debug.callback(take, *tensors)
            return
    take(*tensors)


def wait_for_values() -> None:
    """Return when all that `with_values` was asked for has been called."""
    import keras

    if keras.config.backend() == "jax":
        import jax

        jax.effects_barrier()  # type: ignore[no-untyped-call]


def is_generator(data: Any) -> bool:
    """Tell whether `data` can be read but once."""
    return hasattr(data, "__next__")


def concrete(tensor: Any) -> np.ndarray | None:
    """Return the values of a tensor; None for one that has none yet, or is no array of numbers."""
    try:
        array = np.asarray(tensor)
    except Exception:  # a tensor of a graph, one of Keras's making, or what no array holds
        return None
    return array if array.dtype.kind in "fiub" else None


def _by_name(model: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return dict(inspect.signature(type(model).fit).bind(model, *args, **kwargs).arguments)
    except TypeError:  # the call below says what is wrong
        return dict(kwargs)


def _outputs(model: Any, made: Any) -> list[Output]:
    losses = getattr(model, "loss", None)
    if isinstance(made, Mapping):
        named = [(str(name), value) for name, value in made.items()]
    elif isinstance(made, (list, tuple)):
        names = list(getattr(model, "output_names", None) or map(str, range(len(made))))
        named = list(zip(names, made, strict=False))
    else:
        named = [("output", made)]
    return [_output(name, value, _loss_of(losses, name, i)) for i, (name, value) in enumerate(named)]


def _output(name: str, value: Any, loss: Any) -> Output:
    function, ignored = _named(loss)
    shape = tuple(getattr(value, "shape", ()) or ())
    values = concrete(value)
    flat = [] if values is None else np.unique(values)[:2].tolist()
    return Output(name, shape, function, ignored, float(flat[0]) if len(flat) == 1 else None)


def _loss_of(losses: Any, name: str, index: int) -> Any:
    if isinstance(losses, Mapping):
        return losses.get(name)
    if isinstance(losses, (list, tuple)):
        return losses[index] if index < len(losses) else None
    return losses


def _named(loss: Any) -> tuple[str, int | None]:
    """Return the name of the function of Keras that a loss is, and the class that it ignores."""
    import keras

    from tuning.compiled import private

    if isinstance(loss, str):
        try:
            loss = keras.losses.get(loss)
        except ValueError:
            return "", None
    ignored = None
    if isinstance(loss, keras.losses.Loss):
        if not _is_of_keras(type(loss)):
            return "", None
        ignored = loss.get_config().get("ignore_class")
        loss = private.wrapped(loss)
    return (loss.__name__ if _is_of_keras(loss) else ""), ignored


def _is_of_keras(definition: Any) -> bool:
    return str(getattr(definition, "__module__", "")).split(".")[0] == "keras" and hasattr(definition, "__name__")
