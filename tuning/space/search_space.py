"""`SearchSpace`: one problem to search, as people write it.

Owns the interface `build(hp)`, `fit(hp, model, ...)`, `load_data()`, `objective`, and the ways to make a
space of a plain `build_model(hp)` function or of a KerasTuner `HyperModel`. Trains nothing itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tuning.errors import DataError, SpaceError
from tuning.records.objective import Objective

if TYPE_CHECKING:
    from tuning.data import Data
    from tuning.records.trial import Run


class SearchSpace:
    """A problem: a model to build, a way to train it, its data, and what counts as good.

    Subclass it and override `build`; `fit` and `load_data` where needed. The methods are those of
    KerasTuner's `HyperModel`: a space can be handed to a KerasTuner tuner as it is (it is callable), or
    with its `fit` through `hypermodel()`. It is no subclass of it, so that importing a space loads neither
    KerasTuner nor TensorFlow.

    Attributes:
        name: short name; letters, digits, `.`, `_` and `-`.
        objective: what to optimise, such as "val_accuracy" or "val_rmse:min".
        description: one line for `tune spaces`.
        imports: modules that training will import, so that workers can import them ahead; found by `resolve`.
        patience: epochs without improvement after which a run ends early; None or 0 for never.
        epochs: budget of one trial where none is given; None for the toolkit's.
        scale_targets: whether estimators give it targets of mean 0 and standard deviation 1, for which it was made.
        callbacks: callbacks of every trial: a list, or a method that gets the trial's own folder, a `pathlib.Path`,
            and returns one. Each trial has copies of its own.
    """

    name: str = ""
    objective: str | Objective = "val_loss"
    description: str = ""
    imports: tuple[str, ...] = ()
    patience: int | None = None
    epochs: int | None = None
    scale_targets: bool = False
    callbacks: Any = None

    def __init__(self, name: str | None = None) -> None:
        if name is not None:
            self.name = name
        if not self.name:
            self.name = type(self).__name__

    def build(self, hp: Any) -> Any:
        """Return a compiled `keras.Model` for the hyperparameters that it asks `hp` for."""
        raise NotImplementedError(f"{type(self).__name__} must define build(self, hp).")

    def targets(self, model: Any, x: Any, y: Any) -> Any:
        """Return targets as `fit` gives them to a model: as they are, unless a space encodes them."""
        return y

    def __call__(self, hp: Any) -> Any:
        """Build, so that a space passes wherever a `build_model(hp)` function does."""
        return self.build(hp)

    def fit(self, hp: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
        """Train `model`.

        Args:
            hp: the trial's hyperparameters; new ones may be asked for here, such as a batch size.
            model: what `build(hp)` returned.
            *args: x and y, as `load_data` gave them.
            **kwargs: `validation_data`, `epochs`, `initial_epoch`, `callbacks`, `verbose` and whatever
                was passed to `search`; meant to be handed on to `model.fit`.

        Returns:
            The `History` of `model.fit`; or the objective as a number, or a dict of metrics with it, which is then the
            trial's score.
        """
        return model.fit(*args, **kwargs)

    def for_run(self, run: Run) -> SearchSpace:
        """Return the space that trains a run: itself, unless it has another one for each."""
        return self

    def parts_of_code(self) -> dict[str, Any]:
        """Return the functions that build and train, by name, as they were written; None where there is none."""
        return {"build": type(self).build, "fit": type(self).fit}

    @property
    def has_own_fit(self) -> bool:
        """Whether it trains in a way of its own."""
        return type(self).fit is not SearchSpace.fit

    @property
    def has_own_data(self) -> bool:
        """Whether it says what trials train on."""
        return type(self).load_data is not SearchSpace.load_data

    def load_data(self) -> Data:
        """Return the data that trials train and validate on."""
        raise DataError(
            f"'{self.name}' must have data to train on, but it defines no load_data(self). "
            "Define it, or pass x, y and validation_data to search()."
        )

    def __sklearn_clone__(self) -> SearchSpace:
        """Return the space itself: clones of an estimator share it, as training does not change it."""
        return self

    def load_baseline_data(self) -> Data:
        """Return what baselines are fitted on: the same samples, in double precision where `load_data` rounds them."""
        return self.load_data()

    def hypermodel(self) -> Any:
        """Return this space as a genuine `keras_tuner.HyperModel`, `fit` included."""
        import keras_tuner

        space = self

        class Wrapped(keras_tuner.HyperModel):
            def build(self, hp: Any) -> Any:
                return space.build(hp)

            def fit(self, hp: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
                return space.fit(hp, model, *args, **kwargs)

        return Wrapped(name=self.name)


class _GivenSpace(SearchSpace):
    """A space made of parts: a builder, a trainer, data, an objective."""

    def __init__(
        self,
        name: str,
        build: Callable[[Any], Any],
        fit: Callable[..., Any] | None,
        data: Callable[[], Data] | None,
        objective: str | Objective,
    ) -> None:
        super().__init__(name)
        self.objective = objective
        self._build, self._fit, self._data = build, fit, data

    def build(self, hp: Any) -> Any:
        return self._build(hp)

    def fit(self, hp: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
        if self._fit is None:
            return super().fit(hp, model, *args, **kwargs)
        return self._fit(hp, model, *args, **kwargs)

    def parts_of_code(self) -> dict[str, Any]:
        return {"build": self._build, "fit": self._fit}

    @property
    def has_own_fit(self) -> bool:
        kind = getattr(getattr(self._fit, "__func__", self._fit), "__module__", None)
        return self._fit is not None and not str(kind).startswith("keras_tuner.")

    @property
    def has_own_data(self) -> bool:
        return self._data is not None

    def load_data(self) -> Data:
        return super().load_data() if self._data is None else self._data()


def as_space(given: Any, data: Data | None = None) -> SearchSpace:
    """Return a `SearchSpace` made of a space, a `HyperModel` or a `build_model(hp)` function.

    Args:
        given: a `SearchSpace` instance or subclass, anything with a `build(hp)` method, or a function.
        data: used instead of the space's own data.

    Raises:
        SpaceError: `given` is none of these.
    """
    if isinstance(given, type):
        given = _made(given)
    if isinstance(given, SearchSpace) and data is None:
        return given
    build = None if _is_model(given) else getattr(given, "build", None) or (given if callable(given) else None)
    if build is None:
        rule = "be a SearchSpace, a HyperModel or a build_model(hp) function"
        what = f"a {type(given).__name__}" if _is_model(given) else type(given).__name__
        advice = "Every trial needs a model of its own: write a function that builds it." if _is_model(given) else ""
        raise SpaceError(f"`space` must {rule}, but got {what}. {advice}".rstrip())
    function = getattr(given, "func", given)  # of a functools.partial
    name = getattr(given, "name", None) or getattr(function, "__name__", None) or type(given).__name__
    load = None if data is None else lambda: data
    objective = getattr(given, "objective", "val_loss")
    space = _GivenSpace(_file_name(str(name)), build, getattr(given, "fit", None), load, objective)
    space.patience = getattr(given, "patience", None)
    space.epochs = getattr(given, "epochs", None)
    space.scale_targets = bool(getattr(given, "scale_targets", False))
    space.callbacks = getattr(given, "callbacks", None)
    return space


def _made(kind: type) -> Any:
    """Return an instance of a class that was given in place of one."""
    try:
        return kind()
    except TypeError as error:
        raise SpaceError(
            f"`space` must be a space or a class that is made without arguments, but {kind.__name__}() raises: "
            f"{error}. Give an instance, {kind.__name__}(...)."
        ) from None


def _is_model(given: Any) -> bool:
    """Tell whether `given` is a Keras model, without importing Keras."""
    return hasattr(given, "trainable_weights") and hasattr(given, "compile")


def _file_name(name: str) -> str:
    """Return `name` with every character replaced that a folder's name must not have."""
    return "".join(c if c.isalnum() or c in "._-" else "_" for c in name).strip("_.") or "space"
