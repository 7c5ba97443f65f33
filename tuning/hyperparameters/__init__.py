"""Hyperparameters as frozen records: names, legal values and conditions."""

from tuning.hyperparameters.hyperparameter import Condition, Hyperparameter, Kind

__all__ = ["Condition", "Hyperparameter", "Kind"]
