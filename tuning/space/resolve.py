"""Find a search space by the name a person gives on the command line.

A name is a bundled space (`fashion_mnist`), a module (`my_package.my_space`) or a file (`path/to/space.py`).
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import pkgutil
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from tuning.errors import SpaceError, guess, one_line
from tuning.space.imports import import_keras
from tuning.space.search_space import SearchSpace, as_space

BUNDLED = "search_spaces"

_IMPORTS_KERAS_AT_ONCE = re.compile(r"^(?:import|from)\s+(?:keras|tensorflow)\b", re.MULTILINE)
_IMPORTS_KERAS = re.compile(r"^\s*(?:import|from)\s+(?:keras|tensorflow)\b", re.MULTILINE)


@dataclass(frozen=True)
class Bundled:
    """What the docstring of a bundled space says of it.

    Attributes:
        description: its first line.
        data: what comes after "Data: " on a line of its own: the data and where they are from.
    """

    description: str
    data: str


def bundled_spaces() -> dict[str, Bundled]:
    """Return the bundled spaces by name, without importing them."""
    package = importlib.util.find_spec(BUNDLED)
    if package is None or not package.submodule_search_locations:
        return {}
    found = {}
    for module in pkgutil.iter_modules(package.submodule_search_locations):
        if not module.ispkg and not module.name.startswith("_"):
            path = Path(package.submodule_search_locations[0]) / f"{module.name}.py"
            text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
            data = re.search(r"^Data: (.*)$", text, re.MULTILINE)
            found[module.name] = Bundled(text.partition("\n")[0], data[1] if data else "")
    return found


def resolve(name: str) -> SearchSpace:
    """Return the search space of that name.

    A module gives its space as `space = ...`, as one `SearchSpace` subclass, or as a `build_model(hp)`.

    Raises:
        SpaceError: there is no such space, or it cannot be imported.
    """
    text = _source(name)
    if _IMPORTS_KERAS_AT_ONCE.search(text):
        import_keras()  # the module is about to; this way without TensorFlow's log lines
    module = _load_module(name)
    space = _space_of(module, name)
    if name in bundled_spaces() or _IMPORTS_KERAS.search(text):
        space.imports = ("keras",)
    if not space.description:
        space.description = (module.__doc__ or "").strip().partition("\n")[0]
    return space


def _source(name: str) -> str:
    """Return the text of the module; empty when it is not to be had."""
    try:
        path = name if name.endswith(".py") else getattr(importlib.util.find_spec(name), "origin", None)
        return Path(path).read_text(encoding="utf-8") if path else ""
    except (ImportError, OSError, ValueError):
        return ""


def _load_module(name: str) -> ModuleType:
    if name.endswith(".py"):
        return _load_file(Path(name))
    if name in bundled_spaces():
        return importlib.import_module(f"{BUNDLED}.{name}")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise SpaceError(
                f"`space` must be a bundled space, a module or a .py file, but got '{name}'. "
                f"{guess(name, bundled_spaces())} Bundled: {', '.join(bundled_spaces())}.".replace("  ", " ")
            ) from None
        raise SpaceError(f"'{name}' could not be imported: {error}.") from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit, where a program is no module
        raise SpaceError(f"'{name}' could not be imported: {one_line(error)}") from error


def _load_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise SpaceError(f"`space` must be an existing file, but there is no '{path}'.")
    module_name = f"_tuning_space_{path.stem}"
    spec = importlib.util.spec_from_file_location(module_name, path.resolve())
    if spec is None or spec.loader is None:
        raise SpaceError(f"'{path}' could not be read as Python.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # classes of the file must be importable while it runs
    try:
        spec.loader.exec_module(module)
    except BaseException as error:  # SystemExit, where a program is no module
        del sys.modules[module_name]
        if isinstance(error, KeyboardInterrupt):
            raise
        raise SpaceError(f"'{path}' could not be run: {one_line(error)}") from error
    return module


def _space_of(module: ModuleType, name: str) -> SearchSpace:
    given = getattr(module, "space", None)
    if given is not None:
        return as_space(given)
    classes = [
        v
        for v in vars(module).values()
        if isinstance(v, type) and issubclass(v, SearchSpace) and v.__module__ == module.__name__
    ]
    if len(classes) == 1:
        return as_space(classes[0])
    if classes:
        names = ", ".join(c.__name__ for c in classes)
        raise SpaceError(
            f"'{name}' must have one SearchSpace or a variable `space`, but defines {names}. "
            f"Write `space = {classes[-1].__name__}()`."
        )
    if callable(getattr(module, "build_model", None)):
        space = as_space(module.build_model)
        space.name = Path(name).stem if name.endswith(".py") else name.rpartition(".")[2]
        return space
    raise SpaceError(
        f"'{name}' must define a SearchSpace subclass, a variable `space` or a function build_model(hp), "
        "but has none of them."
    )
