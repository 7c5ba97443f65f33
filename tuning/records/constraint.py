"""Constraints: what a trial must keep to be one of the best, however good its score is.

Owns how a constraint is read, what it is about, and how far a trial is from breaking it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tuning.errors import OptionError, guess, must
from tuning.records.objective import RESOURCES
from tuning.records.ranking import value_of
from tuning.records.trial import Trial

KNOWN_EARLY = ("n_params", "model_bytes")
"""What a model costs that is known before it is trained."""

_TEXT = re.compile(r"\s*([^\s<>=]+)\s*(<=|>=)\s*([^\s<>=]+)\s*")


@dataclass(frozen=True)
class Constraint:
    """A metric at the best epoch, or what the model costs, that must be at most, or at least, so much."""

    name: str
    sense: Literal["<=", ">="]
    bound: float

    @classmethod
    def parse(cls, text: str | Constraint) -> Constraint:
        """Read "n_params<=50000" or "val_recall>=0.9".

        Raises:
            OptionError: it is none, or its bound is no finite number.
        """
        if isinstance(text, Constraint):
            return text
        found = _TEXT.fullmatch(text) if isinstance(text, str) else None
        try:
            bound = math.nan if found is None else float(found[3])
        except ValueError:
            bound = math.nan
        if found is None or not math.isfinite(bound):
            rule = "be a name, <= or >=, and a number, such as 'n_params<=50000' or 'val_recall>=0.9'"
            raise OptionError(must("constraint", rule, text))
        return cls(found[1], found[2], bound)  # type: ignore[arg-type]

    def __str__(self) -> str:
        bound = int(self.bound) if self.bound.is_integer() else self.bound
        return f"{self.name}{self.sense}{bound}"

    @property
    def is_resource(self) -> bool:
        """Whether it is about what a model costs, rather than a metric of its training."""
        return self.name in RESOURCES

    def is_kept_by(self, value: float) -> bool:
        """Tell whether a value is within the bound."""
        return value <= self.bound if self.sense == "<=" else value >= self.bound

    def excess(self, value: float) -> float:
        """Return how far a value is beyond the bound, as samplers have it: 0 or less where it is kept.

        What a model costs spans orders of magnitude, so there it is the logarithm of a ratio.
        """
        sign = 1.0 if self.sense == "<=" else -1.0
        if self.is_resource and value > 0 and self.bound > 0:
            return sign * math.log(value / self.bound)
        return sign * (value - self.bound)


def read(given: Sequence[str | Constraint]) -> tuple[Constraint, ...]:
    """Read a list of constraints; equal ones once.

    Raises:
        OptionError: one of them is none.
    """
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise OptionError(must("constraints", "be a list, such as ['n_params<=50000']", given))
    return tuple(dict.fromkeys(map(Constraint.parse, given)))


def mistakes(constraints: Sequence[Constraint], metrics: Sequence[str], uses_keras: bool) -> list[str]:
    """Name the constraints on what nothing will report.

    Args:
        metrics: that training reports; empty where that is not known.
        uses_keras: whether what models cost can be measured.
    """
    found = []
    for constraint in constraints:
        if constraint.is_resource and not uses_keras:
            found.append(must("constraint", "be on a metric of training where models are not Keras's", str(constraint)))
        elif not constraint.is_resource and metrics and constraint.name not in metrics:
            rule = f"be on a metric that training reports ({', '.join(sorted(metrics))}) or a model's cost"
            known = (*metrics, *RESOURCES)
            found.append(must("constraint", rule, str(constraint), guess(constraint.name, known)))
    return found


def limited(trial: Trial, constraints: Sequence[Constraint]) -> Trial:
    """Return a trial whose run has ended with what its constraints limit, and whether it keeps them.

    What has no value is not kept.
    """
    if not constraints:
        return trial
    values = {c.name: value for c in constraints if (value := value_of(trial, c.name)) is not None}
    kept = all(c.name in values and c.is_kept_by(values[c.name]) for c in constraints)
    return replace(trial, limited=values, is_feasible=kept)


def excesses(trial: Trial, constraints: Sequence[Constraint]) -> list[float | None]:
    """Return how far a trial is beyond each constraint, as samplers have it; None of one that is not known.

    What was not trained, because one constraint is broken, shows nothing of others.
    """
    return [c.excess(trial.limited[c.name]) if c.name in trial.limited else None for c in constraints]


def broken(trial: Trial, constraints: Sequence[Constraint]) -> list[Constraint]:
    """Return the constraints that a trial is known to break."""
    return [c for c in constraints if c.name in trial.limited and not c.is_kept_by(trial.limited[c.name])]


def is_refused(trial: Trial) -> bool:
    """Tell whether a trial was not trained, because what was known before breaks a constraint."""
    return trial.state.is_finished and not trial.is_feasible and bool(trial.limited) and not trial.epochs
