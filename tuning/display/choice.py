"""Which display a search has: what was asked for, and what there is to write on.

Owns the meaning of `verbose`.
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from tuning.display.console import remarks
from tuning.display.notebook import NotebookProgress
from tuning.display.progress import LiveProgress, PlainProgress
from tuning.errors import OptionError, must

LEVELS = (None, 0, 1, 2)


def display_of(
    verbose: int | None, max_trials: int | None, says_best: bool = True
) -> AbstractContextManager[PlainProgress | None]:
    """Return what shows a search while it runs; it is entered before anything else is done.

    Args:
        verbose: None or 1 for what fits: bars on a terminal, a cell that changes in a notebook, lines elsewhere; 2 for
            lines everywhere; 0 for nothing.
        max_trials: number of trials in all; None for the engine's own.
        says_best: whether it ends with the best trial.

    Raises:
        OptionError: `verbose` is none of these.
    """
    if verbose not in LEVELS:
        raise OptionError(must("verbose", "be 0 for silence, 1 for what fits, 2 for plain lines, or None", verbose))
    if verbose == 0 and verbose is not None:
        return nullcontext(None)
    if verbose == 2:
        return PlainProgress(max_trials, says_best)
    if in_notebook():
        return NotebookProgress(max_trials, says_best)
    return (LiveProgress if remarks().is_terminal else PlainProgress)(max_trials, says_best)


def in_notebook() -> bool:
    """Tell whether this runs in a cell of a notebook, whose output can change."""
    ipython: Any = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None
