"""What a study remembers of an argument of `fit`: JSON that is equal where the argument is, in every process.

Owns that form, how two of them are compared, how they are shown, and which can be made into a value again. A number,
text, None and a list stand for themselves; everything else is an object with a `kind`: "number" (not finite), "dict",
"set", "array" (by digest), "function" (by name), "object" (by what it says of itself), and "text", which is all that
studies of version 1 remember.
"""

from __future__ import annotations

import ast
import hashlib
import json
import math
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

MAX_DEPTH = 10
"""Things inside things that are looked at; what is deeper is remembered by its type."""

MAX_WORDS = 200
"""Most characters in which one argument is shown."""

ABSENT = {"kind": "absent"}
_PLAIN = (bool, int, float, str)
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]+")
_NUMPY_NUMBER = re.compile(r"(float|u?int|bool)(\d*|_)")


def remembered(value: Any) -> Any:
    """Return the JSON form of an argument."""
    return _remembered(value, ())


def _remembered(value: Any, outer: tuple[int, ...]) -> Any:
    value = _plain_number(value)
    if isinstance(value, float) and not math.isfinite(value):
        return {"kind": "number", "type": "float", "text": repr(value)}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if id(value) in outer or len(outer) >= MAX_DEPTH:
        return {"kind": "object", "type": _name(type(value)), "attributes": {}}
    outer = (*outer, id(value))
    if isinstance(value, (list, tuple)):
        return [_remembered(item, outer) for item in value]
    if isinstance(value, Mapping):
        items = [[_remembered(key, outer), _remembered(item, outer)] for key, item in value.items()]
        return {"kind": "dict", "type": _name(type(value)), "items": sorted(items, key=_sorted_by)}
    if isinstance(value, (set, frozenset)):
        items = sorted((_remembered(item, outer) for item in value), key=_sorted_by)
        return {"kind": "set", "type": _name(type(value)), "items": items}
    if isinstance(getattr(value, "__qualname__", None), str):  # a function, method or class
        return {"kind": "function", "type": _name(value)}
    if hasattr(value, "__array__"):
        array = _array(value)
        if array is not None:
            return array
    return {"kind": "object", "type": _name(type(value)), "attributes": _attributes(value, outer)}


def _plain_number(value: Any) -> Any:
    """Return a number of NumPy's, or a member of a subclass of int or str, as Python's own."""
    if hasattr(value, "dtype") and getattr(value, "shape", None) == () and callable(getattr(value, "item", None)):
        value = value.item()
    if type(value) in _PLAIN or hasattr(type(value), "__members__"):
        return value
    return next((kind(value) for kind in _PLAIN if isinstance(value, kind)), value)


def _name(thing: Any) -> str:
    return str(thing.__qualname__).replace("<locals>.", "")


def _sorted_by(form: Any) -> str:
    return json.dumps(form, sort_keys=True)


def _array(value: Any) -> dict[str, Any] | None:
    import numpy as np

    try:
        array = np.asarray(value)
    except Exception:  # it only looks like one
        return None
    if array.dtype.hasobject:
        content = _sorted_by(_remembered(array.tolist(), ())).encode()
    else:
        content = np.ascontiguousarray(array).tobytes()
    digest = hashlib.sha256(content).hexdigest()[:16]
    return {
        "kind": "array",
        "type": _name(type(value)),
        "dtype": str(array.dtype),
        "shape": list(array.shape),
        "digest": digest,
    }


def _attributes(value: Any, outer: tuple[int, ...]) -> dict[str, Any]:
    """Return what an object says of itself: its configuration, else its public attributes, else its text."""
    found = _configuration(value)
    if found is None and _is_of_python(type(value)):  # a logger, say, whose attributes lead everywhere
        found = {}
    elif found is None:
        found = {name: item for name, item in getattr(value, "__dict__", {}).items() if not name.startswith("_")}
    if hasattr(value, "func") and hasattr(value, "keywords"):  # functools.partial
        found = {"func": value.func, "args": value.args, "keywords": value.keywords, **found}
    if not found and _is_a_value(value) and not _ADDRESS.search(repr(value)):
        found = {"repr": repr(value)}
    if callable(getattr(value, "get_weights", None)):
        found = {**found, "weights": _weights(value)}
    return {name: _remembered(item, outer) for name, item in _without_counters(found, _name(type(value))).items()}


def _is_a_value(value: Any) -> bool:
    """Tell whether an object is what it shows, such as a date or a path, and not one that changes, such as a file."""
    return "__eq__" in {name for base in type(value).__mro__[:-1] for name in vars(base)} or hasattr(
        type(value), "__members__"
    )


def _is_of_python(kind: type) -> bool:
    return kind.__module__.partition(".")[0] in sys.stdlib_module_names


def _configuration(value: Any) -> dict[str, Any] | None:
    if not callable(getattr(value, "get_config", None)):
        return None
    try:
        return {str(name): item for name, item in value.get_config().items()}
    except Exception:  # there is one only for some objects of the class
        return None


def _weights(value: Any) -> Any:
    try:
        return value.get_weights()
    except Exception:
        return None


def _without_counters(config: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Return a configuration without names that Keras has made up, which count the objects of this process."""
    kept = {}
    made_up = re.sub(r"[^a-z0-9]", "", kind.rpartition(".")[2].lower())
    for name, item in config.items():
        if name == "name" and isinstance(item, str) and re.sub(r"(_\d+)?$|_", "", item) == made_up:
            continue
        inner = item.get("config") if isinstance(item, Mapping) else None
        if isinstance(inner, Mapping):
            item = {**item, "config": _without_counters(inner, str(item.get("class_name", "")))}
        elif isinstance(item, (list, tuple)):
            item = [_without_counters({"": each}, "")[""] for each in item]
        kept[name] = item
    return kept


# Comparing ----------------------------------------------------------------------------------------------


def differences(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield what differs between two sets of arguments: its name, and both sides in words."""
    for name in {**theirs, **mine}:
        yield from _differing(name, mine.get(name, ABSENT), theirs.get(name, ABSENT))


def _differing(name: str, mine: Any, theirs: Any) -> Iterator[tuple[str, str, str]]:
    for one, other in ((mine, theirs), (theirs, mine)):
        if _kind(one) == "text":
            if one["text"] != _as_text(other) and not _is_number_of_numpy(one["text"], other):
                yield name, in_words(mine), in_words(theirs)
            return
    inside = _paired(mine, theirs)
    if inside is None:
        if _sorted_by(mine) != _sorted_by(theirs):
            yield name, in_words(mine), in_words(theirs)
        return
    for suffix, one, other in inside:
        yield from _differing(name + suffix, one, other)


def _paired(mine: Any, theirs: Any) -> list[tuple[str, Any, Any]] | None:
    """Return the parts of two containers of one kind, side by side; None where they cannot be told part by part."""
    if isinstance(mine, list) and isinstance(theirs, list) and len(mine) == len(theirs):
        return [(f"[{i}]", one, other) for i, (one, other) in enumerate(zip(mine, theirs, strict=True))]
    if _kind(mine) != _kind(theirs) or _kind(mine) not in ("dict", "object") or mine["type"] != theirs["type"]:
        return None
    if _kind(mine) == "object":
        one, other, wrap = mine["attributes"], theirs["attributes"], ".{}"
    else:
        one, other = ({in_words(key): item for key, item in side["items"]} for side in (mine, theirs))
        wrap = "[{}]"
    return [(wrap.format(key), one.get(key, ABSENT), other.get(key, ABSENT)) for key in {**other, **one}]


def _kind(form: Any) -> str:
    return form["kind"] if isinstance(form, dict) else "plain"


def from_text(text: str) -> Any:
    """Return the form of what a study of version 1 remembers: the value where its text is one, else the text."""
    try:
        return remembered(ast.literal_eval(text))
    except (SyntaxError, ValueError):
        return {"kind": "text", "text": text.replace("<locals>.", "")}


def _as_text(form: Any) -> str:
    """Return what version 1 remembered of the same argument."""
    if isinstance(form, list):
        return f"[{', '.join(map(_as_text, form))}]"
    if not isinstance(form, dict):
        return repr(form)
    text: str = form["text"] if _kind(form) in ("number", "text") else form.get("type", _kind(form))
    return text


def _is_number_of_numpy(text: str, form: Any) -> bool:
    return isinstance(form, (int, float)) and _NUMPY_NUMBER.fullmatch(text) is not None


# Showing and making again -------------------------------------------------------------------------------


def in_words(form: Any) -> str:
    """Return an argument as a person would write it, shortened."""
    words = _words(form)
    return words if len(words) <= MAX_WORDS else f"{words[: MAX_WORDS - 4]} ..."


def _words(form: Any) -> str:
    if isinstance(form, list):
        return f"[{', '.join(map(_words, form))}]"
    if not isinstance(form, dict):
        return repr(form)
    return _WORDS[form["kind"]](form)


def _listed(attributes: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={_words(item)}" for name, item in attributes.items())


_WORDS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "absent": lambda form: "absent",
    "number": lambda form: form["text"],
    "text": lambda form: form["text"],
    "dict": lambda form: f"{{{', '.join(f'{_words(key)}: {_words(item)}' for key, item in form['items'])}}}",
    "set": lambda form: f"{{{', '.join(map(_words, form['items']))}}}",
    "array": lambda form: f"{form['type']} of {form['dtype']} {tuple(form['shape'])} {form['digest']}",
    "function": lambda form: form["type"],
    "object": lambda form: f"{form['type']}({_listed(form['attributes'])})",
}


def value_of(form: Any) -> Any:
    """Return the argument that a form was made of.

    Raises:
        ValueError: it is remembered, but cannot be made again.
    """
    if isinstance(form, list):
        return [value_of(item) for item in form]
    if not isinstance(form, dict):
        return form
    if form["kind"] == "number":
        return float(form["text"])
    if form["kind"] == "dict":
        return {_hashable(value_of(key)): value_of(item) for key, item in form["items"]}
    if form["kind"] == "set":
        return set(map(value_of, form["items"]))
    raise ValueError(f"{in_words(form)} cannot be made again")


def _hashable(key: Any) -> Any:
    return tuple(map(_hashable, key)) if isinstance(key, Sequence) and not isinstance(key, str) else key
