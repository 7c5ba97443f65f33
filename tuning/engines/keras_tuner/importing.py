"""Import KerasTuner's oracles without Keras, where Keras is not loaded.

Owns a stand-in for `keras` that lasts as long as the import. The oracles are arithmetic on numbers and text:
they need Keras only to copy hyperparameters, which the stand-in does. A driver whose workers train then
starts in a second instead of five, and needs no memory for TensorFlow. SciPy, scikit-learn and pandas, which KerasTuner
can do without, are left to the one oracle that computes with them. Where Keras is loaded already, or
KerasTuner is, the ordinary package is used.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import sys
import types
from collections.abc import Mapping, Sequence
from typing import Any

_STOOD_IN_FOR = ("keras", "tensorflow")
_DONE_WITHOUT = ("scipy", "sklearn", "pandas")
_LEFT_OUT = ("keras_tuner.src.backend.keras", "keras_tuner.src.applications", "keras_tuner.applications")


def import_keras_tuner() -> Any:
    """Return the `keras_tuner` package, complete or with no more than its oracles and hyperparameters."""
    if "keras" in sys.modules or "keras_tuner" in sys.modules:
        return importlib.import_module("keras_tuner")
    finder = _StandIns()
    sys.meta_path.insert(0, finder)
    try:
        return importlib.import_module("keras_tuner")
    finally:
        sys.meta_path.remove(finder)
        # Whoever imports Keras or KerasTuner later gets the genuine ones.
        for name in list(sys.modules):
            if name.split(".")[0] in (*_STOOD_IN_FOR, "keras_tuner"):
                del sys.modules[name]


class _StandIns:
    """Finds the stand-ins on the import path."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: Any = None) -> Any:
        if name.split(".")[0] in _STOOD_IN_FOR or name in _LEFT_OUT:
            return importlib.machinery.ModuleSpec(name, self)  # type: ignore[arg-type]
        if name in _DONE_WITHOUT:  # and not loaded: KerasTuner takes it for not installed
            raise ImportError(name)
        return None

    def create_module(self, spec: Any) -> types.ModuleType:
        return _StandIn(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        pass


class _AnyClass(type):
    """A class whose every attribute is another such class: enough to be derived from."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _AnyClass(name, (), {})


class _StandIn(types.ModuleType):
    __path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        known = {
            "version": lambda: "3.0.0",
            "config": types.SimpleNamespace(backend=lambda: "numpy"),
            "utils": types.SimpleNamespace(serialize_keras_object=_to_config, deserialize_keras_object=_from_config),
        }
        return known.get(name) or _AnyClass(name, (), {})


def _to_config(instance: Any) -> dict[str, Any]:
    return {"class_name": type(instance).__name__, "config": instance.get_config()}


def _from_config(config: Mapping[str, Any], custom_objects: Any, module_objects: Mapping[str, Any]) -> Any:
    return module_objects[config["class_name"]].from_config(dict(config["config"]))
