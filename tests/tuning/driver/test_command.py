"""The command of a study searches the same again: its definition is equal, trial by trial the values are."""

import shlex
import sys
from dataclasses import replace

import numpy as np
import pytest
import typer.testing

import tuning
from tests.conftest import ROOT
from tests.test_golden_studies import write
from tuning.cli import main
from tuning.cli import run as run_command
from tuning.cli.app import app
from tuning.cli.options import configuration, literal
from tuning.driver import command as module
from tuning.records.definition import Definition
from tuning.records.objective import Objective

FORMULA = str(write.SPACE)


@pytest.fixture
def repeated(monkeypatch, tmp_path):
    """Return a function that runs a command in this process, in another folder, and returns the study."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", ["tune", "--version"])
    with pytest.raises(SystemExit):
        main()  # registers the commands
    found = []

    def in_process(space, arguments, quiet):
        given = {name: value for name, value in arguments.items() if name != "workers"}
        found.append(tuning.search(space, **{**given, "logs": tmp_path / "again"}))
        return found[-1]

    monkeypatch.setattr(run_command, "run_search", in_process)

    def call(text):
        program, *words = shlex.split(text)
        result = typer.testing.CliRunner().invoke(app, words, catch_exceptions=False)
        assert program == "tune" and result.exit_code == 0, result.output
        return found[-1]

    return call


SEARCHES = {
    **{name: write.ARGUMENTS[name] for name in write.ARGUMENTS if not name.endswith("-finished")},
    "drawn-candidates": {"engine": "grid", "options": {"search": "random"}, "trials": 4, "cv": 2},
    "grid-of-ours": {"engine": "grid", "options": {"grid": {"k": ["x", "z"], "a": [0.25, 0.5]}}, "cv": 2},
    "patient": {"engine": "random", "trials": 2, "patience": 2},
    "without-a-sampler": {"engine": "optuna", "trials": 3, "options": {"pruner": "none", "sampler": "tpe"}},
    "tries-of-few": {"engine": "optuna", "trials": 1, "tries": [{"a": 0.5}, {"a": 1}]},
}


QUICK = ("tries", "objectives", "patient", "without-a-sampler", "drawn-candidates", "grid-of-ours")


@pytest.mark.medium
@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in SEARCHES]
)
def test_the_command_of_a_study_repeats_it(name, repeated, tmp_path):
    study = tuning.search(FORMULA, study=name, logs=tmp_path, **{**write.DEFAULTS, **SEARCHES[name]})
    again = repeated(study.command())
    assert again.path != study.path and again.definition == study.definition
    assert [trial.values for trial in again.trials] == [trial.values for trial in study.trials]
    assert [trial.score for trial in again.trials] == [trial.score for trial in study.trials]
    assert again.command() == study.command()


@pytest.mark.parametrize(
    "value", [None, True, 3, 0.1, 1e-7, "relu", "None", "3", "true", "a b", 'quo"ted', "a=b", "a,b=c", "", "é", "[1"]
)
def test_values_come_back_as_they_were(value):
    for text in (f"--fix=name={module._text(value)}", f"--try=name={module._without_commas(value)},b=1"):
        (word,) = shlex.split(shlex.join([text]))
        flag, _, pair = word.partition("=")
        name, _, typed = pair.partition("=")
        read = literal(typed) if flag == "--fix" else configuration(pair)["name"]
        assert read == value and type(read) is type(value), text
    assert configuration(f"b=1,name={module._without_commas(value)}") == {"b": 1, "name": value}


DEFINITION = Definition(
    "s", "formula", FORMULA, (), Objective("val_loss", "min"), "optuna", {"sampler": "tpe"}, 3, 2, {"x": "x"}, {}
)


@pytest.mark.parametrize(
    "change, why",
    [
        ({"space_source": None}, "its space was made in a program"),
        ({"space_source": "digits"}, "its data were given in a program"),
        ({"cv": {"is_number": False, "folds": 3}}, "its folds were given in a program"),
        ({"options": {"sampler": "instance of optuna.samplers.TPESampler"}}, "given an object for sampler"),
        ({"fit": {"patience": "None", "callbacks": "[Mine]", "x": "3"}}, "trainings were given callbacks and x"),
        ({"space_source": None, "fit": {"class_weight": "dict"}}, "in a program and its trainings were given class_w"),
    ],
)
def test_what_no_command_can_say_is_said_in_words(change, why):
    assert module.why_none(DEFINITION) == "" and module.command(DEFINITION, [])
    definition = replace(DEFINITION, **change)
    assert why in module.why_none(definition) and module.command(definition, []) is None


def test_another_backend_is_part_of_the_command():
    there = module.command(replace(DEFINITION, backend="jax"), [])
    assert there == f"KERAS_BACKEND=jax {module.command(DEFINITION, [])}"


@pytest.mark.medium
def test_arguments_of_fit_leave_no_command(tmp_path):
    class Line(tuning.SearchSpace):
        objective = "val_loss:min"

        def build(self, hp):
            return hp.Float("a", 0, 1)

        def fit(self, hp, model, *arguments, **options):
            return {"val_loss": model}

    x = np.ones(4)
    study = tuning.search(
        Line(), x, x, validation_data=(x, x), engine="random", trials=1, logs=tmp_path, class_weight={0: 1.0}
    )
    assert study.command() is None
    page = tuning.write_report(study).read_text(encoding="utf-8")
    assert "No command repeats it, because its space was made in a program and its trainings were given clas" in page
