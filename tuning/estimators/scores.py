"""scikit-learn's scorers for the trainings of a search.

Owns which ones there are, how one of them is chosen to decide, and what they say of a training. How scores are shown is
`results`' business.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sklearn.metrics import get_scorer

from tuning.errors import OptionError, must

TRAIN = "train_"
"""What the names of scores on the training rows begin with."""


def is_several(scoring: Any) -> bool:
    """Tell whether `scoring` is several scorers."""
    return isinstance(scoring, (list, tuple, set, dict))


def scorers_of(scoring: Any) -> dict[str, Any]:
    """Return scikit-learn's scorers by name, in order; a single one that has no name is "score".

    Args:
        scoring: a scorer or its name, several of them in a list or by name, or None.
    """
    if scoring is None:
        return {}
    given = scoring if is_several(scoring) else [scoring]
    named = given if isinstance(given, dict) else {one if isinstance(one, str) else "score": one for one in given}
    return {name: get_scorer(one) if isinstance(one, str) else one for name, one in named.items()}


def scores(estimator: Any, scorers: Mapping[str, Any], x: Any, y: Any, prefix: str = "") -> dict[str, float]:
    """Return what each scorer says of a fitted estimator.

    Args:
        x, y: samples and targets, [n, ...], as the estimator's user has them.
        prefix: of the names.

    Raises:
        OptionError: a scorer returns no number.
    """
    found = {}
    for name, scorer in scorers.items():
        score = scorer(estimator, x, y)
        if isinstance(score, Mapping):
            rule = "be scorers that return a number each"
            raise OptionError(must("scoring", rule, dict(score), "Give them one by one: scoring={name: scorer}."))
        found[f"{prefix}{name}"] = float(score)
    return found
