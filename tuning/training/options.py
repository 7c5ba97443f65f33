"""How the runs of a search are trained, besides what tells one run from another.

Owns the record that a search makes once and every one of its tasks carries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tuning.records.constraint import Constraint
from tuning.training.summaries import Log


@dataclass(frozen=True)
class TrainingOptions:
    """What all runs of a search have in common.

    Attributes:
        compiled: whether to run epochs as compiled programs where that is possible.
        uses_keras: whether the space builds Keras models; otherwise Keras is not imported.
        patience: epochs without a better objective after which a run ends; None for never.
        anneal: epochs over which the learning rate falls to nearly zero; None to leave it alone.
        resources: what is to be measured of the trained model; see `tuning.training.resources`.
        limits: constraints that are known before training; a model that breaks one is not trained.
        fit_options: further keyword arguments of `fit`, `callbacks` among them.
        log: what to write for TensorBoard besides curves and hyperparameters.
    """

    compiled: bool = True
    uses_keras: bool = True
    patience: int | None = None
    anneal: int | None = None
    resources: tuple[str, ...] = ()
    limits: tuple[Constraint, ...] = ()
    fit_options: Mapping[str, Any] = field(default_factory=dict)
    log: Log = Log()
