"""The names that Keras makes up for what has been given none.

Owns one thing: that they are the same in every trial. Keras counts through a process, so the metric that reports
`auc` in the first trial would report `auc_1` in the second, and the objective `val_auc` would be lost there.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from tuning.compiled import private


@contextlib.contextmanager
def numbered_afresh() -> Iterator[None]:
    """Let Keras number names as in a new process, and go on afterwards where it was before.

    Where Keras has not been imported yet, its numbers are fresh anyway. Where its counters cannot be reached, its
    session is cleared instead, as Keras's own documentation has it for many models in a row: names are then as fresh,
    but what is made afterwards outside is numbered from the beginning too.
    """
    if "keras" not in sys.modules:
        yield
        return
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(private.fresh_name_counters())
        except private.GoneError:
            _clear_session()
        yield


def _clear_session() -> None:
    """Clear Keras's session, but leave what the user has set."""
    import keras

    policy, distribution = keras.config.dtype_policy(), keras.distribution.distribution()
    keras.utils.clear_session(free_memory=False)
    keras.config.set_dtype_policy(policy)
    if distribution is not None:
        keras.distribution.set_distribution(distribution)
