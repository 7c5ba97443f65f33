"""A space that has been told about the data.

Owns the third argument that a space may want: `build(hp, meta)` or `build_model(hp, meta)` gets what `fit` of an
estimator found out, under SciKeras's names, so that one function serves data of any size.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tuning.space.resolve import resolve
from tuning.space.search_space import SearchSpace, as_space

if TYPE_CHECKING:
    from tuning.data import Data

ANY_META: Mapping[str, Any] = {
    "n_features_in_": 2,
    "X_shape_": (2, 2),
    "n_classes_": 2,
    "classes_": (0, 1),
    "n_outputs_": 1,
    "n_outputs_expected_": 1,
    "target_type_": "binary",
    "X_dtype_": "float32",
    "y_dtype_": "int64",
    "y_ndim_": 1,
}
"""Stands for the data while there are none: a model is built to see which hyperparameters it asks for."""


class BoundSpace(SearchSpace):
    """A space, and what is known about the data.

    Args:
        given: a `SearchSpace`, a KerasTuner `HyperModel`, a function `build_model(hp)` or `build_model(hp, meta)`,
            or the name of a space.
        meta: what is known, by SciKeras's names; see `ANY_META`.
    """

    def __init__(self, given: Any, meta: Mapping[str, Any] = ANY_META) -> None:
        given = resolve(given) if isinstance(given, str) else given
        given = given() if isinstance(given, type) else given
        self.inner = as_space(given)
        super().__init__(self.inner.name)
        for name in ("objective", "description", "imports", "patience", "epochs", "callbacks", "scale_targets"):
            setattr(self, name, getattr(self.inner, name))
        self.meta = dict(meta)
        self._build = getattr(given, "build", given)

    def build(self, hp: Any) -> Any:
        return self._build(hp, meta=self.meta) if _takes_meta(self._build) else self.inner.build(hp)

    @property
    def has_own_fit(self) -> bool:
        return self.inner.has_own_fit

    @property
    def has_own_data(self) -> bool:
        return self.inner.has_own_data

    def load_data(self) -> Data:
        return self.inner.load_data()

    def fit(self, hp: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
        return self.inner.fit(hp, model, *args, **kwargs)


def _takes_meta(build: Any) -> bool:
    try:
        return "meta" in inspect.signature(build).parameters
    except (TypeError, ValueError):  # a builtin
        return False
