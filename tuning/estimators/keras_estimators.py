"""`KerasClassifier` and `KerasRegressor`: a space, at given hyperparameters, as an estimator of scikit-learn.

Owns the estimators. From SciKeras they have the order of events in `fit` and `partial_fit`, the target encoders'
interface, `meta`, and routed parameters (`fit__...`, `predict__...`, `callbacks__...`; `model__NAME` is another name of
the hyperparameter NAME). They are children of its `BaseWrapper`, not of its `KerasClassifier`: those put scikit-learn's
mixins last, and with them the tags are lost. Replaced are further

- training, which is that of trials: compiled epochs;
- checks of data, which are scikit-learn's `validate_data`;
- seeds: SciKeras slows TensorFlow down to determinism, and takes 0 for every `RandomState`;
- pickling: the model is built by its space and given its weights, so custom layers need no registration, and the
  optimizer's state is kept;
- predicting, which traces nothing and gives a sample the same result in any company.
"""

from __future__ import annotations

import contextlib
import copy
import inspect
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy
from scikeras._utils import route_params
from scikeras.wrappers import BaseWrapper
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from tuning.data import Data
from tuning.driver.plan import EPOCHS
from tuning.errors import OptionError, SpaceError, guess, must
from tuning.estimators.labels import ClassLabels, Quantities
from tuning.estimators.parameters import checked, hyperparameters_of
from tuning.space import BoundSpace, Hyperparameter, HyperParameters, active_values
from tuning.training import checkpoints
from tuning.training.fit import fit_space, returned_epochs
from tuning.training.models import ensure_built
from tuning.training.seeding import generators_kept

ROWS = 256
"""Samples in a batch of predictions."""

MULTIPLE = 32
"""Batches are filled up to a multiple of this: the CPU rounds a matrix's product otherwise for few rows."""


if "__sklearn_tags__" not in vars(BaseWrapper):
    # SciKeras 0.13 defines `_more_tags`, which scikit-learn 1.6 renamed, and scikit-learn refuses a family in which a
    # class has the old method only. This is what the class inherits anyway.
    BaseWrapper.__sklearn_tags__ = BaseEstimator.__sklearn_tags__


class _KerasEstimator(BaseWrapper):
    """What both have in common; see `KerasClassifier`."""

    _routing_prefixes = {"model", "fit", "predict", "callbacks"}

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

    __repr__ = BaseEstimator.__repr__

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.three_d_array = True
        return tags

    # Parameters -------------------------------------------------------------------------------------------

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the constructor's arguments and the hyperparameters of the space, by name."""
        params = {name: getattr(self, name) for name in self._own_names()}
        for h in self._hyperparameters():
            if params.get(h.name) is None and not h.is_fixed:
                params[h.name] = self._values.get(h.name, h.default)
        return {**params, **self._values}

    def set_params(self, **params: Any) -> Any:
        """Set arguments of the constructor and hyperparameters.

        Raises:
            OptionError: (a `ValueError`) a name is none of these.
        """
        own = self._own_names()
        for name in sorted(params, key="space".__ne__):  # the other names depend on the space
            if name in own:
                setattr(self, name, params[name])
            else:
                if name not in self._values:
                    self._refuse_unknown(name)
                self._values = {**self._values, name: params[name]}
        return self

    def __getattr__(self, name: str) -> Any:
        """Return a hyperparameter; only called for what is no attribute otherwise."""
        is_public = not name.startswith("_") and not name.endswith("_")
        if is_public and "_values" in vars(self) and name not in self._own_names():
            params = self.get_params()
            if name in params:
                return params[name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    @classmethod
    def _own_names(cls) -> list[str]:
        parameters = inspect.signature(cls.__init__).parameters.values()
        return [p.name for p in parameters if p.name != "self" and p.kind is not p.VAR_KEYWORD]

    def _hyperparameters(self) -> tuple[Hyperparameter, ...]:
        """Return those of the space; none while `space` is no space, which `fit` will say."""
        found = vars(self).get("_found")
        if found is None or found[0] is not self.space:
            try:
                found = self._found = (self.space, hyperparameters_of(self.space))
            except SpaceError:
                return ()
        return found[1]

    def _refuse_unknown(self, name: str, asked: Mapping[str, Any] | None = None) -> None:
        """Refuse a name that is neither a hyperparameter nor routed."""
        prefix, routed, rest = name.partition("__")
        known = [*(asked or {}), *self._own_names(), *(h.name for h in self._hyperparameters())]
        if name in known or (routed and prefix in self._routing_prefixes and (prefix != "model" or rest in known)):
            return
        rule = f"be a parameter of {type(self).__name__} or a hyperparameter of its space ({', '.join(sorted(known))})"
        raise OptionError(must("a parameter", rule, name, guess(name, known)))

    def _space_values(self) -> dict[str, Any]:
        """Return the value of every hyperparameter that applies, checked."""
        found = self._hyperparameters()
        names = {h.name for h in found}
        given = {name: value for name, value in self.get_params().items() if name in names or "__" not in name}
        given = {name: value for name, value in given.items() if name in names or name in self._values}
        given |= route_params(self._values, "model", set(), strict=True)
        values = checked(found, given)
        return active_values(found, values) | {name: values[name] for name in values if name not in names}

    # Training: SciKeras calls these -----------------------------------------------------------------------

    def fit(self, X: Any, y: Any, sample_weight: Any = None, **options: Any) -> Any:
        """Build the model and train it; with `warm_start`, train the model that is there.

        Args:
            X: samples, [n, n_features] or with more axes.
            y: targets, [n], [n, 1] or, for regression, [n, n_outputs].
            sample_weight: weight of each sample in the loss, [n].
            **options: further keyword arguments of `model.fit`.
        """
        options = {"epochs": self._n_epochs(), "initial_epoch": 0, **options}
        self._fit(X, y, sample_weight=sample_weight, warm_start=self.warm_start, **options)
        return self

    def _n_epochs(self) -> int:
        epochs = self.get_params()["epochs"]
        return int(self._values.get("fit__epochs", EPOCHS if epochs is None else epochs))

    @property
    def current_epoch(self) -> int:
        """Number of epochs trained, as `history_` tells it."""
        return max((len(values) for values in getattr(self, "history_", {}).values()), default=0)

    def _fit(self, X: Any, y: Any, sample_weight: Any, warm_start: bool, **options: Any) -> None:
        with self._seeded(afresh=not (warm_start and self.initialized_)):
            super()._fit(X, y, sample_weight=sample_weight, warm_start=warm_start, **options)

    def initialize(self, X: Any, y: Any = None) -> Any:
        """Build the model and train nothing."""
        with self._seeded(afresh=True):
            return super().initialize(X, y)

    @contextlib.contextmanager
    def _seeded(self, afresh: bool) -> Iterator[None]:
        """Seed initial weights, shuffling and dropout, as for a trial; leave other generators as they were."""
        if afresh:
            is_seed = isinstance(self.random_state, (int, numpy.integer))
            drawn = self.random_state if is_seed else check_random_state(self.random_state).randint(2**31 - 1)
            self._seed = int(drawn)
        with generators_kept():
            keras.utils.set_random_seed(self._seed)
            yield

    def _initialize(self, X: Any, y: Any = None) -> Any:
        for name in ("model_", "history_"):
            if name in vars(self):
                delattr(self, name)
        X, y = super()._initialize(X, y)
        self._ensure_compiled_model()
        self.target_encoder_.suit(self.model_)
        return X, y

    def _initialize_callbacks(self) -> None:
        super()._initialize_callbacks()
        # The parameter stays as it is: a callback that has been used holds its model.
        self._fit_callbacks: list[Any] = copy.deepcopy(vars(self)["_fit_callbacks"])
        self._predict_callbacks: list[Any] = copy.deepcopy(vars(self)["_predict_callbacks"])

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
        """Return what a `build(hp, meta)` is told: SciKeras's selection without the objects in it."""
        return {k: v for k, v in super()._get_metadata().items() if k != "model_" and not k.endswith("encoder_")}

    def _ensure_compiled_model(self) -> None:
        if not self.model_.compiled:
            raise SpaceError("the model must be compiled, but is not. Call model.compile(...) in build_model(hp).")

    def _check_model_compatibility(self, y: Any) -> None:
        self.check_model()

    def check_model(self) -> None:
        """Refuse a model whose output does not fit the targets; builds one that builds itself."""
        ensure_built(self.model_, numpy.zeros((1, *self.X_shape_[1:]), keras.config.floatx()))
        shape = getattr(self.model_, "output_shape", None)
        if isinstance(shape, tuple) and shape and not isinstance(shape[0], tuple):
            self.target_encoder_.check(shape[-1] if len(shape) > 1 else 1)

    def _fit_keras_model(
        self, X: Any, y: Any, sample_weight: Any, warm_start: bool, epochs: int, initial_epoch: int, **options: Any
    ) -> None:
        params = self.get_params()
        names = self._fit_kwargs - {h.name for h in self._hyperparameters()} - {"epochs"}
        routed = route_params(params, "fit", names, strict=True)
        given = {k: v for k, v in routed.items() if v is not None and k not in ("callbacks", "epochs")}
        if isinstance(options.get("validation_data"), (list, tuple)):
            options["validation_data"] = self.encoded(*options["validation_data"])
        outcome = fit_space(
            self._bound,
            self._hp,
            self.model_,
            Data(X, y, sample_weight=sample_weight),
            callbacks=[*self._fit_callbacks, *(options.pop("callbacks", None) or ())],
            compiled=self.compiled,
            epochs=initial_epoch + epochs,
            initial_epoch=initial_epoch,
            **{**given, **options},
        )
        vars(self.model_).pop("fit", None)  # Keras's own again
        if not warm_start or initial_epoch == 0:
            self.history_: dict[str, list[float]] = {}
        for metrics in returned_epochs(outcome, "loss"):
            for name, value in metrics.items():
                self.history_.setdefault(name, []).append(float(value))

    def encoded(self, X: Any, y: Any, *weights: Any) -> tuple[Any, ...]:
        """Return samples, targets and weights as the model is given them."""
        X, y = self._validate_data(X, y)
        return (self.feature_encoder_.transform(X), self.target_encoder_.transform(y), *weights)

    def _validate_data(self, X: Any = None, y: Any = None, reset: bool = False, y_numeric: bool = False) -> Any:
        """Return X and y as arrays, checked by scikit-learn; with `reset`, remember what they are like."""
        X, y = validate_data(
            self, X, y, reset=reset, dtype=keras.config.floatx(), allow_nd=True, multi_output=y_numeric,
            y_numeric=y_numeric,
        )  # fmt: skip
        if reset:
            self.X_shape_, self.X_dtype_, self.y_dtype_ = X.shape, X.dtype, y.dtype
        self._check_shape(X)
        return X, y

    def _check_shape(self, X: Any) -> None:
        if X.shape[1:] != self.X_shape_[1:]:
            raise OptionError(must("X", f"have samples of shape {self.X_shape_[1:]}, as in fit", X.shape[1:]))

    # Predicting -------------------------------------------------------------------------------------------

    def _predict_raw(self, X: Any, **options: Any) -> Any:
        """Return the model's outputs, [n, ...]."""
        check_is_fitted(self, "model_")
        X = validate_data(self, X, reset=False, dtype=keras.config.floatx(), allow_nd=True)
        self._check_shape(X)
        X = self.feature_encoder_.transform(X)
        options = {**route_params(self._values, "predict", set(), strict=True), **options}
        options.pop("callbacks", None)
        if options or self._predict_callbacks != []:
            given = {"batch_size": self.batch_size, "verbose": self.verbose, "callbacks": self._predict_callbacks}
            return self.model_.predict(X, **{**given, **options})
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
            ensure_built(model, numpy.zeros((1, *self.X_shape_[1:]), keras.config.floatx()))
            checkpoints.restore(model, path)
        self.model_ = model
        self._initialize_callbacks()


class KerasClassifier(ClassifierMixin, _KerasEstimator):
    """A classifier of scikit-learn, made of a space or a `build_model(hp)` function.

    The hyperparameters of the space are parameters of the estimator, with the space's defaults: `get_params`,
    `set_params`, `clone`, a Pipeline's `clf__n_hidden` and GridSearchCV know them, conditional ones too.

    Args:
        space: a `SearchSpace`, a KerasTuner `HyperModel`, a function `build_model(hp)`, or a space's name. A
            function or `build` with an argument `meta` is told about the data: `meta["n_features_in_"]`,
            `meta["n_classes_"]`, `meta["X_shape_"]` and so on, which are SciKeras's names.
        epochs: epochs to train; default: the space's hyperparameter of this name, or else 10.
        batch_size: samples for each gradient; default: the space's hyperparameter of this name, or else 32.
        validation_split: fraction of the samples, the last ones, that are validated on and not trained on.
        shuffle: whether to draw a new order of the samples for each epoch.
        callbacks: Keras callbacks, or their classes; each `fit` uses copies.
        verbose: what Keras prints: 0, 1 or 2.
        warm_start: whether `fit` goes on with the model that is there.
        random_state: seeds initial weights, shuffling and dropout. A whole number is the very seed that
            `keras.utils.set_random_seed` is given.
        compiled: run epochs as compiled programs where possible.
        class_weight: weight of each class in the loss, by label, or "balanced".
        **values: hyperparameters by name, and routed parameters such as `fit__validation_freq`.

    Attributes:
        model_: the trained `keras.Model`.
        history_: metrics by name, one value an epoch.
        classes_: labels, sorted.
        n_features_in_, feature_names_in_: of the samples.

    Raises:
        ValueError: the labels are no classes, or the model's outputs are not as many as the classes.
    """

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
        class_weight: Any = None,
        **values: Any,
    ) -> None:
        super().__init__(
            space, epochs=epochs, batch_size=batch_size, validation_split=validation_split, shuffle=shuffle,
            callbacks=callbacks, verbose=verbose, warm_start=warm_start, random_state=random_state,
            compiled=compiled, **values,
        )  # fmt: skip
        self.class_weight = class_weight

    @property
    def _fit_kwargs(self) -> set[str]:
        return BaseWrapper._fit_kwargs - {"class_weight"}  # it has become the samples' weights

    @property
    def target_encoder(self) -> ClassLabels:
        """Translates labels."""
        return ClassLabels(vars(self).get("_all_classes"))

    def fit(self, X: Any, y: Any, sample_weight: Any = None, **options: Any) -> KerasClassifier:
        """Build the model and train it; with `warm_start`, train the model that is there.

        Args:
            X: samples, [n, n_features] or with more axes.
            y: labels, numbers or strings, [n] or [n, 1].
            sample_weight: weight of each sample in the loss, [n].
            **options: further keyword arguments of `model.fit`.
        """
        self._all_classes = None
        return super().fit(X, y, self._weights_of(X, y, sample_weight), **options)

    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None, **options: Any
    ) -> KerasClassifier:
        """Train for one epoch; build the model where there is none.

        Args:
            X, y, sample_weight: as for `fit`.
            classes: all labels; needed by the first call when `y` lacks some.
            **options: further keyword arguments of `model.fit`.
        """
        if not self.initialized_:
            self._all_classes = classes
        return super().partial_fit(X, y, self._weights_of(X, y, sample_weight), **options)

    def predict_proba(self, X: Any, **options: Any) -> Any:
        """Return the probability of each class, [n, n_classes]."""
        return self._decoded(self._predict_raw(X, **options), return_proba=True)

    def _decoded(self, raw: Any, **options: Any) -> Any:
        return self.target_encoder_.inverse_transform(raw, **options)

    def _type_of_target(self, y: Any) -> str:
        return "binary" if len(numpy.unique(y)) == 2 else "multiclass"

    def _weights_of(self, X: Any, y: Any, sample_weight: Any) -> Any:
        """Return the samples' weights times those of their classes."""
        if self.class_weight is None or y is None:
            return sample_weight
        of_classes = compute_sample_weight(self.class_weight, numpy.ravel(y))
        return of_classes if sample_weight is None else of_classes * _check_sample_weight(sample_weight, X)


class KerasRegressor(RegressorMixin, _KerasEstimator):
    """A regressor of scikit-learn, made of a space or a `build_model(hp)` function.

    Arguments and attributes are those of `KerasClassifier`, without `class_weight` and `classes_`; `meta` has
    `n_outputs_`, the number of targets. Targets [n, n_outputs] give predictions of that shape, in the precision of
    the targets.
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    @property
    def target_encoder(self) -> Quantities:
        """Gives targets Keras's precision, and predictions the targets' own."""
        return Quantities()

    def _validate_data(self, X: Any = None, y: Any = None, reset: bool = False, y_numeric: bool = True) -> Any:
        return super()._validate_data(X, y, reset, y_numeric=True)


def outputs(model: Any, X: Any) -> Any:
    """Return what a model predicts, [n, ...]; a sample's does not depend on the others.

    Args:
        model: built; its layers are called, nothing is traced.
        X: samples, [n, ...].
    """
    parts = []
    for start in range(0, len(X), ROWS):
        rows = X[start : start + ROWS]
        missing = -len(rows) % MULTIPLE
        filled = numpy.concatenate([rows, numpy.zeros((missing, *rows.shape[1:]), rows.dtype)]) if missing else rows
        parts.append(keras.ops.convert_to_numpy(model(filled, training=False))[: len(rows)])
    return numpy.concatenate(parts)
