"""Import Keras and TensorFlow without the lines that TensorFlow writes at its start.

Owns the redirection of the process's standard error while the import lasts. Errors of the import are raised
as ever.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import tempfile
from collections.abc import Iterator

from tuning import programs


def import_keras() -> None:
    """Import Keras with its back end; return at once when it is loaded already."""
    programs.prepare()
    if "keras" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _stderr_aside():
        importlib.import_module("keras")
        if "tensorflow" in sys.modules:
            # The devices would be set up, with more lines, by the first operation.
            sys.modules["tensorflow"].config.list_logical_devices()


def backend() -> str:
    """Return what Keras computes with, or will where it is not loaded yet."""
    keras = sys.modules.get("keras")
    return os.environ.get("KERAS_BACKEND", "tensorflow") if keras is None else str(keras.config.backend())


@contextlib.contextmanager
def _stderr_aside() -> Iterator[None]:
    """Send file descriptor 2 to a scratch file; the lines come from C++, out of reach of `sys.stderr`."""
    try:
        sys.stderr.flush()
        kept = os.dup(2)
    except (OSError, ValueError, AttributeError):
        yield  # there is no standard error to redirect, as in some notebooks and services
        return
    with tempfile.TemporaryFile() as scratch:
        os.dup2(scratch.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
