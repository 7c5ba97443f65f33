"""Hyperparameters as Optuna distributions: how the store records every engine's trials, and how Optuna samples.

Owns the translation in both directions: a legal value to Optuna's parameter and back. An ordered choice is the
index of its value, because samplers treat categories as unordered. Hyperparameters that cannot vary are not
parameters.

Recorded are the values themselves, which a person wants to see on an axis; Optuna has no multiplicative steps, so
those are left out. Sampled are the indices of a stepped range's values instead: whatever a sampler draws is legal
then, and every value is as likely as its neighbours, with multiplicative steps too. What is `reverse_log` is sampled
as its mirror image, which is `log`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from tuning.hyperparameters import Hyperparameter


def distribution(h: Hyperparameter) -> BaseDistribution:
    """Return the distribution that `h` is recorded with; not for `fixed`."""
    if h.kind == "boolean":
        return CategoricalDistribution([False, True])
    if h.kind == "choice":
        return IntDistribution(0, len(h.choices) - 1) if h.ordered else CategoricalDistribution(h.choices)
    low, high = h.bounds
    log = h.sampling == "log"
    if h.kind == "float":
        return FloatDistribution(low, high, log=log)
    step = int(h.step) if h.step is not None and h.sampling == "linear" else 1
    top = int(low) + step * math.floor((high - low) / step)
    return IntDistribution(int(low), top, log=log, step=step)


def to_parameter(h: Hyperparameter, value: Any) -> Any:
    """Return `value` as Optuna's parameter."""
    if h.kind == "choice" and h.ordered:
        return h.choices.index(value)
    if h.kind == "float":
        low, high = h.bounds
        return min(max(float(value), low), high)
    return value


def from_parameter(h: Hyperparameter, parameter: Any) -> Any:
    """Return the value that Optuna's parameter stands for."""
    return h.choices[int(parameter)] if h.kind == "choice" and h.ordered else parameter


def _is_sampled_by_index(h: Hyperparameter) -> bool:
    """Tell whether what is sampled is the index of a value; whole numbers with even steps Optuna has itself."""
    return h.step is not None and (h.kind == "float" or (h.kind == "int" and h.sampling != "linear"))


def _is_mirrored(h: Hyperparameter) -> bool:
    return h.sampling == "reverse_log" and h.step is None and h.kind in ("int", "float")


def sampled_distribution(h: Hyperparameter) -> BaseDistribution:
    """Return the distribution that Optuna's samplers draw `h` from; not for `fixed`."""
    if _is_sampled_by_index(h):
        return IntDistribution(0, int(h.count()) - 1)
    if _is_mirrored(h):
        return distribution(replace(h, sampling="log"))
    return distribution(h)


def to_sampled(h: Hyperparameter, value: Any) -> Any:
    """Return what Optuna would have drawn for `value`."""
    if _is_sampled_by_index(h):
        return h.index_of(value)
    if _is_mirrored(h):
        return _mirrored(h, value)
    return to_parameter(h, value)


def from_sampled(h: Hyperparameter, drawn: Any) -> Any:
    """Return the legal value that something drawn from `sampled_distribution(h)` stands for."""
    if _is_sampled_by_index(h):
        return h.value_at(int(drawn))
    if _is_mirrored(h):
        return _mirrored(h, drawn)
    return from_parameter(h, drawn)


def _mirrored(h: Hyperparameter, value: Any) -> Any:
    low, high = h.bounds
    return min(max(low + high - value, low), high)


def parameter_names(space: Iterable[Hyperparameter]) -> dict[Hyperparameter, str]:
    """Return the parameter name of each hyperparameter that can vary.

    The name itself where it is unique; `name@parent=value` where one name stands under several conditions,
    because Optuna wants one distribution a name.
    """
    varying = [h for h in space if h.kind != "fixed"]
    counts: dict[str, int] = {}
    for h in varying:
        counts[h.name] = counts.get(h.name, 0) + 1
    return {
        h: h.name
        if counts[h.name] == 1
        else f"{h.name}@" + "&".join(f"{c.name}={'|'.join(map(str, c.values))}" for c in h.conditions)
        for h in varying
    }


def parameters(
    space: Iterable[Hyperparameter], values: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, BaseDistribution]]:
    """Return Optuna's parameters and distributions of a trial's active values."""
    params: dict[str, Any] = {}
    distributions: dict[str, BaseDistribution] = {}
    for h, name in parameter_names(space).items():
        if h.name in values and h.is_active(values) and h.contains(values[h.name]):
            params[name], distributions[name] = to_parameter(h, values[h.name]), distribution(h)
    return params, distributions
