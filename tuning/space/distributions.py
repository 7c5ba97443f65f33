"""Hyperparameters as Optuna distributions: how the store records every engine's trials, and how Optuna samples.

Owns the translation in both directions: a legal value to Optuna's parameter and back. An ordered choice is the
index of its value, because samplers treat categories as unordered. Hyperparameters that cannot vary are not
parameters. Numbers have distributions of Optuna's; any other kind is the list of its values and needs nothing here.

Recorded are the values themselves, which a person wants to see on an axis; Optuna has no multiplicative steps, so
those are left out. Sampled are the indices of a stepped range's values instead: whatever a sampler draws is legal
then, and every value is as likely as its neighbours, with multiplicative steps too. What is `reverse_log` is sampled
as its mirror image, which is `log`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeGuard

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from tuning.hyperparameters import Float, Hyperparameter, Int, Number
from tuning.hyperparameters.scale import ReverseLog


def distribution(h: Hyperparameter) -> BaseDistribution:
    """Return the distribution that `h` is recorded with; not for what is fixed."""
    if isinstance(h, Float):
        return FloatDistribution(*h.bounds, log=h.sampling == "log")
    if isinstance(h, Int):
        low, high = map(int, h.bounds)
        step = int(h.step) if h.step is not None and not h.scale.is_logarithmic else 1
        return IntDistribution(low, low + step * ((high - low) // step), log=h.sampling == "log", step=step)
    values = _listed(h)
    return IntDistribution(0, len(values) - 1) if h.is_ordered else CategoricalDistribution(values)


def to_parameter(h: Hyperparameter, value: Any) -> Any:
    """Return `value` as Optuna's parameter."""
    if isinstance(h, Float):
        return min(max(float(value), h.low), h.high)
    return h.index_of(value) if _is_index(h) else value


def from_parameter(h: Hyperparameter, parameter: Any) -> Any:
    """Return the value that Optuna's parameter stands for."""
    return h.value_at(int(parameter)) if _is_index(h) else parameter


def _listed(h: Hyperparameter) -> Sequence[Any]:
    values = h.values()
    if values is None:
        raise TypeError(f"{type(h).__name__} needs a distribution of its own: its values cannot be listed")
    return values


def _is_index(h: Hyperparameter) -> bool:
    """Tell whether what is recorded is the index of a value: an order that is not one of numbers' size."""
    return h.is_ordered and not isinstance(h, Number)


def _is_sampled_by_index(h: Hyperparameter) -> bool:
    """Tell whether what is sampled is the index of a value; whole numbers with even steps Optuna has itself."""
    return isinstance(h, Number) and h.step is not None and (isinstance(h, Float) or h.scale.is_logarithmic)


def _is_mirrored(h: Hyperparameter) -> TypeGuard[Number]:
    return isinstance(h, Number) and h.step is None and isinstance(h.scale, ReverseLog)


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


def _mirrored(h: Number, value: Any) -> Any:
    return min(max(h.low + h.high - value, h.low), h.high)


def parameter_names(space: Iterable[Hyperparameter]) -> dict[Hyperparameter, str]:
    """Return the parameter name of each hyperparameter that can vary.

    The name itself where it is unique; `name@parent=value` where one name stands under several conditions,
    because Optuna wants one distribution a name.
    """
    varying = [h for h in space if not h.is_fixed]
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
