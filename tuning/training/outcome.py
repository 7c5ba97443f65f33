"""What a space's `fit` returned, read as metrics.

Owns the forms that it may return: the `History` of `model.fit` or the dict of lists that this holds, which say what
Keras has reported anyway; a dict of metrics or a number, which is the trial's score; and nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def returned_epochs(outcome: Any, objective: str) -> list[Mapping[str, Any]]:
    """Return the metrics of each epoch that the return value of a `fit` tells of which reported none.

    Args:
        outcome: a `History`, a dict of metrics (one epoch), or the objective as a number (one epoch).
        objective: the number's name.

    Raises:
        TypeError: it is none of these.
    """
    history = _history(outcome)
    if history is not None:
        return [dict(zip(history, row, strict=True)) for row in zip(*history.values(), strict=False)]
    metrics = returned_metrics(outcome, objective)
    if metrics:
        return [metrics]
    raise TypeError(
        f"`fit` must return the History of model.fit, a dict of metrics or a number, but got a {type(outcome).__name__}"
    )


def returned_metrics(outcome: Any, objective: str) -> dict[str, float]:
    """Return the metrics that a `fit` returned by itself; none where it returned what Keras has reported, or nothing.

    Args:
        outcome: what it returned.
        objective: the name of a number.
    """
    if isinstance(outcome, Mapping) and _history(outcome) is None:
        return {str(name): float(value) for name, value in outcome.items() if is_number(value)}
    return {objective: float(outcome)} if is_number(outcome) and not isinstance(outcome, bool) else {}


def are_numbers(outcome: Any) -> bool:
    """Tell whether a `fit` returned several numbers, which are no score: nobody knows which of them counts."""
    return isinstance(outcome, (list, tuple)) and len(outcome) > 1 and all(map(is_number, outcome))


def is_number(value: Any) -> bool:
    """Tell whether `value` can be read as one number."""
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return not isinstance(value, str)


def _history(outcome: Any) -> Mapping[str, Any] | None:
    """Return the metrics of `outcome` by name, a list each, if it is a History or what one holds."""
    history = getattr(outcome, "history", outcome)
    is_history = isinstance(history, Mapping) and all(isinstance(values, (list, tuple)) for values in history.values())
    return history if is_history and (history or history is not outcome) else None
