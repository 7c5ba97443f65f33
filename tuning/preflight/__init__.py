"""Preflight: look at a search before trial 0, and refuse one that can only waste time.

`check` is the whole of it: it finds every hyperparameter of the space, and checks data (`labels`) and
objective with one batch. Nothing is stored and no epoch is spent.
"""

from tuning.preflight.check import Findings, check

__all__ = ["Findings", "check"]
