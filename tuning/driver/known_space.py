"""The hyperparameters that a search knows by now: those of its definition, and those that trials met first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tuning.hyperparameters import Hyperparameter
from tuning.records.trial import Trial


class KnownSpace:
    """Hyperparameters that become more while trials are trained.

    Args:
        hyperparameters: known before the first trial.
    """

    def __init__(self, hyperparameters: tuple[Hyperparameter, ...]) -> None:
        self.hyperparameters = hyperparameters

    def learn(self, trial: Trial) -> None:
        """Take in what a trial has met first."""
        self.hyperparameters += tuple(map(Hyperparameter.from_json, trial.found))

    def new(
        self, space: Sequence[Mapping[str, Any]], found: Sequence[Mapping[str, Any]]
    ) -> tuple[Mapping[str, Any], ...]:
        """Return the hyperparameters (JSON) that no trial had met before, nor this one, which has `found` some."""
        known = {h.key for h in (*self.hyperparameters, *map(Hyperparameter.from_json, found))}
        return tuple(record for record in space if Hyperparameter.from_json(record).key not in known)
