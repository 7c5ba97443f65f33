"""Observers that tell trackers of experiments what happens in a search: `MLflow` and `WandB`.

Each is given to a search, `tuning.search(..., observers=[tuning.observers.MLflow()])`, and writes every trial while it
is trained. `base` owns what is told of a trial, `mlflow` and `wandb` how. An observer of one's own is a subclass of
`tuning.Observer`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tuning.observers.mlflow import MLflow
    from tuning.observers.wandb import WandB

_HOMES = {
    "MLflow": "tuning.observers.mlflow",
    "WandB": "tuning.observers.wandb",
}

__all__ = ["MLflow", "WandB"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tuning.observers' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
