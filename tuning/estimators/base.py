"""What the estimators have in common: the order of events in `fit`, predicting, pickling.

Owns all of it; of SciKeras there is the family and the names (see `sci_keras`). What differs from SciKeras's own
estimators:

- training is that of trials: compiled epochs;
- checks of data are scikit-learn's `validate_data`;
- seeds: SciKeras slows TensorFlow down to determinism, and takes 0 for every `RandomState`;
- pickling: the model is built by its space and given its weights, so custom layers need no registration, and the
  optimizer's state is kept;
- predicting traces nothing and gives a sample the same result in any company.
"""

from __future__ import annotations

import contextlib
import copy
import tempfile
from collections.abc import Iterator, Mapping
from numbers import Number
from pathlib import Path
from typing import Any

import keras
import numpy as np
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted

from tuning.data import Data
from tuning.driver.plan import EPOCHS
from tuning.errors import OptionError, SpaceError, must, raise_all
from tuning.estimators import inputs
from tuning.estimators.inputs import Unchanged, blank, chosen, of_all, trainable
from tuning.estimators.outputs import outputs
from tuning.estimators.parameters import ONE_THREAD, SpaceParameters
from tuning.estimators.sci_keras import FIT, Wrapper, callbacks, routed
from tuning.executors.machine import take_share
from tuning.space import BoundSpace, HyperParameters
from tuning.training import checkpoints
from tuning.training.fit import assembled, fit_space
from tuning.training.models import ensure_built
from tuning.training.options import TrainingOptions
from tuning.training.outcome import is_number, returned_epochs
from tuning.training.seeding import generators_kept, seed_keras

take_share()  # TensorFlow counts its threads once, at its first operation

_EPOCHS = ("epochs", "initial_epoch")


class KerasEstimator(SpaceParameters, Wrapper):
    """What both have in common; see `KerasClassifier`."""

    fit_names = FIT
    """Parameters that go to `Model.fit` by their own names."""

    def __init__(
        self,
        space: Any,
        *,
        epochs: int | None = None,
        batch_size: int | None = None,
        validation_split: float = 0.0,
        shuffle: bool = True,
        callbacks: Any = None,
        verbose: int = 0,
        warm_start: bool = False,
        random_state: Any = None,
        compiled: bool = True,
        **values: Any,
    ) -> None:
        self.space = space
        self.epochs = epochs
        self.batch_size = batch_size
        self.validation_split = validation_split
        self.shuffle = shuffle
        self.callbacks = callbacks
        self.verbose = verbose
        self.warm_start = warm_start
        self.random_state = random_state
        self.compiled = compiled
        self._values = values

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.three_d_array = tags.input_tags.sparse = True
        return tags

    # Training -----------------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any, sample_weight: Any = None, **options: Any) -> Any:
        """Build the model and train it; with `warm_start`, train the model that is there.

        Args:
            X: samples, [n, n_features] or with more axes.
            y: targets, [n], [n, 1] or, for regression, [n, n_outputs].
            sample_weight: weight of each sample in the loss, [n].
            **options: further keyword arguments of `model.fit`.
        """
        options = {"epochs": self._n_epochs(), "initial_epoch": 0, **options}
        self._fit(X, y, sample_weight, self.warm_start, **options)
        return self

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, **options: Any) -> Any:
        """Train for one epoch; build the model where there is none.

        Args:
            X, y, sample_weight: as for `fit`.
            **options: further keyword arguments of `model.fit`.
        """
        raise_all([f"`{n}` must be left out: partial_fit trains for one." for n in _EPOCHS if n in options])
        self._fit(X, y, sample_weight, True, epochs=1, initial_epoch=self.current_epoch, **options)
        return self

    def _n_epochs(self) -> int:
        epochs = self._settings()["epochs"]
        return int(self._values.get("fit__epochs", EPOCHS if epochs is None else epochs))

    @property
    def current_epoch(self) -> int:
        """Number of epochs trained, as `history_` tells it."""
        return max((len(values) for values in getattr(self, "history_", {}).values()), default=0)

    @property
    def initialized_(self) -> bool:
        """Whether there is a model."""
        return "model_" in vars(self)

    def _fit(self, X: Any, y: Any, sample_weight: Any, warm_start: bool, **options: Any) -> None:
        """Check the data, build the model unless it goes on with the one that is there, and train it."""
        goes_on = (warm_start or self.warm_start) and self.initialized_
        with self._seeded(afresh=not goes_on):
            X, y = self._validate_data(X, y) if goes_on else self._initialize(X, y)
            _refuse_uncompiled(self.model_)
            if sample_weight is not None:
                X, y, sample_weight = _weighted(X, y, sample_weight)
            y = self.target_encoder_.transform(y)
            X = self.feature_encoder_.transform(X)
            self.check_model()
            self._fit_keras_model(X, y, sample_weight=sample_weight, warm_start=warm_start, **options)

    def initialize(self, X: Any, y: Any = None) -> Any:
        """Build the model and train nothing."""
        with self._seeded(afresh=True):
            self._initialize(X, y)
        return self

    @contextlib.contextmanager
    def _seeded(self, afresh: bool) -> Iterator[None]:
        """Seed initial weights, shuffling and dropout, as for a trial; leave other generators as they were.

        The generators are the process's, so of several threads one trains at a time.
        """
        if afresh:
            is_seed = isinstance(self.random_state, (int, np.integer))
            drawn = self.random_state if is_seed else check_random_state(self.random_state).randint(2**31 - 1)
            self._seed = int(drawn)
        with ONE_THREAD, generators_kept():
            seed_keras(self._seed)
            yield

    @property
    def feature_encoder(self) -> Any:
        """What samples go through on their way to the model: nothing; a subclass may have a transformer here."""
        return Unchanged()

    def _initialize(self, X: Any, y: Any = None) -> tuple[Any, Any]:
        for name in ("model_", "history_"):
            if name in vars(self):
                delattr(self, name)
        X, y = self._validate_data(X, y, reset=True)
        self.target_encoder_ = self.target_encoder.fit(y)
        self.feature_encoder_ = self.feature_encoder.fit(X)
        for encoder in (self.target_encoder_, self.feature_encoder_):
            self.__dict__.update(getattr(encoder, "get_metadata", dict)())
        self._sample = blank(self.feature_encoder_.transform(chosen(X, slice(1))))
        model = self._build_keras_model()
        _refuse_uncompiled(model)
        if hasattr(self.target_encoder_, "suit"):
            self.target_encoder_.suit(model, width_of(model, self._sample))
        self._initialize_callbacks()
        self.model_ = model
        return X, y

    def _initialize_callbacks(self) -> None:
        """Make the callbacks; the parameters stay as they are, because a callback that was used holds its model."""
        params = self._settings()
        shared = callbacks(params, "callbacks")
        self._fit_callbacks = copy.deepcopy([*shared, *callbacks(params, "fit__callbacks")])
        self._predict_callbacks = copy.deepcopy([*shared, *callbacks(params, "predict__callbacks")])

    def _build_keras_model(self) -> Any:
        values = self._space_values()
        self._bound = BoundSpace(self.space, self._get_metadata())
        self._hp = HyperParameters(values)
        model = self._bound.build(self._hp)
        for name in self._values:
            self._refuse_unknown(name, self._hp.used)
        if not isinstance(model, keras.Model):
            raise SpaceError(must("build", "return a keras.Model", model))
        return model

    def _get_metadata(self) -> dict[str, Any]:
        """Return what a `build(hp, meta)` is told: what `fit` has found out, without the objects in it."""
        public = {name: value for name, value in vars(self).items() if name[0] != "_" and name[-1] == "_"}
        return {name: value for name, value in public.items() if name != "model_" and not name.endswith("encoder_")}

    def check_model(self) -> None:
        """Refuse a model whose output does not fit the targets; builds one that builds itself."""
        width = width_of(self.model_, self._sample)
        if width is not None and hasattr(self.target_encoder_, "check"):
            self.target_encoder_.check(width)

    def _fit_keras_model(
        self, X: Any, y: Any, sample_weight: Any, warm_start: bool, epochs: int, initial_epoch: int, **options: Any
    ) -> None:
        params = self._settings()
        names = self.fit_names - {h.name for h in self._hyperparameters()} - {"epochs"}
        given = {
            k: v for k, v in routed(params, "fit", names).items() if v is not None and k not in ("callbacks", "epochs")
        }
        if isinstance(options.get("validation_data"), (list, tuple)):
            options["validation_data"] = self.encoded(*options["validation_data"])
        own = [*self._fit_callbacks, *(options.pop("callbacks", None) or ())]  # copies already, or of this call alone
        told = TrainingOptions(
            self.compiled,
            anneal=vars(self).get("_anneal"),
            fit_options={**given, **options, "callbacks": lambda folder: own},
        )
        with tempfile.TemporaryDirectory(prefix="tuning-") as folder:
            outcome = fit_space(
                self._bound,
                self._hp,
                self.model_,
                Data(trainable(X), y, sample_weight=sample_weight),
                epochs=initial_epoch + epochs,
                initial_epoch=initial_epoch,
                **assembled(self._bound, self.model_, told, None, Path(folder)),
            )
        vars(self.model_).pop("fit", None)  # Keras's own again
        if not warm_start or initial_epoch == 0:
            self.history_: dict[str, list[Any]] = {}
        for metrics in returned_epochs(outcome, "loss"):
            for name, value in metrics.items():
                kept = float(value) if is_number(value) else np.asarray(value).tolist()  # a value a class
                self.history_.setdefault(name, []).append(kept)

    def encoded(self, X: Any, y: Any, *weights: Any) -> tuple[Any, ...]:
        """Return samples, targets and weights as the model is given them."""
        X, y = self._validate_data(X, y)
        return (trainable(self.feature_encoder_.transform(X)), self.target_encoder_.transform(y), *weights)

    def numbered(self, X: Any, y: Any) -> tuple[Any, Any]:
        """Return samples as a model is given them, and targets as no model needs them otherwise."""
        X, y = self._validate_data(X, y)
        return self.feature_encoder_.transform(X), self.target_encoder_.numbers(y)

    def _validate_data(self, X: Any = None, y: Any = None, reset: bool = False, y_numeric: bool = False) -> Any:
        """Return X and y as arrays, checked by scikit-learn; with `reset`, remember what they are like."""
        X, y = inputs.checked(
            self,
            X,
            y,
            reset=reset,
            fitted=None if reset else vars(self)["X_dtype_"],
            multi_output=y_numeric or is_indicator(y),
            y_numeric=y_numeric,
        )
        if reset:
            self.X_shape_, self.X_dtype_ = of_all(lambda a: a.shape, X), of_all(lambda a: a.dtype, X)
            self.y_dtype_, self.y_ndim_ = y.dtype, y.ndim
        self._check_shape(X)
        return X, y

    def _check_shape(self, X: Any) -> None:
        shape, expected = of_all(lambda a: a.shape[1:], X), self.X_shape_
        expected = expected[1:] if hasattr(X, "shape") and isinstance(expected, tuple) else None
        if hasattr(X, "shape") and shape != expected:
            raise OptionError(must("X", f"have samples of shape {expected}, as in fit", shape))

    # Predicting -------------------------------------------------------------------------------------------

    def predict(self, X: Any, **options: Any) -> Any:
        """Return predictions: [n], or [n, n_outputs] for several targets.

        Args:
            X: samples, [n, ...].
            **options: keyword arguments of `Model.predict`, which then predicts.
        """
        raw = self._predict_raw(X, **options)
        return self.target_encoder_.inverse_transform(raw)

    def _predict_raw(self, X: Any, **options: Any) -> Any:
        """Return the model's outputs, [n, ...]."""
        check_is_fitted(self, "model_")
        X = inputs.checked(self, X, fitted=self.X_dtype_)
        self._check_shape(X)
        X = self.feature_encoder_.transform(X)
        options = {**routed(self._values, "predict"), **options}
        options.pop("callbacks", None)
        if options or self._predict_callbacks != []:
            given = {"batch_size": self.batch_size, "verbose": self.verbose, "callbacks": self._predict_callbacks}
            return self.model_.predict(trainable(X), **{**given, **options})
        return outputs(self.model_, X)

    # Pickling ---------------------------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        for name in ("_fit_callbacks", "_predict_callbacks"):
            state.pop(name, None)
        model = state.pop("model_", None)
        if model is not None:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / f"model{checkpoints.SUFFIX}"
                checkpoints.save(model, path)
                state["_weights"] = path.read_bytes()
        return state

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        state = dict(state)
        weights = state.pop("_weights", None)
        super().__setstate__(state)
        if weights is None:
            return
        with generators_kept(), tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"model{checkpoints.SUFFIX}"
            path.write_bytes(weights)
            model = self._bound.build(HyperParameters(self._hp.used))
            ensure_built(model, self._sample)
            checkpoints.restore(model, path)
        self.model_ = model
        self._initialize_callbacks()


def _refuse_uncompiled(model: Any) -> None:
    if not model.compiled:
        raise SpaceError("the model must be compiled, but is not. Call model.compile(...) in build_model(hp).")


def is_indicator(y: Any) -> bool:
    """Tell whether targets are rows, one column a label."""
    shape: Any = np.shape(y) if hasattr(y, "__len__") or hasattr(y, "shape") else ()
    return len(shape) == 2 and shape[1] > 1


def width_of(model: Any, sample: Any) -> int | None:
    """Return the number of a model's outputs; None for one with several output layers. Builds one that builds itself.

    Args:
        sample: what it is given, as a batch of one.
    """
    ensure_built(model, sample)
    shape = getattr(model, "output_shape", None)
    sizes = list(shape) if isinstance(shape, tuple) else []
    if not sizes or isinstance(sizes[0], tuple):
        return None
    return int(sizes[-1]) if len(sizes) > 1 else 1


def sample_weights(given: Any, n: int) -> Any:
    """Return weights of `n` samples as an array [n] in Keras's precision; a number counts for all of them.

    Raises:
        ValueError: they are no numbers, or not as many.
    """
    dtype = keras.config.floatx()
    if isinstance(given, Number):
        return np.full(n, given, dtype)
    weights = check_array(given, ensure_2d=False, allow_nd=True, dtype=dtype, input_name="sample_weight")
    if weights.shape != (n,):
        raise OptionError(must("sample_weight", f"be a number, or numbers of shape {(n,)}", weights.shape))
    return weights


def _weighted(X: Any, y: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
    """Return the samples that have a weight, their targets and weights."""
    weights = sample_weights(sample_weight, len(y))
    has_some = weights != 0
    if not has_some.any():
        raise OptionError(
            "`sample_weight` must hold a number that is not zero, but got only zeros: nothing would train."
        )
    return chosen(X, has_some), y[has_some], weights[has_some]
