"""California housing by the same wide and deep model, written as a subclass of `keras.Model`.

Data: California housing, from scikit-learn's cache or download
Task, data, hyperparameters and reference figures are those of `california_wide_deep`.
"""

from __future__ import annotations

from typing import Any

from search_spaces import california_wide_deep
from search_spaces.california_wide_deep import CaliforniaWideDeep


def build_model(hp: Any) -> Any:
    """Return a compiled `WideAndDeep` with all its weights; see `california_wide_deep.build_model`."""
    from search_spaces._models import WideAndDeep

    model = WideAndDeep(*california_wide_deep.hidden(hp))
    model.build({name: (None, n) for name, n in california_wide_deep.N_FEATURES.items()})
    return california_wide_deep.compiled(hp, model)


class CaliforniaWideDeepSubclassed(CaliforniaWideDeep):
    """The same search of the subclassed model."""

    name = "california_wide_deep_subclassed"

    def build(self, hp: Any) -> Any:
        return build_model(hp)


space = CaliforniaWideDeepSubclassed()
