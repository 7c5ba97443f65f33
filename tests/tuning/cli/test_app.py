"""Every command is in the help, and every module with a command is registered."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
import typer.testing

import tuning
from tests.conftest import ROOT, SPACES
from tuning.cli import app as module
from tuning.cli import main


@pytest.fixture
def app(monkeypatch):
    """The application with all its commands."""
    monkeypatch.setattr("sys.argv", ["tune", "--version"])
    with pytest.raises(SystemExit):
        main()
    return module.app


def listed(app):
    """Return the commands in the order of the help."""
    command = typer.main.get_command(app)
    return command.list_commands(None)


def test_the_order_names_every_command(app):
    assert listed(app) == list(module.ORDER)


def test_a_command_that_the_order_forgets_comes_last_and_is_in_the_help(app, monkeypatch):
    monkeypatch.setattr(module, "ORDER", tuple(name for name in module.ORDER if name != "show"))
    assert listed(app) == [*module.ORDER, "show"]
    assert re.search(r"\bshow\b", typer.testing.CliRunner().invoke(app, ["--help"]).output)


def test_every_module_with_a_command_is_registered(app):
    room = Path(module.__file__).parent
    texts = [path.read_text(encoding="utf-8") for path in room.glob("*.py")]
    assert len(listed(app)) == sum(text.count("@app.command") + text.count("app.add_typer(") for text in texts)


class _Interrupts:
    """As if Ctrl-C came while a module is imported."""

    def find_spec(self, name, path, target=None):
        if name == "tuning.cli.run":
            raise KeyboardInterrupt


def test_an_interruption_while_importing_is_one_line(monkeypatch, tune_here):
    monkeypatch.delitem(sys.modules, "tuning.cli.run", raising=False)
    monkeypatch.delattr("tuning.cli.run", raising=False)
    monkeypatch.setattr(sys, "meta_path", [_Interrupts(), *sys.meta_path])
    done = tune_here("--version")
    assert done.returncode == 130 and done.stderr == "error: interrupted\n"


@pytest.mark.medium
def test_closed_standard_streams_do_no_harm(tmp_path):
    """What is opened in their place would be written into: here the database."""
    run = f"run {SPACES / 'curve.py'} --engine optuna -o sampler=random --trials 2 --epochs 1 --workers 1"
    order = f'exec "{sys.executable}" -m tuning.cli {run} --logs "{tmp_path}" --study s <&- 2>&- '
    done = subprocess.run(["sh", "-c", order], cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=300, check=False)
    assert done.returncode == 0 and "best" in done.stdout
    import tuning

    assert len(tuning.load(tmp_path / "s").trials) == 2


def test_on_windows_every_command_and_every_name_says_plainly_what_to_use(tune_here, monkeypatch):
    monkeypatch.setattr("sys.platform", "win32")
    for command in (["run", "digits"], ["list"]):
        answer = tune_here(*command)
        assert answer.returncode == 1 and answer.stderr.count("\n") == 1
        assert answer.stderr.startswith("error: the system must be Linux or macOS, but this is Windows")
    with pytest.raises(tuning.TuningError, match="WSL2"):
        _ = tuning.search
