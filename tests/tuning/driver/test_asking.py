"""Ask and tell: a program trains, and its study is stored, shown and gone on with like any other."""

import itertools
import subprocess
import sys
import threading

import optuna
import pytest

import tuning
from tests.conftest import ROOT
from tests.processes import outcome
from tests.tuning.driver.test_failures_between_writes import Killed
from tuning.errors import OptionError, StudyError
from tuning.hyperparameters import Float
from tuning.records.trial import State
from tuning.storage.database import Database
from tuning.tensorboard.hparams import session_starts_in

ENGINES = ["optuna", "random", "hyperband", "bayesian", "grid"]


def space(hp):
    hp.Float("a", 0, 1)
    hp.Int("b", 1, 9)
    hp.Choice("k", ["x", "y"])


def loss_of(values, epoch):
    return (values["a"] - 0.3) ** 2 + values["b"] / 10 + 1 / (epoch + 1)


@pytest.fixture
def opened(tmp_path):
    """Open a study with little to search; it is closed at the end."""
    made = []

    def call(given=space, **arguments):
        defaults = {"objective": "val_loss", "trials": 4, "epochs": 3, "seed": 0, "logs": tmp_path, "study": "told"}
        if arguments.get("engine") == "grid":
            defaults["options"] = {"grid": {"a": [0.1, 0.2, 0.9], "b": [1, 2]}}
        made.append(tuning.open(given, **{**defaults, **arguments}))
        return made[-1]

    yield call
    for study in made:
        study.close()


def train(study, trial, is_killed=False):
    """Report until the trial is to stop; tell, unless the program dies after the first report."""
    for epoch in trial.epochs:
        goes_on = trial.report({"val_loss": loss_of(trial.params, epoch)})
        if is_killed:
            return
        if not goes_on:
            break
    study.tell(trial)


def go(study):
    while (trial := study.ask()) is not None:
        train(study, trial)
    return study


def essence(study):
    return [one[:-1] + ([run[:3] for run in one[-1]],) for one in outcome(study)]


@pytest.mark.medium
@pytest.mark.parametrize("engine", ENGINES)
def test_a_program_searches_as_the_toolkit_does(opened, engine, tmp_path):
    """The same proposals, scores and states as a search whose trials are trained here."""

    class Formula(tuning.SearchSpace):
        def build(self, hp):
            space(hp)
            return dict(hp.values)

        def fit(self, hp, model, x, *, epochs, initial_epoch=0, callbacks=(), **_):
            for epoch in range(initial_epoch, epochs):
                if any(c.on_epoch_end(epoch, {"val_loss": loss_of(model, epoch)}) for c in callbacks):
                    break

    options = {"options": {"grid": {"a": [0.1, 0.2, 0.9], "b": [1, 2]}}, "cv": 1} if engine == "grid" else {}
    searched = tuning.search(
        Formula(), [0.0], engine=engine, trials=4, epochs=3, seed=0, logs=tmp_path, study="searched", verbose=0,
        **options,
    )  # fmt: skip
    told = go(opened(engine=engine))
    assert essence(told) == essence(searched)
    told.close()
    loaded = tuning.load(told.path)
    assert outcome(loaded) == outcome(told) and loaded.best.number == told.best.number
    assert all(trial.state.is_finished and trial.seconds >= 0 for trial in loaded.trials)


@pytest.mark.medium
@pytest.mark.parametrize("engine", ENGINES)
def test_killed_in_the_middle_of_a_trial_it_goes_on_as_if_nothing_had_happened(opened, engine):
    straight = outcome(go(opened(engine=engine, study="straight")))
    study = opened(engine=engine)
    train(study, study.ask())
    trial = study.ask()
    train(study, trial, is_killed=True)
    study._resources.close()  # as the end of the process does
    again = opened(engine=engine)
    assert again.trials[trial.number].state is State.RUNNING
    retried = again.ask()
    assert (retried.number, retried.epochs, retried.params) == (trial.number, trial.epochs, trial.params)
    train(again, retried)
    assert outcome(go(again)) == straight


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["hyperband", "optuna"])
def test_killed_at_any_write(opened, engine, monkeypatch):
    few = {"engine": engine, "trials": 2, "epochs": 2, "constraints": ["val_loss<=0.9"], "warm_start": ["other"]}
    go(opened(study="other", engine="random", trials=3, seed=9)).close()
    straight = outcome(go(opened(**few, study="straight")))
    for call in itertools.count(1):
        if not _is_killed_at(call, opened, monkeypatch, **few, study=f"killed-{call}"):
            break
        again = opened(**few, study=f"killed-{call}")
        assert outcome(go(again)) == straight, f"killed at use {call}"
        again.close()
    assert call > 15


def _is_killed_at(call, opened, monkeypatch, **arguments):
    """Let a program die at the n-th use of the database; tell whether it came to that."""
    genuine, calls, study = Database.do, itertools.count(1), None

    def dying(self, action):
        if next(calls) == call:
            raise Killed
        return genuine(self, action)

    with monkeypatch.context() as patch:
        patch.setattr(Database, "do", dying)
        try:
            study = opened(**arguments)
            go(study)
        except Killed:
            return True
        finally:
            if study is not None:
                study._resources.close()  # as the end of the process does
    return False


@pytest.mark.slow
def test_another_process_goes_on_and_proposes_the_same(opened, tmp_path):
    straight = outcome(go(opened(study="straight")))
    code = (
        "import sys, tuning; from tests.tuning.driver.test_asking import space, train\n"
        "s = tuning.open(space, objective='val_loss', trials=4, epochs=3, seed=0, logs=sys.argv[1], study='told')\n"
        "train(s, s.ask()); train(s, s.ask(), is_killed=True); import os; os._exit(9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, check=False)
    assert done.returncode == 9
    assert outcome(go(opened())) == straight


@pytest.mark.medium
def test_several_threads_ask_and_tell(opened):
    study, numbers, errors = opened(trials=12), [], []

    def work():
        try:
            while (trial := study.ask()) is not None:
                numbers.append(trial.number)
                train(study, trial)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors and sorted(numbers) == list(range(12))
    assert len({tuple(t.values.items()) for t in study.trials}) == 12
    assert study.ask() is None and all(t.state.is_finished for t in study.trials)


@pytest.mark.medium
def test_several_trials_are_told_in_any_order(opened):
    study = opened()
    first, second = study.ask(), study.ask()
    train(study, second)
    train(study, first)
    assert go(study).trials[0].score == min(loss_of(first.params, epoch) for epoch in range(3))


@pytest.mark.medium
def test_a_trial_that_is_behind_is_to_stop_and_is_pruned(opened):
    study = opened(trials=8, options={"pruner": "median", "warmup_trials": 1, "warmup_epochs": 0})
    go(study)
    pruned = [t for t in study.trials if t.state is State.PRUNED]
    assert pruned and all(t.epochs < 3 for t in pruned)


@pytest.mark.medium
def test_what_is_told_at_the_end(opened):
    study = opened(trials=9)
    study.tell(study.ask(), 0.25)
    study.tell(study.ask().number, {"val_loss": 0.5, "val_mae": 2.0})
    reported = study.ask()
    reported.report({"val_loss": 0.1})
    study.tell(reported, 0.2)
    study.tell(study.ask(), error=ValueError("no memory"))
    study.tell(study.ask(), state="FAIL")
    study.tell(study.ask(), 0.9, state=optuna.trial.TrialState.PRUNED)
    diverged = study.ask()
    assert not diverged.report({"val_loss": float("nan")})
    study.tell(diverged)
    study.tell(study.ask())
    scores = [t.score for t in study.trials]
    assert scores[:3] == [0.25, 0.5, 0.2] and study.trials[1].curve.epochs[0]["val_mae"] == 2.0
    states = [t.state.value for t in study.trials]
    assert states == ["COMPLETED"] * 3 + ["FAILED"] * 2 + ["PRUNED"] + ["FAILED"] * 2
    errors = [t.error for t in study.trials]
    assert errors[3] == "ValueError: no memory" and "diverged" in errors[6] and "did not report val_loss" in errors[7]
    assert study.best.number == 2


@pytest.mark.medium
def test_several_objectives_and_what_a_model_costs(opened):
    study = opened(objective=["val_loss", "n_params"])
    study.tell(study.ask(), [0.3, 100])
    trial = study.ask()
    trial.report({"val_loss": 0.2, "n_params": 200})
    study.tell(trial)
    study.tell(study.ask(), {"val_loss": 0.4, "n_params": 300})
    study.close()
    assert [t.number for t in tuning.load(study.path).pareto] == [1, 0]
    assert dict(study.trials[1].resources) == {"n_params": 200.0}


@pytest.mark.medium
def test_hyperparameters_may_be_given_in_three_forms(opened):
    hp = tuning.HyperParameters()
    hp.Float("a", 0, 1)
    given = {"hp": hp, "list": [Float("a", 0.0, low=0.0, high=1.0)], "function": lambda hp: hp.Float("a", 0, 1)}
    params = [opened(form, study=name, seed=5).ask().params for name, form in given.items()]
    assert params == [{"a": 0.0}] * 3


@pytest.mark.medium
def test_what_is_asked_of_hp_later_is_searched(opened):
    study = opened(trials=6, options={"sampler": "random"})
    late = []
    while (trial := study.ask()) is not None:
        late.append(trial.hp.Float("late", 0, 1))
        study.tell(trial, 0.5)
    assert len(set(late)) == 6 and study.trials[1].values["late"] == late[1]


@pytest.mark.medium
def test_hparams_show_it(opened):
    study = go(opened())
    study.close()
    sessions = list(session_starts_in(study.path / "tensorboard"))
    assert sorted(one.hparams["a"].number_value for one in sessions) == sorted(t.values["a"] for t in study.trials)
    states = sorted({"COMPLETED": "complete", "PRUNED": "pruned"}[t.state.value] for t in study.trials)
    assert sorted(one.hparams["trial_state"].string_value for one in sessions) == states


@pytest.mark.medium
@pytest.mark.parametrize(
    ("act", "error"),
    [
        (lambda study, trial: (study.tell(trial, 1), study.tell(trial, 1)), "asked and not told yet"),
        (lambda study, trial: (study.tell(trial, 1), trial.report({"val_loss": 1})), "must not be told yet"),
        (lambda study, trial: [trial.report({"val_loss": 1}) for _ in range(4)], "must not be called once it has"),
        (lambda study, trial: trial.report({"val_loss": "low"}), "`metrics` must be numbers by name"),
        (lambda study, trial: study.tell(trial, [1, 2]), "be a number for each of val_loss"),
        (lambda study, trial: study.tell(trial, state="DONE"), "`state` must be one of COMPLETE"),
        (lambda study, trial: (study.close(), study.ask()), "must be open, but it is closed"),
    ],
)
def test_what_is_refused(opened, act, error):
    study = opened()
    with pytest.raises(StudyError, match=error):
        act(study, study.ask())


@pytest.mark.medium
def test_other_arguments_and_other_searches_are_refused(opened, tmp_path):
    with pytest.raises(OptionError, match="open.*must be given budget"):
        opened(tires=[])
    study = opened()
    with pytest.raises(StudyError, match="is being searched by"):
        opened()
    study.close()
    with pytest.raises(StudyError, match="seed is 3, in the study 0"):
        opened(seed=3)
    with pytest.raises(StudyError, match="trials are trained by the toolkit, in the study by a program"):
        tuning.search(
            lambda hp: space(hp), [0.0], objective="val_loss", trials=4, epochs=3, seed=0, logs=tmp_path, study="told",
            checks="warn", verbose=0,
        )  # fmt: skip
    assert tuning.load(study.path).command() is None


@pytest.mark.medium
def test_a_larger_number_of_trials_goes_on(opened):
    go(opened(trials=2)).close()
    assert len(go(opened(trials=4)).trials) == 4


@pytest.mark.medium
def test_a_budget_of_epochs_ends_it(opened):
    study = go(opened(trials=None, budget="7e"))
    assert sum(trial.epochs for trial in study.trials) in (7, 8, 9)
