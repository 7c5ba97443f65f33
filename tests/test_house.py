"""The rules of the house that a program can check: sizes, and the pages that say where things are."""

import ast
import configparser
import re

import pytest

from tests.conftest import ROOT

MAX_LINES, MAX_FUNCTION_LINES, MAX_PARAMETERS = 400, 60, 12
"""Of a file; of a function without its docstring; of a function, `self` not counted."""

MAY_HAVE_MORE_PARAMETERS = ("tuning/cli/", "tuning/api.py:search")
"""Typer's commands, and the one function that the public calls."""

TOO_LARGE = {
    "tests/tuning/estimators/test_keras_estimators.py",
    "tests/tuning/executors/test_processes.py",
    "tuning/cli/run.py:run",
    "tuning/compiled/fitting.py:fit",
    "tuning/estimators/tuned_base.py:__init__",
}
"""What breaks the rules today. Nothing is added here, and what no longer breaks them must go."""

FILES = sorted(path for room in ("tuning", "search_spaces", "scripts", "tests") for path in (ROOT / room).rglob("*.py"))


def too_large(name, text):
    """Name what breaks a rule of size in the text of a file."""
    found = {name} if len(text.splitlines()) > MAX_LINES else set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            place = f"{name}:{node.name}"
            is_long = lines_of(node) > MAX_FUNCTION_LINES
            if is_long or (parameters_of(node) > MAX_PARAMETERS and not place.startswith(MAY_HAVE_MORE_PARAMETERS)):
                found.add(place)
    return found


def lines_of(function):
    first = function.body[0]
    is_text = (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )
    docstring = first.end_lineno - first.lineno + 1 if is_text else 0
    return function.end_lineno - function.lineno + 1 - docstring


def parameters_of(function):
    given = function.args
    names = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg) if one]
    return len([name for name in names if name not in ("self", "cls")])


@pytest.mark.medium
def test_nothing_is_too_large_but_what_is_listed():
    found = {name for path in FILES for name in too_large(path.relative_to(ROOT).as_posix(), path.read_text("utf-8"))}
    assert found == TOO_LARGE


@pytest.mark.parametrize(
    ("text", "is_too_large"),
    [
        ("x = 1\n" * MAX_LINES, False),
        ("x = 1\n" * (MAX_LINES + 1), True),
        ("def f():\n" + "    x = 1\n" * (MAX_FUNCTION_LINES - 1), False),
        ("def f():\n    'about f'\n" + "    x = 1\n" * (MAX_FUNCTION_LINES - 1), False),
        ("def f():\n" + "    x = 1\n" * MAX_FUNCTION_LINES, True),
        (f"def f(self, {', '.join(f'a{i}' for i in range(MAX_PARAMETERS))}): pass", False),
        (f"def f({', '.join(f'a{i}' for i in range(MAX_PARAMETERS))}, *, b): pass", True),
    ],
)
def test_what_is_too_large_is_found(text, is_too_large):
    assert bool(too_large("file.py", text)) == is_too_large


# Pages that say where things are ---------------------------------------------------------------------------


def rooms_of_the_listing():
    folder = ROOT / "tuning"
    modules = {path.stem for path in folder.glob("*.py") if path.stem not in ("__init__", "__main__")}
    return modules | {path.parent.name for path in folder.glob("*/__init__.py")}


def test_the_architecture_has_every_room_on_the_floor_that_is_checked():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    layers = setup["importlinter:contract:floors"]["layers"].split("\n")
    floors = [set(re.split(r"\s*\|\s*", layer)) for layer in layers if layer]
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", text, re.MULTILINE)
    told = [{room for floor, room in rows if int(floor) == number} for number in reversed(range(len(floors)))]
    assert told == floors
    assert set().union(*floors) == rooms_of_the_listing()


PATH = re.compile(r"`((?:tuning|tests|search_spaces|scripts|docs|\.ci)/[\w./-]*|[\w.]+\.(?:md|cfg))`")


def test_every_path_that_contributing_names_exists():
    named = set(PATH.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")))
    assert len(named) > 30
    assert not [path for path in named if "ROOM" not in path and not (ROOT / path).exists()]


def test_every_target_of_make_that_contributing_names_exists():
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    named = re.findall(r"(?:^|`)make ([\w-]+)", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(named) <= set(targets) and {"test", "quick"} <= set(named)
