"""Finished trials of the study in memory, in as little of it as samplers and pruners can do with.

Owns what is shared between thousands of trials, or packed. What Optuna leaves behind of a trial takes three times as
much.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import ItemsView, Iterator, Mapping
from datetime import datetime
from typing import Any, cast

from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial

_SOME_TIME = datetime(2000, 1, 1)
"""When a trial in memory began and ended, which no sampler or pruner asks."""


class Compact:
    """Makes trials small.

    Args:
        is_packed: whether to pack the values of the epochs, too: looking them up takes longer then.
    """

    def __init__(self, is_packed: bool) -> None:
        self._is_packed = is_packed
        self._distributions: dict[tuple[str, ...], dict[str, BaseDistribution]] = {}
        self._nothing: dict[str, Any] = {}

    def __call__(self, trial: FrozenTrial) -> FrozenTrial:
        """Return the same trial; nothing is written to it any more."""
        values = trial.intermediate_values
        return FrozenTrial(
            number=trial.number,
            state=trial.state,
            value=None,
            values=trial.values,
            datetime_start=_SOME_TIME,
            datetime_complete=_SOME_TIME,
            params=trial.params,
            distributions=self._shared(trial.distributions),
            user_attrs=trial.user_attrs or self._nothing,
            system_attrs={sys.intern(k): v for k, v in trial.system_attrs.items()} or self._nothing,
            intermediate_values=_packed(values) if self._is_packed else values,
            trial_id=trial._trial_id,
        )

    def _shared(self, distributions: dict[str, BaseDistribution]) -> dict[str, BaseDistribution]:
        """Return the same distributions: those of an earlier trial where they are equal, as those of most are."""
        known = self._distributions.setdefault(tuple(distributions), distributions)
        return known if known == distributions else distributions


def _packed(values: dict[int, float]) -> dict[int, float]:
    """Return values by step in less memory, where no step is missing."""
    if not values or list(values) != list(range(len(values))):
        return values
    return cast(dict[int, float], _Steps(values.values()))


class _Steps(Mapping[int, float]):
    """The values of the steps from 0 on."""

    __slots__ = ("_values",)

    def __init__(self, values: Any) -> None:
        self._values = array("d", values)

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self._values)))

    def __getitem__(self, step: int) -> float:
        if not 0 <= step < len(self._values):
            raise KeyError(step)
        return float(self._values[step])

    def items(self) -> ItemsView[int, float]:
        return dict(enumerate(self._values)).items()  # samplers ask thousands of trials for it
