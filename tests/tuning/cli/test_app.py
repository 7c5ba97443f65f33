"""Every command is in the help, and every module with a command is registered."""

import re
from pathlib import Path

import pytest
import typer
import typer.testing

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
    wanted = sum(path.read_text(encoding="utf-8").count("@app.command") for path in room.glob("*.py"))
    assert len(listed(app)) == wanted
