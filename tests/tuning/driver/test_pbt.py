"""Population based training of real models: weights are taken over, schedules are shown and repeated."""

import itertools
import json

import numpy as np
import pytest

import tuning
from tests.conftest import SPACES
from tests.processes import outcome
from tests.tuning.driver.test_failures_between_writes import Killed
from tuning.data import Data
from tuning.errors import OptionError
from tuning.preflight.changeable import changeable
from tuning.preflight.check import hyperparameters_of
from tuning.records.schedule import schedule_of
from tuning.report.page import html
from tuning.storage.database import Database
from tuning.tensorboard.hparams import experiments_in
from tuning.training.models import go_on_from

X = np.random.default_rng(0).normal(size=(64, 3)).astype("float32")
Y = X @ np.array([1.0, -2.0, 3.0], "float32")


class Line(tuning.SearchSpace):
    """A line that is fitted by steps of a size that is searched: the smaller, the later it comes to an end."""

    objective = "val_loss"

    def build(self, hp):
        import keras

        units = hp.Choice("units", [4, 8], default=4)
        layers = [keras.layers.Dense(units), keras.layers.Dropout(hp.Float("dropout", 0.0, 0.5, default=0.0))]
        model = keras.Sequential([*layers, keras.layers.Dense(1)])
        momentum = hp.Float("momentum", 0.1, 0.9, default=0.1)
        rate = hp.Float("rate", 1e-6, 1e-2, sampling="log", default=1e-6)
        model.compile(keras.optimizers.SGD(rate, momentum), "mse", run_eagerly=True)
        return model

    def fit(self, hp, model, *args, **kwargs):
        return model.fit(*args, batch_size=hp.Int("batch_size", 8, 32, step=8, default=32), **kwargs)

    def load_data(self):
        return Data(X, Y, (X, Y), load_test=lambda: (X, Y))


@pytest.fixture
def search(tmp_path):
    return searching(tmp_path)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study whose best trial has gone on from another one."""
    return searching(tmp_path_factory.mktemp("logs"))(seed=1)


def searching(logs):
    def call(**arguments):
        options = {"population": 4, "ready": 1, "change": "rate", **arguments.pop("options", {})}
        defaults = {"engine": "pbt", "epochs": 3, "seed": 0, "logs": logs, "compiled": False, "study": "s"}
        return tuning.search(Line(), **{**defaults, "options": options, "verbose": 0, **arguments})

    return call


@pytest.mark.slow
def test_what_may_change_is_found():
    space = Line()
    found = hyperparameters_of(space)
    assert {h.name for h in found} == {"units", "dropout", "momentum", "rate", "batch_size"}
    assert set(changeable(space, space.load_data(), found)) == {"dropout", "momentum", "rate", "batch_size"}
    assert changeable(tuning.space.resolve(str(SPACES / "curve.py")), Data([1.0]), found) == ()


@pytest.mark.slow
def test_the_worst_go_on_with_the_weights_of_the_best(study):
    assert [len(t.runs) for t in study.trials] == 4 * [3] and all(t.epochs == 3 for t in study.trials)
    taken = [(t, i) for t in study.trials for i, run in enumerate(t.runs) if run.source is not None]
    assert len(taken) == 2, "one a generation"
    for trial, i in taken:
        source = study.trials[trial.runs[i].source]
        loss, theirs = trial.curve.values("val_loss"), source.curve.values("val_loss")
        assert trial.runs[i].start == i and loss[i - 1] > theirs[i - 1]
        assert 0.9 * theirs[i - 1] < loss[i] < theirs[i - 1], (
            "it begins where the other one was, and goes on from there"
        )
    assert all(t.values == t.runs[-1].values for t in study.trials)
    assert study.evaluate(study.best)["loss"] == pytest.approx(study.best.score, rel=1e-5)
    (record,) = experiments_in(study.path / "tensorboard")
    assert "schedule/rate" in {info.name.tag for info in record.metric_infos}


@pytest.mark.slow
def test_a_best_trial_with_a_schedule_is_shown_and_repeated(study, tune_here, monkeypatch):
    pieces = schedule_of(study.best, study.trials, study.best.best_epoch + 1)
    assert len(pieces) > 1
    assert f"schedule    epochs 0 to {pieces[0].stop - 1}: rate=" in tune_here("best", study.path).stdout
    record = json.loads(tune_here("best", study.path, "--json").stdout)
    assert record["schedule"][0]["values"] == dict(pieces[0].values)
    assert f"The values of trial {study.best.number} have changed on the way" in html(study)
    rates, genuine = [], Line.build

    def build(self, hp):
        model = genuine(self, hp)
        rates.append(hp.values["rate"])
        return model

    monkeypatch.setattr(Line, "build", build)
    final = tuning.finalize(study)
    assert rates[-len(pieces) :] == [piece.values["rate"] for piece in pieces]
    assert final.epochs == study.best.best_epoch + 1 and final.score > 0


@pytest.mark.slow
def test_a_model_goes_on_from_another_with_a_rate_of_its_own():
    space = Line()
    values = {"units": 4, "dropout": 0.0, "momentum": 0.5}
    first, second = (space.build(tuning.HyperParameters({**values, "rate": rate})) for rate in (1e-3, 1e-4))
    first.fit(X, Y, epochs=1, verbose=0)
    go_on_from(second, first, X)
    assert float(second.optimizer.learning_rate) == pytest.approx(1e-4)
    assert int(second.optimizer.iterations) == 2
    assert second.evaluate(X, Y, verbose=0) == pytest.approx(first.evaluate(X, Y, verbose=0))


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.9, *(pytest.param(part, marks=pytest.mark.exhaustive) for part in (0.65, 0.8))])
def test_killed_at_a_use_of_the_database_it_goes_on(search, monkeypatch, share):
    few = {"epochs": 2, "options": {"population": 3}}
    genuine, uses, last = Database.do, itertools.count(1), None

    def counted(self, action):
        if next(uses) == last:
            raise Killed
        return genuine(self, action)

    monkeypatch.setattr(Database, "do", counted)
    straight = _rounded(outcome(search(study="straight", **few)))
    last, uses = round(share * next(uses)), itertools.count(1)
    with pytest.raises(Killed):
        search(study="killed", **few)
    assert _rounded(outcome(search(study="killed", **few))) == straight


def _rounded(trials):
    return [(t[0], t[1], round(t[2], 6), t[3], t[5]) for t in trials]


@pytest.mark.medium
def test_a_program_may_train_a_population(tmp_path):
    """It takes over weights by itself: `trial.source` says whose."""

    def space(hp):
        hp.Float("rate", 0.0, 1.0), hp.Int("units", 1, 9)

    def opened(name):
        return tuning.open(
            space, objective="score:max", engine="pbt", options={"population": 5, "change": "rate", "ready": 2}, seed=0,
            epochs=6, logs=tmp_path, study=name,
        )  # fmt: skip

    def go(study, skills, n=100):
        for _ in range(n):
            trial = study.ask()
            if trial is None:
                break
            if trial.source is not None:
                skills[trial.number] = skills[trial.source]
            for _ in trial.epochs:
                skills[trial.number] = skills.get(trial.number, 0.0) + trial.params["rate"]
                trial.report({"score": skills[trial.number]})
            study.tell(trial)
        return study

    with opened("straight") as study:
        straight = outcome(go(study, {}))
    assert all(t[3]["units"] == 1 for t in straight) and any(run.source is not None for run in study.trials[0].runs)
    skills = {}
    for n in (3, 4, 5):
        with opened("cut") as study:
            go(study, skills, n)
    with opened("cut") as study:
        assert outcome(go(study, skills)) == straight


def test_models_that_are_not_of_keras_are_refused(tmp_path):
    with pytest.raises(OptionError, match="be another one where models are not Keras's"):
        tuning.search(str(SPACES / "curve.py"), engine="pbt", options={"change": "a"}, logs=tmp_path, verbose=0)
