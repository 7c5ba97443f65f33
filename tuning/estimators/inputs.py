"""Samples as an estimator takes them: checked by scikit-learn, in the type that the model is given.

Owns which type that is. Numbers get Keras's precision. Whole numbers stay what they are, because float32 tells none
apart beyond 2^24, and so do texts. A dict of arrays, or a list of them, each with two axes or more, is the inputs of a
model that has several. Sparse matrices stay sparse, as rows.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_array
from sklearn.utils.validation import check_X_y, validate_data

from tuning.errors import OptionError, must

EXACT = 2**24
"""Up to here float32 tells whole numbers apart."""


class Unchanged(BaseEstimator):
    """A transformer that leaves samples of any structure as they are."""

    def fit(self, X: Any, y: Any = None) -> Unchanged:
        """Learn nothing."""
        return self

    def transform(self, X: Any) -> Any:
        """Return `X`."""
        return X


def are_several(X: Any) -> bool:
    """Tell whether samples are several inputs: a dict, or a list of arrays with two axes or more."""
    if hasattr(X, "shape"):  # a sparse matrix may be a dict, too
        return False
    return isinstance(X, Mapping) or (
        isinstance(X, (list, tuple)) and bool(X) and all(getattr(one, "ndim", 0) >= 2 for one in X)
    )


def checked(estimator: Any, X: Any, y: Any = None, *, reset: bool = False, fitted: Any = None, **checks: Any) -> Any:
    """Return samples as arrays, and with `y` targets, as scikit-learn checks them.

    Args:
        estimator: whose `n_features_in_` and `feature_names_in_` are compared, or set with `reset`.
        X: samples, [n, ...], or several inputs.
        y: targets; None for samples alone.
        reset: whether the estimator begins anew.
        fitted: the type that samples had in `fit`; None in `fit`.
        **checks: of `validate_data`.

    Raises:
        ValueError: they are no numbers or texts, or not as in `fit`.
    """
    if are_several(X):
        return _several(X, y, fitted, **checks)
    if fitted is not None and isinstance(fitted, (dict, list)):
        raise OptionError(must("X", "be the same inputs as in fit", type(X).__name__))
    given = {} if y is None and not reset else {"y": y}
    is_column = _is_text(X) and np.ndim(X) == 1
    as_rows = {"dtype": dtype_for(X, fitted), "allow_nd": True, "accept_sparse": "csr", "ensure_2d": not is_column}
    return validate_data(estimator, X, **given, reset=reset, **as_rows, **checks)


def dtype_for(X: Any, fitted: Any = None) -> Any:
    """Return the type that samples get; texts are objects, which is how TensorFlow knows them."""
    floating = keras.config.floatx()
    if fitted is not None and np.dtype(fitted).kind == "f":
        return floating
    if _is_text(X):
        return object
    array = X.tocsr().data if is_sparse(X) else np.asarray(X) if hasattr(X, "__array__") else np.empty(0)
    if array.dtype.kind in "iu":
        return array.dtype
    if array.dtype.kind in "fO" and floating == "float32" and _collapses(array):
        warnings.warn(
            f"`X` has whole numbers beyond {EXACT} as floats, and float32 does not tell them apart. Give identifiers "
            "as whole numbers, in an array or an input of their own.",
            UserWarning,
            stacklevel=2,
        )
    return floating


def _is_text(X: Any) -> bool:
    array = np.asarray(X) if hasattr(X, "__array__") or (isinstance(X, list) and X and isinstance(X[0], str)) else None
    if array is None or array.dtype.kind != "O":
        return array is not None and array.dtype.kind in "US"
    return bool(array.size) and all(isinstance(x, str) for x in array.flat)


def _collapses(array: np.ndarray) -> bool:
    try:
        array = array.astype("float64")
    except (TypeError, ValueError):  # objects that are no numbers, which will be said
        return False
    large = array[np.isfinite(array) & (np.abs(array) > EXACT)]
    whole = large[large == np.floor(large)]
    return bool((whole.astype("float32") != whole).any())


def _several(X: Any, y: Any, fitted: Any, **checks: Any) -> Any:
    inputs = dict(X) if isinstance(X, Mapping) else list(X)
    types: Any = [None] * len(inputs) if isinstance(inputs, list) else dict.fromkeys(inputs)
    types = types if fitted is None else fitted
    if (
        not isinstance(types, type(inputs))
        or len(types) != len(inputs)
        or (isinstance(inputs, dict) and set(inputs) != set(types))
    ):
        raise OptionError(must("X", "be the same inputs as in fit", type(X).__name__))
    names = inputs if isinstance(inputs, dict) else range(len(inputs))
    made = {
        n: check_array(
            inputs[n], dtype=dtype_for(inputs[n], types[n]), allow_nd=True, ensure_2d=False, accept_sparse="csr"
        )
        for n in names
    }
    arrays: Any = made if isinstance(inputs, dict) else list(made.values())
    lengths = {one.shape[0] for one in made.values()}
    if len(lengths) > 1:
        raise OptionError(must("X", "have as many samples in each input", sorted(lengths)))
    if y is None:
        return arrays
    _, y = check_X_y(np.zeros((lengths.pop(), 1)), y, **checks)
    return arrays, y


def of_all(function: Any, X: Any) -> Any:
    """Return what `function` gives for the samples, or for each of several inputs."""
    return keras.tree.map_structure(function, X) if isinstance(X, (dict, list, tuple)) else function(X)


def trainable(X: Any) -> Any:
    """Return samples as `Model.fit` takes them: texts in columns as tensors, because of arrays it takes but rows."""

    def taken(array: Any) -> Any:
        is_texts = array.dtype == object and array.ndim > 1
        return keras.ops.convert_to_tensor(array, dtype="string") if is_texts else array

    return of_all(taken, X)


def n_samples(X: Any) -> int:
    """Return the number of samples."""
    return int((keras.tree.flatten(X)[0] if isinstance(X, (dict, list, tuple)) else X).shape[0])


def is_sparse(X: Any) -> bool:
    """Tell whether samples, or one of several inputs, are a sparse matrix of SciPy's."""
    if hasattr(X, "tocsr"):  # one kind is a dict, too
        return True
    return isinstance(X, (dict, list, tuple)) and any(hasattr(part, "tocsr") for part in keras.tree.flatten(X))


def dense_rows(array: Any, start: int, stop: int) -> Any:
    """Return rows of one input as an array."""
    return array.tocsr()[start:stop].toarray() if hasattr(array, "tocsr") else array[start:stop]


def chosen(X: Any, rows: Any) -> Any:
    """Return some rows of samples, or of each of several inputs."""
    return of_all(lambda a: a[rows], X)


def blank(X: Any) -> Any:
    """Return one sample of nothing, of the same form, whose arrays are dense."""
    return of_all(lambda a: blank_rows(1, a), X)


def blank_rows(n: int, like: Any) -> Any:
    """Return `n` rows of zeros, or of empty texts, for an array."""
    return np.full((n, *like.shape[1:]), "" if like.dtype.kind in "OUS" else 0, like.dtype)
