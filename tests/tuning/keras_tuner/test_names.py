"""Every public name of KerasTuner's is found in our room, and is the very same object."""

import importlib
import inspect
import re
import subprocess
import sys
import types

import keras_tuner
import pytest

import tuning.keras_tuner as kt
from tests.conftest import ROOT

PUBLIC = [name for name in vars(keras_tuner) if not name.startswith("_") and name != "src"]
MODULES = sorted(n for n in sys.modules if n.startswith("keras_tuner.") and not n.startswith("keras_tuner.src"))


def test_all_public_names_are_keras_tuners_own_objects():
    assert {"RandomSearch", "HyperModel", "Oracle", "engine", "oracles", "errors", "applications"} <= set(PUBLIC)
    assert all(getattr(kt, name) is getattr(keras_tuner, name) for name in PUBLIC)
    assert kt.__version__ == keras_tuner.__version__


@pytest.mark.parametrize("name", MODULES)
def test_all_public_modules_are_imported_under_either_name(name):
    assert importlib.import_module(f"tuning.{name}") is sys.modules[name]
    for attribute, value in vars(sys.modules[name]).items():
        if not attribute.startswith("_") and not isinstance(value, types.ModuleType):
            assert getattr(importlib.import_module(f"tuning.{name}"), attribute) is value


def names_in(cell):
    return re.findall(r"`([\w.]+)`", cell)


def rows_of_the_docs():
    """Return the rows of the table of public names: the names in the first cell and those in the second."""
    text = (ROOT / "docs" / "keras_tuner.md").read_text(encoding="utf-8").split("## Every public name")[1]
    rows = [line.strip("|").split("|", 1) for line in text.splitlines() if line.startswith("| `")]
    return [(names_in(name), names_in(state)) for name, state in rows]


def test_the_page_of_the_docs_tells_the_state_of_every_public_name_and_of_no_other():
    told = {name for names, _ in rows_of_the_docs() for name in names}
    expected = {name.removeprefix("keras_tuner.") for name in [*PUBLIC, *MODULES]}
    assert told == {*expected, "kerastuner", "install", "uninstall", "workers"}


@pytest.mark.parametrize("name", [name for name in MODULES if name != "keras_tuner.engine"])
def test_the_page_of_the_docs_tells_all_names_of_a_module(name):
    (told,) = [state for names, state in rows_of_the_docs() if names == [name.removeprefix("keras_tuner.")]]
    found = {n for n, v in vars(sys.modules[name]).items() if not n.startswith("_") and not inspect.ismodule(v)}
    assert set(told) - {"search"} == found


def test_search_is_given_back_and_taken_again():
    ours = keras_tuner.Tuner.search
    kt.uninstall()
    try:
        assert keras_tuner.Tuner.search is not ours and "tuning" not in keras_tuner.Tuner.search.__module__
    finally:
        kt.install()
    assert "tuning" in keras_tuner.Tuner.search.__module__


def test_help_of_the_runner_loads_nothing():
    done = subprocess.run(
        [sys.executable, "-c", "import runpy, sys; sys.argv = ['x', '--help']\n"
         "import tuning.cli.keras_tuner; print('keras' in sys.modules)"],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    assert done.stdout.strip() == "False"
