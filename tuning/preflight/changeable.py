"""Finds the hyperparameters that may change while a model is trained.

Owns the test: models that are built with other values have the same layers, weights and optimizer, so that what one
has learned the other can go on with. What only `fit` asks for, such as a batch size, is no part of a model at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tuning.compiled import private
from tuning.compiled.naming import numbered_afresh
from tuning.data import Data, fold
from tuning.hyperparameters import Hyperparameter
from tuning.space import HyperParameters, SearchSpace, active_values
from tuning.training.models import ensure_built, is_keras_model
from tuning.training.seeding import generators_kept


def changeable(space: SearchSpace, data: Data, hyperparameters: Sequence[Hyperparameter]) -> tuple[str, ...]:
    """Return the names of numbers and ordered choices with which a trained model can go on after they have changed.

    None of a space whose models are not Keras's.

    Args:
        space: builds the models.
        data: a sample of it builds those that build themselves on their first batch.
        hyperparameters: parents before children, fixed ones included.
    """
    defaults = active_values(hyperparameters, {})
    parents = {condition.name for h in hyperparameters for condition in h.conditions}
    x = fold(data, 0).fresh().x
    with generators_kept():
        same = _signature(space, defaults, x)
        if same is None:
            return ()
        return tuple(
            h.name
            for h in hyperparameters
            if h.is_ordered and not h.is_fixed and h.count() > 1 and h.name not in parents and h.is_active(defaults)
            if all(_signature(space, {**defaults, h.name: value}, x) == same for value in _others(h))
        )


def _others(h: Hyperparameter) -> list[Any]:
    return [value for value in (h.from_unit(0.0), h.from_unit(1.0)) if value != h.default]


def _signature(space: SearchSpace, values: Mapping[str, Any], x: Any) -> Any:
    """Return what must be the same; None where there is no such model."""
    try:
        with numbered_afresh():
            model = space.build(HyperParameters(values))
            if not is_keras_model(model):
                return None
            ensure_built(model, x)
            layers = [type(layer).__name__ for layer in private.of(model, "flatten_layers")()]
            optimizer = model.optimizer
            if not optimizer.built:
                optimizer.build(model.trainable_variables)
    except Exception:  # a value that cannot be built cannot be gone on with
        return None
    return layers, _shapes(model.weights), type(optimizer).__name__, _shapes(optimizer.variables)


def _shapes(variables: Iterable[Any]) -> list[tuple[tuple[int, ...], str]]:
    return [(tuple(v.shape), str(v.dtype)) for v in variables]
