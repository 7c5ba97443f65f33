"""What a search shows: bars that can be read, lines, or nothing; and what it says of a study that has ended."""

import io
import re
import subprocess
import sys
import types
from dataclasses import replace

import pytest
from rich.console import Console

import tuning
from tests.conftest import ROOT
from tuning.display import choice, display_of, progress
from tuning.errors import OptionError
from tuning.records.definition import Definition
from tuning.records.objective import Objective
from tuning.records.trial import Curve, Run, State, Training, Trial

NAME = "val_sparse_categorical_accuracy"
DEFINITION = Definition("s", "space", None, (), Objective.parse(f"{NAME}:max"), "random", {}, 0, 200)


def running(number, epochs=0):
    curve = Curve(tuple({NAME: 0.5 + epoch / 1000} for epoch in range(epochs)))
    return Trial(number, {"a": 1}, trainings=(Training(curve),), runs=(Run(number, {"a": 1}, 0, 200),))


def drawn(monkeypatch, width, n_workers):
    """Return the lines of the bars while so many workers train."""
    console = Console(file=io.StringIO(), force_terminal=True, width=width, height=24)
    monkeypatch.setattr(progress, "remarks", lambda: console)
    display = progress.LiveProgress(1000)
    display.search_started(DEFINITION, [])
    for number in range(n_workers):
        display.run_started(running(number))
        display.training_epoch_ended(running(number, 17), 0)
    try:
        display._said_at = float("-inf")
        display.training_epoch_ended(running(0, 18), 0)
        lines = console.render_lines(display._bar.get_renderable(), pad=False)
        return ["".join(segment.text for segment in line) for line in lines]
    finally:
        display.__exit__(None, None, None)


@pytest.mark.medium
@pytest.mark.parametrize("width", [60, 80, 140])
@pytest.mark.parametrize("n_workers", [2, 100])
def test_bars_can_be_read_on_any_terminal_with_any_number_of_workers(monkeypatch, width, n_workers):
    lines = drawn(monkeypatch, width, n_workers)
    assert len(lines) <= 20 and all(len(line) <= width for line in lines)
    first = next(line for line in lines if "trial 0 " in line)
    assert "18/200" in first and "0.5170" in first, first
    assert len(re.findall("[━╸╺]", first)) >= 8, first
    assert (NAME in first) == (width > 100)
    assert ("84 more being trained" in "".join(lines)) == (n_workers == 100)


def test_it_says_where_trials_are_trained_before_and_when_they_are(monkeypatch):
    console = Console(file=io.StringIO(), force_terminal=True, width=100, highlight=False)
    monkeypatch.setattr(progress, "remarks", lambda: console)
    with progress.LiveProgress(3) as display:
        assert display._bar.words == "importing Keras"
        display.prepared("in 2 worker processes")
        assert display._bar.words == "looking at the data and a first model, in 2 worker processes"
        display.search_started(DEFINITION, [])
        display.run_started(running(0))
        display.run_ended(replace(running(0, 3), state=State.COMPLETED))
        assert display._bar.words.startswith("1 trial: 1 completed"), "also where no epoch ends for a while"
    assert "study s: random on space, seed 0, in 2 worker processes" in console.file.getvalue()
    assert progress.looking("") == "looking at the data and a first model"


@pytest.fixture
def finished(curve_space, tmp_path, capsys):
    def search(**more):
        study = tuning.search(curve_space, engine="random", trials=3, epochs=2, seed=0, logs=tmp_path, **more)
        return study, capsys.readouterr()

    return search


@pytest.mark.medium
def test_a_search_from_python_says_what_it_does_and_ends_with_the_best(finished):
    study, said = finished()
    lines = said.err.splitlines()
    assert said.out == "" and lines[0] == "study curve-random: random on curve, seed 0"
    assert sum(line.startswith("trial ") for line in lines) == 3
    assert lines[-1].startswith(f"best: trial {study.best.number}, val_loss") and "k=" in lines[-1]
    _, again = finished()
    assert "study curve-random resumed: 3 of 3 trials, nothing to train" in again.err.splitlines()
    assert again.err.splitlines()[-1] == lines[-1]


class Reports(tuning.SearchSpace):
    name, objective = "reports", "accuracy:max"

    def build(self, hp):
        return hp.Float("a", 0, 1)

    def fit(self, hp, model, x, y, *, epochs, callbacks=(), **_):
        for epoch in range(epochs):
            for callback in callbacks:
                callback.on_epoch_end(epoch, {"accuracy": model, "val_accuracy": model})

    def load_data(self):
        return tuning.Data([1.0, 2.0], [1.0, 2.0], ([1.0], [1.0]))


@pytest.mark.medium
@pytest.mark.parametrize("name", ["accuracy", "val_accuracy"])
def test_an_objective_on_training_data_is_remarked_on_where_there_are_others(tmp_path, capsys, name):
    tuning.search(Reports(), objective=f"{name}:max", engine="random", trials=1, epochs=1, seed=0, logs=tmp_path)
    assert ("remark: accuracy is measured on the training data" in capsys.readouterr().err) == (name == "accuracy")


@pytest.mark.medium
def test_silence_is_silent(finished):
    _, said = finished(verbose=0)
    assert said.out == said.err == ""


@pytest.mark.parametrize("verbose", [3, "yes", -1])
def test_other_values_are_refused_before_anything_happens(verbose, tmp_path, curve_space):
    with pytest.raises(OptionError, match="`verbose` must be 0 for silence"):
        tuning.search(curve_space, logs=tmp_path, verbose=verbose)
    assert not list(tmp_path.iterdir())


def test_a_notebook_has_a_display_of_its_own(monkeypatch):
    shell = types.SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    assert choice.in_notebook() and type(display_of(None, 3)).__name__ == "NotebookProgress"
    shell.kernel = None
    assert not choice.in_notebook() and type(display_of(None, 3)).__name__ == "PlainProgress"


def test_something_is_shown_before_anything_heavy_is_imported():
    code = (
        "import sys, tuning.cli.run, tuning.display\n"
        "display = tuning.display.display_of(None, 3)\n"
        "heavy = {'tensorflow', 'keras', 'optuna', 'sklearn', 'keras_tuner', 'pandas', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
