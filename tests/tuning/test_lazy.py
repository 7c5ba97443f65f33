"""Packages whose names are imported when they are first used: what they list, and what is there, is the same."""

import ast
import importlib
from pathlib import Path

import pytest

import tuning

ROOT = Path(tuning.__file__).parent
LAZY = {
    ".".join(path.parent.relative_to(ROOT.parent).parts): path
    for path in sorted(ROOT.rglob("__init__.py"))
    if "def __getattr__" in path.read_text(encoding="utf-8")
}


def test_there_are_lazy_packages():
    assert {"tuning", "tuning.compiled", "tuning.estimators"} <= set(LAZY)


@pytest.mark.parametrize("name", LAZY)
def test_what_a_lazy_package_lists_is_what_type_checkers_see_and_what_is_there(name):
    tree = ast.parse(LAZY[name].read_text(encoding="utf-8"))
    package = importlib.import_module(name)
    (shown,) = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    seen = {alias.name: node.module for node in shown.body for alias in node.names}
    assert seen == package._HOMES, "imports for type checkers and homes differ"
    assert sorted(package.__all__) == sorted(package._HOMES) and len(set(package.__all__)) == len(package.__all__)
    for exported, home in package._HOMES.items():
        assert exported in defined(home), f"{home} has no {exported}"
    with pytest.raises(AttributeError, match="no attribute 'no_such_name'"):
        _ = package.no_such_name


def defined(module):
    """Return the names that a module defines or imports, without importing what it imports."""
    spec = ROOT.parent.joinpath(*module.split("."))
    path = spec / "__init__.py" if spec.is_dir() else spec.with_suffix(".py")
    found = set()
    body = ast.parse(path.read_text(encoding="utf-8")).body
    for node in [*body, *(inner for outer in body if isinstance(outer, ast.If) for inner in outer.body)]:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            found |= {ast.unparse(target) for target in getattr(node, "targets", None) or [node.target]}
    return found
