"""scikit-learn's searches, so that they see a batch of candidates only when all their scores are there.

The home of the one private name of theirs that is needed, `_run_search`, which a search calls with the function that
evaluates candidates. A release without it is refused when this module is imported: the searches would run on scores
that are not there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

from tuning.errors import moved

try:
    with contextlib.suppress(ImportError):  # where it is gone, the halving searches no longer need it
        from sklearn.experimental import enable_halving_search_cv  # noqa: F401
    from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, HalvingRandomSearchCV, RandomizedSearchCV
except ImportError as error:
    raise moved("scikit-learn", f"sklearn.model_selection.{error.name} ({error})") from error

SEARCHES = {
    "grid": GridSearchCV,
    "random": RandomizedSearchCV,
    "halving-grid": HalvingGridSearchCV,
    "halving-random": HalvingRandomSearchCV,
}


class MissingError(Exception):
    """scikit-learn wants the scores of these candidates."""

    def __init__(self, candidates: Sequence[Any]) -> None:
        super().__init__()
        self.candidates = candidates


class _Replayed:
    """Raises `MissingError` where the estimator has no scores of a candidate yet."""

    estimator: Any

    def _run_search(self, evaluate_candidates: Callable[..., Any], callback_ctx: Any = None) -> None:
        def evaluate(candidates: Any, *arguments: Any, **more: Any) -> Any:
            candidates = list(candidates)
            if any(self.estimator.recorded(candidate) is None for candidate in candidates):
                raise MissingError(candidates)
            return evaluate_candidates(candidates, *arguments, **more)

        context = {} if callback_ctx is None else {"callback_ctx": callback_ctx}  # scikit-learn 1.9 and later
        super()._run_search(evaluate, **context)  # type: ignore[misc]


def replayed(kind: type) -> type:
    """Return a child of a search that does not go on without scores.

    Raises:
        MovedError: the search does not evaluate its candidates in the way that is known.
    """
    if not callable(getattr(kind, "_run_search", None)):
        raise moved("scikit-learn", f"{kind.__name__}._run_search")
    return type(kind.__name__, (_Replayed, kind), {})
