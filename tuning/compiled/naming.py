"""The names that Keras makes up for what has been given none.

Owns one thing: that they are the same in every trial. Keras counts through a process, so the metric that reports
`auc` in the first trial would report `auc_1` in the second, and the objective `val_auc` would be lost there.
"""

from __future__ import annotations

import collections
import contextlib
import sys
from collections.abc import Iterator

_COUNTERS = "object_name_uids"


@contextlib.contextmanager
def numbered_afresh() -> Iterator[None]:
    """Let Keras number names as in a new process, and go on afterwards where it was before.

    Where Keras has not been imported yet, its numbers are fresh anyway.
    """
    if "keras" not in sys.modules:
        yield
        return
    from keras.src.backend.common import global_state

    before = global_state.get_global_attribute(_COUNTERS)
    global_state.set_global_attribute(_COUNTERS, collections.defaultdict(int))
    try:
        yield
    finally:
        global_state.set_global_attribute(_COUNTERS, before)
