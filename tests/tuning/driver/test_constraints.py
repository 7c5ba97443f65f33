"""Searches with constraints: what breaks one is never the best, and what is known before training is not trained."""

import json

import numpy as np
import pytest

import tuning
from tests.conftest import SPACES
from tests.processes import outcome
from tuning.errors import OptionError, StudyError
from tuning.records.trial import State
from tuning.report.page import html
from tuning.tensorboard.hparams import experiments_in, session_starts_in

CURVE = str(SPACES / "curve.py")
LIMITS = ["val_loss>=1", "val_loss<=1.5"]


@pytest.fixture
def search(tmp_path):
    def call(space=CURVE, *data, **arguments):
        defaults = {"trials": 6, "epochs": 1, "seed": 0, "logs": tmp_path, "study": "limited", "constraints": LIMITS}
        return tuning.search(space, *data, **{**defaults, "verbose": 0, **arguments})

    return call


def tiny(hp):
    import keras

    model = keras.Sequential([keras.layers.Dense(hp.Int("units", 1, 64, default=64)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


@pytest.mark.medium
def test_the_best_keeps_them_whatever_its_score_is(search):
    study = search()
    infeasible = [t for t in study.trials if not t.is_feasible]
    assert infeasible and all(not 1.0 <= t.score <= 1.5 for t in infeasible)
    feasible = [t for t in study.trials if t.is_feasible]
    assert study.best == min(feasible, key=lambda t: t.score)
    assert study.top(6) == sorted(feasible, key=lambda t: t.score)
    record = study.to_json()
    assert record["constraints"] == LIMITS and record["trials"][0]["limited"] == {"val_loss": study.trials[0].score}
    assert {"feasible", "limited.val_loss"} <= set(study.dataframe().columns)


@pytest.mark.medium
def test_optunas_own_tools_know_the_best(search):
    import optuna

    study = search(constraints=["val_loss>=1.2"])
    theirs = optuna.load_study(study_name=study.name, storage=f"sqlite:///{study.path}/trials.db")
    assert min(theirs.trials, key=lambda t: t.value).number != study.best.number, "or nothing would be shown"
    assert theirs.best_trial.number == study.best.number
    for trial in study.trials:
        beyond = theirs.trials[trial.number].system_attrs["constraints"]
        assert (max(beyond) <= 0) == trial.is_feasible and beyond == [1.2 - trial.score]


@pytest.mark.medium
def test_they_belong_to_the_study(search):
    first = search(trials=3)
    again = search(constraints=None)
    assert again.trials[:3] == first.trials and outcome(again) == outcome(search(study="straight"))
    with pytest.raises(StudyError, match=r"constraints are val_loss<=2, in the study val_loss>=1, val_loss<=1.5"):
        search(constraints=["val_loss<=2"])
    assert "--constraint 'val_loss>=1' --constraint 'val_loss<=1.5'" in again.command()


@pytest.mark.medium
def test_what_shows_a_study_tells_them_apart(search, tune_here):
    study = search()
    bad = next(t for t in study.trials if not t.is_feasible)
    n_bad = sum(not t.is_feasible for t in study.trials)
    line = f"infeasible: {n_bad} of 6 trials break val_loss>=1 and val_loss<=1.5"
    assert line in study.summary()
    shown = tune_here("show", study.path).stdout
    assert line in shown and "feasible" in shown and "yes" in shown
    assert f"val_loss {bad.score:.4g}"[:12] in tune_here("best", study.path, "--trial", bad.number).stdout
    page = html(study)
    assert ">feasible<" in page and line.replace(">", "&gt;").replace("<", "&lt;") in page


@pytest.mark.medium
def test_hparams_have_a_column_for_it(search):
    study = search()
    folder = study.path / "tensorboard"
    shown = {one.hparams["trial"].number_value: one.hparams["feasible"].bool_value for one in session_starts_in(folder)}
    assert shown == {t.number: t.is_feasible for t in study.trials}
    (record,) = experiments_in(folder)
    assert "feasible" in {info.name for info in record.hparam_infos}
    assert "constraint/val_loss" in {info.name.tag for info in record.metric_infos}


@pytest.mark.medium
def test_from_the_command_line(tune_here):
    arguments = ["run", CURVE, "--trials", 3, "--epochs", 1, "--seed", 0, "--study", "s", "--json", "--workers", 1]
    done = tune_here(*arguments, "--constraint", "val_loss<=1.5", "--constraint", "val_loss>=1")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["constraints"] == ["val_loss<=1.5", "val_loss>=1"]
    assert {t["feasible"] for t in record["trials"]} == {True, False}


@pytest.mark.medium
def test_nothing_that_keeps_them_is_no_failure(search):
    study = search(constraints=["val_loss<=0"], trials=2)
    assert study.best is None and [t.state for t in study.trials] == 2 * [State.COMPLETED]
    assert "no trial has a score and keeps val_loss<=0" in study.summary()
    with pytest.raises(StudyError, match="must have a trial with a score that keeps val_loss<=0"):
        study.best_model()


@pytest.mark.parametrize(
    ("constraints", "error"),
    [
        (["n_params<=5"], "be on a metric of training where models are not Keras's"),
        (["val_los<=5"], "Did you mean 'val_loss'"),
        (["val_loss"], "be a name, <= or >=, and a number"),
        ("val_loss<=5", "`constraints` must be a list"),
    ],
)
def test_what_is_refused(search, constraints, error):
    with pytest.raises(OptionError, match=error):
        search(constraints=constraints)


@pytest.mark.medium
def test_a_program_tells_them(tmp_path):
    with tuning.open(
        lambda hp: hp.Int("n", 1, 9), objective="val_loss", constraints=["n_params<=4"], epochs=1, logs=tmp_path,
        study="told", trials=5, seed=0,
    ) as study:  # fmt: skip
        while (trial := study.ask()) is not None:
            study.tell(trial, {"val_loss": -trial.params["n"], "n_params": trial.params["n"]})
    assert study.best.values["n"] == max(n for t in study.trials if (n := t.values["n"]) <= 4)
    assert any(not t.is_feasible for t in study.trials)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["optuna", "random"])
def test_a_model_that_is_too_large_is_not_trained(search, engine):
    rng = np.random.default_rng(0)
    data = rng.normal(size=(32, 3)), rng.normal(size=32)
    study = search(
        tiny, *data, validation_data=data, constraints=["n_params<=100", "predict_ms<=10000"], engine=engine, trials=3,
        compiled=False, objective="val_loss",
    )  # fmt: skip
    refused = [t for t in study.trials if not t.epochs]
    trained = [t for t in study.trials if t.epochs]
    assert refused and trained
    for trial in study.trials:
        n_params = 5 * trial.values["units"] + 1
        assert trial.limited["n_params"] == n_params and (n_params > 100) == (trial in refused)
    assert all(t.state is State.PRUNED and t.score is None and t.error is None for t in refused)
    assert all(t.limited["predict_ms"] > 0 and t.is_feasible for t in trained)
    assert len(trained) == 3
    assert study.best in trained
    assert f"{len(refused)} of them {'was' if len(refused) == 1 else 'were'} not trained" in study.summary()
    again = search(
        tiny, *data, validation_data=data, engine=engine, trials=3, compiled=False, objective="val_loss",
        constraints=None,
    )  # fmt: skip
    assert again.trials == study.trials, "nothing is left to do"
