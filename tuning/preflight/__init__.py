"""Preflight: look at a search before trial 0, and refuse one that can only waste time.

`check` is the whole of it: it finds every hyperparameter of the space, and checks data (`labels`) and
objective with one batch. Nothing is stored and no epoch is spent. `hyperparameters_of` does no more than find them.
"""

from tuning.preflight.check import Findings, check, hyperparameters_of

__all__ = ["Findings", "check", "hyperparameters_of"]
