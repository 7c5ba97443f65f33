"""Text is shown as it is, whatever a study holds: brackets are no markup, and nothing steers the terminal."""

import pytest

import tuning
from tuning.display.console import printable

SPACE = """
from tuning import Data, SearchSpace
class Markup(SearchSpace):
    name, objective = "[/mark]", "[b]score:max"
    def build(self, hp):
        hp.Float("[red]a", 0, 1)
        return hp.Choice("[activations]", ["[relu]", "[relu, tanh]", "[/b]", ":smile:", "\\x1b[31m"])
    def fit(self, hp, model, x, *, epochs, initial_epoch=0, callbacks=(), **_):
        if model == "[/b]" and epochs > 1: raise ValueError("[/nothing] of :that:")
        return float(len(model))
    def load_data(self): return Data([float(i) for i in range(10)])
"""


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("markup")
    (folder / "markup.py").write_text(SPACE)
    tries = [
        {"[activations]": value, "[red]a": 0.5} for value in ("[relu]", "[relu, tanh]", "[/b]", ":smile:", "\x1b[31m")
    ]
    tuning.search(str(folder / "markup.py"), engine="random", trials=5, epochs=2, seed=0, tries=tries, study="m",
                  logs=folder)  # fmt: skip
    return folder


def test_values_and_names_are_no_markup(logs, tune_here):
    shown = tune_here("show", "m", "--logs", logs)
    assert shown.returncode == 0, shown.stderr
    for text in ("[relu]", "[relu, tanh]", "[/b]", ":smile:", "[red]a", "[activations]", "[b]score", "of :that:"):
        assert text in shown.stdout
    assert "\x1b" not in shown.stdout and "\\x1b[31m" in shown.stdout


@pytest.mark.parametrize("command", [["list"], ["best", "m"], ["report", "m"]])
def test_other_commands_take_text_as_it_is(command, logs, tune_here):
    done = tune_here(*command, "--logs", logs)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout + done.stderr


def test_an_error_is_one_line_that_steers_nothing(tune_here):
    done = tune_here("show", "\x1b[2Jgone\r\n", "--logs", "nowhere")
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1 and "\x1b" not in done.stderr


def test_what_is_not_seen_is_written_out():
    assert printable("a\x1b[2J\u202eb\ud800 ü\u00a0\n") == "a\\x1b[2J\\u202eb\\ud800 ü\u00a0\n"
