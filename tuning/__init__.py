"""Hyperparameter search for Keras: one `build_model(hp)`, every engine, every trial in TensorBoard.

Public names are imported when they are first used, so that `import tuning` loads neither TensorFlow nor
Optuna.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tuning.api import search
    from tuning.baselines import Baseline, baseline
    from tuning.data import Data
    from tuning.errors import TuningError
    from tuning.estimators import KerasClassifier, KerasRegressor, TunedClassifier, TunedRegressor
    from tuning.final import Final, finalize, predict
    from tuning.grids import param_distributions, param_grid
    from tuning.learning_rates import RangeTest, range_test
    from tuning.objective import Objective
    from tuning.observer import Observer
    from tuning.report import write_report
    from tuning.space import HyperParameters, SearchSpace
    from tuning.study import Study, load
    from tuning.trial import State, Trial

__version__ = "0.1.0"

_HOMES = {
    "Baseline": "tuning.baselines",
    "Data": "tuning.data",
    "Final": "tuning.final",
    "HyperParameters": "tuning.space",
    "KerasClassifier": "tuning.estimators",
    "KerasRegressor": "tuning.estimators",
    "Objective": "tuning.objective",
    "Observer": "tuning.observer",
    "RangeTest": "tuning.learning_rates",
    "SearchSpace": "tuning.space",
    "State": "tuning.trial",
    "Study": "tuning.study",
    "Trial": "tuning.trial",
    "TunedClassifier": "tuning.estimators",
    "TunedRegressor": "tuning.estimators",
    "TuningError": "tuning.errors",
    "baseline": "tuning.baselines",
    "finalize": "tuning.final",
    "load": "tuning.study",
    "param_distributions": "tuning.grids",
    "param_grid": "tuning.grids",
    "predict": "tuning.final",
    "range_test": "tuning.learning_rates",
    "search": "tuning.api",
    "write_report": "tuning.report",
}

__all__ = [
    "Baseline",
    "Data",
    "Final",
    "HyperParameters",
    "KerasClassifier",
    "KerasRegressor",
    "Objective",
    "Observer",
    "RangeTest",
    "SearchSpace",
    "State",
    "Study",
    "Trial",
    "TunedClassifier",
    "TunedRegressor",
    "TuningError",
    "baseline",
    "finalize",
    "load",
    "param_distributions",
    "param_grid",
    "predict",
    "range_test",
    "search",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tuning' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
