"""Estimators of scikit-learn: a space as a classifier or a regressor, and a whole search as one.

`parameters` finds the hyperparameters of a space without data, `labels` translates targets, `keras_estimators` and
`tuned` are the estimators, `results` puts trials in scikit-learn's form. TensorFlow, scikit-learn and SciKeras are
loaded when a name of this package is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tuning.estimators.keras_estimators import KerasClassifier, KerasRegressor
    from tuning.estimators.tuned import TunedClassifier, TunedRegressor

_HOMES = {
    "KerasClassifier": "tuning.estimators.keras_estimators",
    "KerasRegressor": "tuning.estimators.keras_estimators",
    "TunedClassifier": "tuning.estimators.tuned",
    "TunedRegressor": "tuning.estimators.tuned",
}

__all__ = ["KerasClassifier", "KerasRegressor", "TunedClassifier", "TunedRegressor"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tuning.estimators' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
