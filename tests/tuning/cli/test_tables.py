"""Tables fit whatever a terminal is wide, and never at the cost of the hyperparameters."""

import types
from dataclasses import replace

import pytest
from rich.console import Console

from tuning.cli.tables import front_table, trials_table, ways
from tuning.records.definition import Definition
from tuning.records.objective import Objective
from tuning.records.trial import Curve, Run, State, Training, Trial
from tuning.records.words import best_line, counts, numbers_of

VALUES = {"n_hidden": 6, "n_neurons": 270, "learning_rate": 0.00123, "optimizer": "adam", "dropout_rate": 0.25}


def study_of(objective="val_accuracy", values=VALUES, **of_trial):
    goal = Objective.parse(f"{objective}:max")
    curve = Curve(({objective: 0.5}, {objective: 0.9139}))
    trials = [
        Trial(n, values, State.COMPLETED, (Training(curve, 0.9 + n / 1000, 1, 75.0),), **of_trial) for n in range(3)
    ]
    definition = Definition("s", "space", None, (), goal, "random", {}, 0, 2)
    return types.SimpleNamespace(trials=trials, objective=goal, definition=definition, is_live=False)


def printed(study, width, top=None):
    console = Console(width=width)
    with console.capture() as captured:
        console.print(trials_table(study, top, width))
    return captured.get()


@pytest.mark.parametrize("width", [60, 80, 100, 140])
@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("objective", ["val_accuracy", "val_sparse_top_k_categorical_accuracy"])
def test_every_hyperparameter_is_shown_at_any_width(width, compiled, objective):
    text = printed(study_of(objective, compiled=compiled), width)
    assert all(len(line) <= width for line in text.splitlines()) and "…" not in text
    for name, value in VALUES.items():
        assert name in text
        assert text.count(str(value)) >= 3
    assert "0.9020" in text and "COMPLETED" in text


def test_what_goes_first_is_the_epoch_then_the_epochs_then_the_time():
    widths = range(60, 160, 5)
    heads = {width: printed(study_of(), width, top=1) for width in widths}
    shown = {name: [w for w in widths if f" {name} " in heads[w]] for name in ("epoch", "epochs", "time", "n_hidden")}
    assert min(shown["epoch"]) > min(shown["epochs"]) > min(shown["time"]) > min(shown["n_hidden"]) > 60
    for at in shown.values():
        assert at == [w for w in widths if w >= at[0]], "more room never shows less"


def test_many_hyperparameters_are_words():
    values = {f"hyperparameter_{i}": i for i in range(30)}
    for width in (60, 240):
        text = printed(study_of(values=values), width)
        assert all(f"hyperparameter_{i}={i}" in text for i in range(30))


def test_the_best_is_one_line_with_all_its_values():
    study = study_of()
    assert best_line(study.definition, study.trials) == (
        "best: trial 2, val_accuracy 0.9020, n_hidden=6, n_neurons=270, learning_rate=0.00123, optimizer=adam, "
        "dropout_rate=0.25"
    )
    assert best_line(study.definition, []) == "best: none yet, for no trial has a score"


def test_one_is_shown_not_are():
    trials = study_of().trials
    assert counts(trials, False, 1).endswith("the best one is shown (--top)")
    assert counts(trials, False, 2).endswith("the best 2 are shown (--top)")
    assert "shown" not in counts(trials, False, 3)


def test_what_no_driver_trains_any_more_is_interrupted_wherever_trials_are_counted():
    training, resting = Run(0, VALUES, 0, 2), Run(0, VALUES, 0, 2, asked=0, ended=1)
    trials = [*study_of().trials, *(Trial(3, VALUES, runs=(run,)) for run in (training, resting))]
    assert counts(trials, is_live=True) == "5 trials: 1 running, 1 resting, 3 completed"
    assert counts(trials, is_live=False) == "5 trials: 1 resting, 1 interrupted, 3 completed"


@pytest.mark.parametrize("width", [60, 80, 140])
def test_every_value_of_a_pareto_set_is_shown_at_any_width(width):
    trials = [replace(trial, scores=(trial.score, 81_000.0)) for trial in study_of().trials]
    objectives = [Objective.parse("val_accuracy:max"), Objective.parse("n_params:min")]
    console = Console(width=width)
    with console.capture() as captured:
        console.print(front_table(trials, objectives, width))
    lines = captured.get().splitlines()
    assert all(len(line) <= width for line in lines) and ("n_params (min)" in lines[1]) == (width > 60)
    assert all("".join(lines).count(text) >= 3 for text in ("270", "0.00123", "adam", "0.25", "81000"))


def test_of_many_trials_the_first_are_listed():
    trials = [Trial(n, {}) for n in range(40)]
    assert numbers_of(trials[:1]) == "trial 0" and numbers_of(trials[:2]) == "trials 0, 1"
    assert numbers_of(trials).endswith("28, 29 and 10 more")


def test_how_trials_were_trained_is_said_where_it_is_not_the_usual_way():
    how = [
        (True, None),
        (True, "XLA would pay from 400 batches on, and the run has 3"),
        (False, "run_eagerly is set"),
        (True, "in one program with up to 1 other"),
        (True, "in one program with up to 7 others"),
    ]
    trials = [
        replace(study_of().trials[0], number=n, compiled=compiled, compiled_reason=reason)
        for n, (compiled, reason) in enumerate(how)
    ]
    assert ways(trials) == [
        "not compiled: run_eagerly is set (trial 2)",
        "trained in one program with others (trials 3, 4)",
    ]
