"""How a `fit` is called: one assembly for all that trains, and what it may set itself."""

import numpy as np
import pytest

import tuning
from tuning.data import Data
from tuning.records.objective import Objective
from tuning.records.trial import Run
from tuning.space import HyperParameters, as_space
from tuning.training import fit as fitting
from tuning.training.fit import fit_space
from tuning.training.messages import Decision, Finished, Task
from tuning.training.train import train

keras = pytest.importorskip("keras")
X = np.random.default_rng(0).normal(size=(48, 3)).astype("float32")
Y = X[:, 0]
DATA = Data(X[:32], Y[:32], (X[32:], Y[32:]))


def build_model(hp):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.01), "mse")
    return model


class Mine(keras.callbacks.Callback):
    pass


class Theirs(keras.callbacks.Callback):
    pass


class Space(tuning.SearchSpace):
    name, objective = "assembled", "val_loss"

    def callbacks(self, folder):
        return [Mine()]

    def build(self, hp):
        return build_model(hp)

    def load_data(self):
        return Data(DATA.x, DATA.y, DATA.validation, load_test=lambda: DATA.validation)

    def fit(self, hp, model, *args, **kwargs):
        self.seen = [type(callback).__name__ for callback in kwargs["callbacks"]]
        return model.fit(*args, **kwargs)


@pytest.fixture(autouse=True)
def _kept(monkeypatch):
    """Let all `fit`s of a `Space` be remembered by the class."""
    seen = []
    monkeypatch.setattr(
        Space, "seen", property(lambda self: seen, lambda self, names: seen.append(names)), raising=False
    )
    return seen


@pytest.mark.medium
def test_search_final_training_and_estimators_put_a_fit_together_alike(_kept, tmp_path):
    study = tuning.search(
        Space(), engine="random", trials=1, epochs=1, seed=0, logs=tmp_path, callbacks=[Theirs()], anneal=True,
        compiled=False,
    )  # fmt: skip
    searched = _kept[-1]
    tuning.finalize(study, callbacks=[Theirs()])
    final = _kept[-1]
    tuning.KerasRegressor(Space(), epochs=1, callbacks=[Theirs()], compiled=False).fit(X, Y)
    estimated = _kept[-1]
    assert searched == final == ["Mine", "Theirs", "Annealing", "Reporting"]
    assert estimated == ["Mine", "Theirs"]


def test_a_run_that_waits_stops_before_it_reports():
    task_options = fitting.TrainingOptions(patience=2)
    found = fitting.assembled(
        as_space(build_model), build_model(None), task_options, lambda logs: Decision.GO, None, Objective("loss", "min")
    )["callbacks"]
    assert [type(callback).__name__ for callback in found] == ["EarlyStopping", "Reporting"]


class Recorder:
    def __init__(self):
        self.reports = []

    def __call__(self, report):
        self.reports.append(report)
        return Decision.GO


def trained(fit, epochs=2, start=0):
    space, told = as_space(build_model), Recorder()
    space.fit = fit
    objective = Objective("val_loss", "min")
    options = fitting.TrainingOptions(compiled=False)
    end = train(space, DATA, Task(Run(0, {}, start, epochs), 0, objective, options=options), told)
    assert isinstance(end, Finished), end
    return end, told.reports


def fixed(hp, model, *args, **kwargs):
    return model.fit(*args, epochs=3, verbose=2, **kwargs)


def searched(hp, model, *args, **kwargs):
    return model.fit(*args, epochs=hp.Int("epochs", 1, 5, default=4), initial_epoch=1, **kwargs)


def own_callbacks(hp, model, *args, **kwargs):
    return model.fit(*args, callbacks=[Theirs()], **kwargs)


@pytest.mark.medium
@pytest.mark.parametrize(("fit", "epochs"), [(fixed, 3), (searched, 3), (own_callbacks, 2)])
def test_a_fit_may_set_itself_what_it_is_handed(fit, epochs):
    end, reports = trained(fit)
    assert len(reports) == epochs
    assert (fit is searched) == ("epochs" in end.values)
    assert all("val_loss" in report.metrics for report in reports)


@pytest.mark.medium
def test_what_it_sets_in_one_call_only_is_handed_on_in_the_other():
    def twice(hp, model, *args, **kwargs):
        model.fit(*args, epochs=1, **kwargs)
        return model.fit(*args, **kwargs)

    _, reports = trained(twice)
    assert len(reports) == 1 + 2


@pytest.mark.medium
def test_what_a_fit_sets_is_remembered():
    calls = []

    def counted(hp, model, *args, **kwargs):
        calls.append(1)
        return fixed(hp, model, *args, **kwargs)

    space = as_space(build_model)
    space.fit = counted
    for _ in range(2):
        fit_space(space, HyperParameters({}), build_model(None), DATA, [], compiled=False, epochs=1)
    assert len(calls) == 4  # once for each of the two names, then once a trial


def test_other_type_errors_are_raised():
    def wrong(hp, model, *args, **kwargs):
        dict(**{"a": 1}, **{"a": 2})

    space = as_space(build_model)
    space.fit = wrong
    with pytest.raises(TypeError, match="multiple values for keyword argument 'a'"):
        fit_space(space, HyperParameters({}), build_model(None), DATA, [], compiled=False, epochs=1)
