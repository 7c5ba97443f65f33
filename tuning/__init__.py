"""Hyperparameter search for Keras: one `build_model(hp)`, every engine, every trial in TensorBoard.

Public names are imported when they are first used, so that `import tuning` loads neither TensorFlow nor
Optuna.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tuning.errors import refuse_unsupported_systems

if TYPE_CHECKING:
    from tuning.api import open, search
    from tuning.data import Data
    from tuning.driver.observer import Observer
    from tuning.errors import TuningError
    from tuning.estimators import KerasClassifier, KerasRegressor, TunedClassifier, TunedRegressor
    from tuning.estimators.grids import param_distributions, param_grid
    from tuning.final import Final, finalize, predict
    from tuning.records.objective import Objective
    from tuning.records.trial import State, Trial
    from tuning.report import write_report
    from tuning.space import HyperParameters, SearchSpace
    from tuning.study import Study, load
    from tuning.tools.baselines import Baseline, baseline
    from tuning.tools.range_test import RangeTest, range_test

_ROOMS = ("observers",)
"""Packages that are reached as `tuning.NAME` without being imported."""

__version__ = "0.1.0"

_HOMES = {
    "Baseline": "tuning.tools.baselines",
    "Data": "tuning.data",
    "Final": "tuning.final",
    "HyperParameters": "tuning.space",
    "KerasClassifier": "tuning.estimators",
    "KerasRegressor": "tuning.estimators",
    "Objective": "tuning.records.objective",
    "Observer": "tuning.driver.observer",
    "RangeTest": "tuning.tools.range_test",
    "SearchSpace": "tuning.space",
    "State": "tuning.records.trial",
    "Study": "tuning.study",
    "Trial": "tuning.records.trial",
    "TunedClassifier": "tuning.estimators",
    "TunedRegressor": "tuning.estimators",
    "TuningError": "tuning.errors",
    "baseline": "tuning.tools.baselines",
    "finalize": "tuning.final",
    "load": "tuning.study",
    "open": "tuning.api",
    "param_distributions": "tuning.estimators.grids",
    "param_grid": "tuning.estimators.grids",
    "predict": "tuning.final",
    "range_test": "tuning.tools.range_test",
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
    "open",
    "param_distributions",
    "param_grid",
    "predict",
    "range_test",
    "search",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name != "TuningError":
        refuse_unsupported_systems()
    if name in _ROOMS:
        return import_module(f"tuning.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'tuning' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES, *_ROOMS])
