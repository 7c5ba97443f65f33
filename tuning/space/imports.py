"""Import Keras and TensorFlow without the lines that TensorFlow writes at its start, and without what nobody asks for.

Owns the redirection of the process's standard error while the import lasts, and what is left out or put off meanwhile:
a third of its time. Errors of the import are raised as ever.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

from tuning import programs

_WRAPPERS = "keras.wrappers"
"""Keras's estimators, which come with scikit-learn and scipy.stats."""


def import_keras() -> None:
    """Import Keras with its back end; return at once when it is loaded already."""
    programs.prepare()
    if "keras" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _stderr_aside(), _wrappers_put_off():
        importlib.import_module("keras")
        if "tensorflow" in sys.modules:
            # The devices would be set up, with more lines, by the first operation.
            sys.modules["tensorflow"].config.list_logical_devices()


def backend() -> str:
    """Return what Keras computes with, or will where it is not loaded yet."""
    keras = sys.modules.get("keras")
    return os.environ.get("KERAS_BACKEND", "tensorflow") if keras is None else str(keras.config.backend())


class _Later(importlib.abc.MetaPathFinder):
    """Has Keras's wrappers loaded when somebody first asks for anything that is in them."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        spec = importlib.machinery.PathFinder.find_spec(name, path) if name == _WRAPPERS else None
        if spec is not None and spec.loader is not None:
            spec.loader = importlib.util.LazyLoader(spec.loader)
        return spec


@contextlib.contextmanager
def _wrappers_put_off() -> Iterator[None]:
    finder = _Later()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


@contextlib.contextmanager
def without(name: str) -> Iterator[None]:
    """Let what is imported meanwhile find no such backend, unless Keras runs on it or it is loaded already."""
    if backend() == name or name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]


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
