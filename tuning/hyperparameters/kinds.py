"""The table of all kinds of hyperparameters."""

from __future__ import annotations

from tuning.hyperparameters.base import Hyperparameter
from tuning.hyperparameters.boolean import Boolean
from tuning.hyperparameters.choice import Choice
from tuning.hyperparameters.fixed import Fixed
from tuning.hyperparameters.floating import Float
from tuning.hyperparameters.integer import Int

KINDS: dict[str, type[Hyperparameter]] = {kind.kind: kind for kind in (Int, Float, Choice, Boolean, Fixed)}
"""Every kind's class by the word that stored hyperparameters have for it."""
