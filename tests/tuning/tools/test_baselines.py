"""Baselines: scikit-learn's models on the same splits, beside the studies."""

import json

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

import tuning
from search_spaces.data import california_housing
from tests.conftest import needs_real_data
from tuning.errors import DataError, OptionError
from tuning.records.objective import Objective
from tuning.tools.baselines import Baseline, _targets, baseline, beside, table_of

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 4)).astype("float32")
LINE = (X @ RNG.normal(size=4) + 0.1 * RNG.normal(size=300)).astype("float32")
SIDE = (LINE > 0).astype("uint8")


class Given(tuning.SearchSpace):
    """A space of arrays; its model does not matter."""

    def __init__(self, y, objective, x=X):
        super().__init__("given")
        self.objective = objective
        self._parts = x, y

    def load_data(self):
        take = {True: lambda a, s: a[s], False: lambda a, s: {k: v[s] for k, v in a.items()}}
        train, rest = (
            [take[not isinstance(p, dict)](p, s) for p in self._parts] for s in (slice(200), slice(200, 300))
        )
        return tuning.Data(*train, tuple(rest))


def scores(found):
    return {model.name: model.scores for model in found.models}


@pytest.mark.medium
def test_regression_is_scored_by_four_metrics(tmp_path):
    found = baseline(Given(LINE, "val_rmse:min"), logs=tmp_path)
    assert found.task == "regression" and [m.name for m in found.models] == ["mlp", "linear", "boosting"]
    expected = LinearRegression().fit(X[:200], LINE[:200]).predict(X[200:])
    error = expected - LINE[200:]
    linear = scores(found)["linear"]
    assert linear["rmse"] == pytest.approx((error**2).mean() ** 0.5, rel=1e-3)
    assert linear["mae"] == pytest.approx(abs(error).mean(), rel=1e-3) and 0.9 < linear["r2_score"] < 1
    assert linear["mse"] == pytest.approx(linear["rmse"] ** 2)
    assert scores(found)["mlp"]["rmse"] < 1 and found.models[0].what == "MLPRegressor of 50-50-50"


@pytest.mark.parametrize("y", [SIDE, SIDE.astype("float32")[:, None], np.eye(2)[SIDE]])
def test_classification_of_ids_columns_and_one_hot_rows(tmp_path, y):
    found = baseline(Given(y, "val_accuracy"), models=("linear",), logs=tmp_path)
    assert found.task == "classification" and scores(found)["linear"]["accuracy"] > 0.9
    assert _targets(y, None).shape == (300,)


@pytest.mark.medium
def test_the_loss_leaves_it_to_the_targets(tmp_path):
    for y, task in ((SIDE, "classification"), (LINE, "regression"), (np.stack([LINE, LINE], 1), "regression")):
        found = baseline(Given(y, "val_loss"), models=("linear", "boosting"), limit=60, logs=tmp_path)
        assert found.task == task and found.n_training == 60 and found.n_available == 200
        assert found.score(found.models[0], Objective("val_loss", "min")) is None


def test_one_of_several_outputs_is_named_by_the_objective(tmp_path):
    x, y = {"a": X[:, :1], "b": X[:, 1:].reshape(300, 3, 1)}, {"line": LINE, "side": SIDE}
    found = baseline(Given(y, "val_side_accuracy:max", x), models=("linear",), logs=tmp_path)
    assert found.output == "side" and scores(found)["linear"]["accuracy"] > 0.9
    assert found.score(found.models[0], Objective("val_side_accuracy", "max")) == scores(found)["linear"]["accuracy"]
    assert found.score(found.models[0], Objective("val_line_accuracy", "max")) is None
    with pytest.raises(DataError, match="outputs line, side.*val_line_loss"):
        baseline(Given(y, "val_loss", x), logs=tmp_path)


@pytest.mark.medium
def test_slow_ones_are_left_out_unless_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr("tuning.tools.baselines.MAX_BOOSTED", 3)
    monkeypatch.setattr("tuning.tools.baselines.MAX_VALUES", 400)
    space = Given(SIDE, "val_accuracy")
    found = baseline(space, logs=tmp_path)
    assert found.n_training == 100 and "ask for it" in found.models[2].note and not found.models[2].scores
    assert baseline(space, models=["boosting"], limit=0, logs=tmp_path).models[0].scores["accuracy"] > 0.8


def test_what_cannot_be_done_is_refused(tmp_path):
    with pytest.raises(OptionError, match="Did you mean 'linear'"):
        baseline(Given(LINE, "val_rmse:min"), models=["lineer"], logs=tmp_path)
    with pytest.raises(DataError, match="arrays to train and to validate on"):
        baseline(Given(LINE, "val_rmse:min"), data=tuning.Data(X, LINE), logs=tmp_path)
    with pytest.raises(DataError, match="arrays of numbers"):
        table_of(np.array([["a"], ["b"]]))
    assert not list(tmp_path.iterdir())


def test_stored_ones_are_found_by_their_data(tmp_path):
    space = Given(LINE, "val_rmse:min")
    found = baseline(space, models=["linear"], logs=tmp_path)
    (tmp_path / "baselines" / "notes.json").write_text("[1]")
    assert Baseline.from_json(json.loads(json.dumps(found.to_json()))) == found
    assert beside(tmp_path, space.load_data().fingerprint()) == [found]
    assert beside(tmp_path, {"x": "other"}) == beside(tmp_path / "none", {}) == []


@pytest.mark.slow
def test_the_published_figure_of_california_housing(tmp_path):
    needs_real_data()
    found = baseline("california_housing", models=["mlp"], logs=tmp_path)
    assert found.n_training == 11_610 and scores(found)["mlp"]["rmse"] == pytest.approx(0.505, abs=0.0006)
    assert found.data == california_housing().fingerprint()


@pytest.mark.slow
def test_the_commands_put_them_beside_the_study(tune_here, tmp_path):
    done = tune_here("baseline", "diabetes", "--model", "linear")
    assert done.returncode == 0 and "LinearRegression" in done.stdout and "fitting linear" in done.stderr
    tuning.search("diabetes", engine="random", trials=1, epochs=1, seed=1, logs=tmp_path / "logs")
    shown = tune_here("show", "diabetes-random")
    assert "baseline" in shown.stdout and "LinearRegression" in shown.stdout
    record = json.loads(tune_here("show", "diabetes-random", "--json").stdout)
    assert record["baselines"][0]["models"][0]["scores"]["rmse"] > 0
    stored = json.loads((tmp_path / "logs" / "baselines" / "diabetes.json").read_text())
    assert stored == record["baselines"][0]
    assert json.loads(tune_here("list", "--json").stdout)[0]["study"] == "diabetes-random"
