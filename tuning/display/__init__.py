"""What a search shows while it runs.

`progress` writes text: bars on a terminal, plain lines elsewhere; `notebook` a cell's output that changes in place;
`console` owns how text gets on a screen. All are observers: they are told, and steer nothing.
"""

from tuning.display.choice import display_of
from tuning.display.progress import BY_BUDGET

__all__ = ["BY_BUDGET", "display_of"]
