"""The fingerprint of a space: of the model it builds by default, and of the code that trains it.

Owns what is looked at. Names are left out, because Keras and many people count them through the process, and so are
seeds, addresses of objects and where a file lies. Code is what Python executes: neither comments nor docstrings count.
What it is compared with, and how, stands in `tuning.records.fingerprint`.
"""

from __future__ import annotations

import dis
import hashlib
import inspect
import re
import sys
import warnings
from collections.abc import Iterator, Mapping
from types import CodeType
from typing import Any

from tuning.compiled import private
from tuning.records.fingerprint import CODE, VERSIONS
from tuning.space import SearchSpace

MAX_PLACES = 3000
"""Places of a configuration that are remembered one by one; of a larger one a digest is."""

OURS = ("tuning", "keras_tuner", "keras", "tensorflow")
"""Packages whose code is no part of what a person searches: it changes with their versions."""

_LEFT_OUT = ("name", "seed", "build_config", "build_input_shape", "registered_name", "module")
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]+")


def fingerprint_of(space: SearchSpace, model: Any, uses_keras: bool) -> dict[str, Any]:
    """Return the fingerprint of a space, by part: the model, how it is compiled, and the code that trains it.

    Args:
        space: what was searched.
        model: what it builds for the default values.
        uses_keras: whether that is a model of Keras; of anything else, the code that builds it is looked at.
    """
    parts: dict[str, Any] = {}
    versions = {"python": f"{sys.version_info[0]}.{sys.version_info[1]}"}
    if uses_keras:
        versions["keras"] = sys.modules["keras"].__version__
        with warnings.catch_warnings(), private.without_tensorflow():
            warnings.simplefilter("ignore")  # that a lambda could not be loaded again
            parts["model"] = _limited(dict(_flat("", _configuration(model))))
            parts["compile"] = _limited(dict(_flat("", _compile_configuration(model))))
    functions = {"fit": space.parts_of_code()["fit"]}
    if uses_keras:
        functions |= {f"{type(model).__name__}.{name}": getattr(type(model), name, None) for name in _METHODS}
    else:
        functions["build"] = space.parts_of_code()["build"]
    code = {name: digest for name, function in functions.items() if (digest := digest_of_code(function)) is not None}
    return {**parts, CODE: code, VERSIONS: versions}


_METHODS = ("call", "train_step", "test_step", "compute_loss")


def _configuration(model: Any) -> Any:
    try:
        config = model.get_config()
    except Exception:  # a subclass of Model need not have one
        config = {}
    shapes = [list(weight.shape) for weight in model.weights]
    return {"layers": config.get("layers", config), "weights": shapes} if isinstance(config, Mapping) else shapes


def _compile_configuration(model: Any) -> Any:
    try:
        config = model.get_compile_config() or {}
    except Exception:  # a loss or a metric that cannot be described
        config = {}
    optimizer: Any = getattr(model, "optimizer", None)
    if "optimizer" not in config and hasattr(optimizer, "get_config"):
        config = {**config, "optimizer": optimizer.get_config()}
    return {key: item for key, item in config.items() if key not in ("run_eagerly", "jit_compile")}


def _flat(place: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield each place in a configuration with the plain value there."""
    if isinstance(value, Mapping):
        if "keras_history" in value.get("config", ()):  # which layer this comes from, by its name
            return
        if value.get("class_name") == "__lambda__":
            yield place, "lambda"
            return
        if "class_name" in value and isinstance(value.get("config"), Mapping):
            yield place, str(value["class_name"])
            value = value["config"]
        for key, item in value.items():
            if key not in _LEFT_OUT and key not in ("inbound_nodes", "input_layers", "output_layers"):
                yield from _flat(f"{place}.{key}".lstrip("."), item)
    elif isinstance(value, (list, tuple)):
        if not value:
            yield place, "[]"
        for i, item in enumerate(value):
            yield from _flat(f"{place}[{i}]", item)
    elif isinstance(value, bool) or value is None:
        yield place, str(value)
    elif isinstance(value, (int, float)):
        yield place, value if value - value == 0 else str(value)
    elif callable(getattr(value, "item", None)) and getattr(value, "shape", None) == ():
        yield from _flat(place, value.item())
    else:
        yield place, _ADDRESS.sub("", str(value))[:200]


def _limited(places: dict[str, Any]) -> dict[str, Any]:
    if len(places) <= MAX_PLACES:
        return places
    rounded = {key: f"{value:.4g}" if isinstance(value, float) else value for key, value in places.items()}
    return {"(all of it)": hashlib.sha256(repr(sorted(rounded.items(), key=lambda p: p[0])).encode()).hexdigest()[:16]}


def digest_of_code(function: Any) -> str | None:
    """Return a digest of what a function executes; None where it is not a person's own, or has no code of Python's."""
    while hasattr(function, "func"):  # functools.partial
        function = function.func
    function = inspect.unwrap(function) if callable(function) else function
    function = getattr(function, "__func__", function)
    if callable(function) and not hasattr(function, "__code__"):
        function = type(function).__call__
    code = getattr(function, "__code__", None)
    if not isinstance(code, CodeType) or str(getattr(function, "__module__", "")).partition(".")[0] in OURS:
        return None
    defaults = [*(function.__defaults__ or ()), *sorted((function.__kwdefaults__ or {}).items())]
    return hashlib.sha256(repr([_said(code), *map(_constant, defaults)]).encode()).hexdigest()[:16]


def _said(code: CodeType) -> list[tuple[str, Any]]:
    """Return what code executes, without where it stands."""
    return [(i.opname, _constant(i.argval)) for i in dis.get_instructions(code)]


def _constant(value: Any) -> Any:
    if isinstance(value, CodeType):
        return _said(value)
    if isinstance(value, frozenset):  # in the order of hashes, which differs from process to process
        return f"frozenset {sorted(map(repr, value))}"
    return _ADDRESS.sub("", repr(value))
