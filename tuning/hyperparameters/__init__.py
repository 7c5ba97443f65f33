"""Hyperparameters as frozen records: a name, legal values on a scale, and the conditions under which they apply.

One class a kind; `base` says what a kind must answer and which tables a new one touches. Engines, the store and
TensorBoard translate these records into their own terms. Nothing here imports a third party.
"""

from tuning.hyperparameters.base import Condition, Hyperparameter, intersected, unknown
from tuning.hyperparameters.boolean import Boolean
from tuning.hyperparameters.choice import Choice
from tuning.hyperparameters.fixed import Fixed
from tuning.hyperparameters.floating import Float
from tuning.hyperparameters.integer import Int
from tuning.hyperparameters.kinds import KINDS
from tuning.hyperparameters.number import Number

__all__ = [
    "KINDS",
    "Boolean",
    "Choice",
    "Condition",
    "Fixed",
    "Float",
    "Hyperparameter",
    "Int",
    "Number",
    "intersected",
    "unknown",
]
