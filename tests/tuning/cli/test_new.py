"""`tune new`, and spaces of one's own by file and by module."""

import json
import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT


@pytest.mark.slow
def test_a_new_space_runs_as_it_is_and_is_shown(tune, tmp_path):
    made = tune("new", "my_wines")
    assert made.returncode == 0 and "tune run my_wines.py" in made.stdout, made.stderr
    text = (tmp_path / "my_wines.py").read_text()
    assert "class MyWines(" in text and 'name = "my_wines"' in text and "starter" not in text.lower()
    ran = tune("run", "my_wines.py", "--engine", "random", "--trials", 2, "--epochs", 8, "--seed", 1, "--workers", 1)
    assert ran.returncode == 0, ran.stderr
    record = json.loads(tune("show", "my_wines-random", "--json").stdout)
    assert [t["state"] for t in record["trials"]] == 2 * ["COMPLETED"] and all(t["compiled"] for t in record["trials"])
    assert record["best"] > 0.8


def test_nothing_is_overwritten(tune_here, tmp_path):
    (tmp_path / "mine.py").write_text("kept = True\n")
    refused = tune_here("new", "mine")
    assert refused.returncode == 1 and "There is a 'mine.py' already" in refused.stderr
    assert (tmp_path / "mine.py").read_text() == "kept = True\n"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("digits", "That is a bundled space. Try 'my_digits'"),
        ("json", "a module that a file of that name would hide"),
        ("space.py", "Write `tune new space`"),
        ("a/b", "letters, digits and '_'"),
        ("class", "letters, digits and '_'"),
        ("", "letters, digits and '_'"),
    ],
)
def test_names_are_checked(tune_here, tmp_path, name, says):
    refused = tune_here("new", name)
    assert refused.returncode == 1 and says in refused.stderr and len(refused.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_module_is_found_where_the_command_is_typed(tmp_path):
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package" / "__init__.py").touch()
    (tmp_path / "my_package" / "my_space.py").write_text((ROOT / "tests" / "spaces" / "curve.py").read_text())
    arguments = ["tune", "run", "my_package.my_space", "--engine=random", "--trials=1", "--epochs=2", "--quiet"]
    # As the installed command does it: the folder is not on the path of modules.
    code = f"import sys; sys.path.remove(''); sys.argv = {arguments}; from tuning.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True,
        text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "logs" / "curve-random" / "trials.db").is_file()
