"""What TunedClassifier and TunedRegressor are told reaches their search: each argument, and every kind of grid."""

import keras
import numpy as np
import pytest
import scipy.stats
from sklearn.datasets import load_diabetes

import tuning
from tests.spaces import tiny
from tests.spaces.solved import Solved
from tuning.driver.observer import Observer
from tuning.errors import OptionError

X, Y = load_diabetes(return_X_y=True)
X, Y = X[:60], Y[:60] / 100
RARE = (np.arange(60) % 12 == 0).astype(int)  # five of sixty, and not to be told from the others
FIX = {"units": 0}
SOLVED = Solved(tiny.build_regressor)


def trained(hp, meta):
    model = tiny.build_regressor(hp, meta)
    model.run_eagerly = True  # nothing is compiled for it
    return model


def searched(space=trained, **arguments):
    given = {"engine": "random", "trials": 2, "epochs": 2, "random_state": 0, "fix": FIX, "refit": False, **arguments}
    return tuning.TunedRegressor(space, objective="val_loss", **given).fit(X, Y)


def of_grid(space=SOLVED, **arguments):
    return searched(space, engine="grid", trials=None, cv=2, **arguments)


def rates(search):
    return [params["learning_rate"] for params in search.cv_results_["params"]]


class Counts(keras.callbacks.Callback):
    batches: list[int] = []

    def on_epoch_begin(self, epoch, logs=None):
        type(self).batches.append(self.params["steps"])


class Sees(Observer):
    def __init__(self):
        self.seen = []

    def trial_ended(self, trial):
        self.seen.append(trial.number)


@pytest.mark.medium
def test_arguments_of_a_search_reach_it():
    sees = Sees()
    search = searched(
        repeats=2, tries=[{"learning_rate": 0.05}], anneal=True, batch_size=27, callbacks=[Counts()], observers=[sees]
    )
    assert search.n_splits_ == 2 and search.study_.definition.anneal
    assert rates(search)[0] == 0.05 and sees.seen == [0, 1]
    assert Counts.batches == [2] * 8  # trials, repeats and epochs of 54 samples


@pytest.mark.medium
def test_arguments_may_be_numbers_of_numpy_as_in_a_grid():
    numbers = {name: np.int64(2) for name in ("trials", "epochs", "repeats", "batch_size", "random_state")}
    search = searched(
        SOLVED,
        **numbers, workers=np.int64(1), validation_fraction=np.float32(0.25), time_limit=np.float32(600),
        tries=[{"learning_rate": np.float32(0.0625)}], fix={"units": np.int64(0)}, refit=np.False_,
    )  # fmt: skip
    assert rates(search)[0] == 0.0625 and search.n_splits_ == 2 and not hasattr(search, "predict")


@pytest.mark.medium
def test_a_limit_of_time_reaches_the_search():
    with pytest.raises(OptionError, match="`time_limit` must be a number of seconds > 0"):
        searched(SOLVED, time_limit=-1)
    assert len(searched(SOLVED, time_limit=1e6).study_.trials) == 2


@pytest.mark.medium
def test_a_search_shows_its_progress_if_asked(capsys):
    searched(SOLVED, trials=1)
    assert "trial 0" not in capsys.readouterr().err
    searched(SOLVED, trials=1, verbose=2)
    assert "trial 0" in capsys.readouterr().err


@pytest.mark.medium
def test_weights_of_classes_count_in_a_search():
    space = Solved(tiny.build_classifier)
    given = {"engine": "random", "trials": 1, "random_state": 0, "objective": "val_loss", "fix": FIX}
    plain = tuning.TunedClassifier(space, **given).fit(X, RARE)
    weighted = tuning.TunedClassifier(space, **given, class_weight="balanced").fit(X, RARE)
    assert plain.predict_proba(X)[:, 1].mean() < 0.3 < weighted.predict_proba(X)[:, 1].mean()


@pytest.mark.medium
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.logspace(-3, -1, 3), [1e-3, 1e-2, 1e-1]),
        ([np.float32(0.5) / 8, np.float64(0.01)], [0.0625, 0.01]),
        ((0.01, 0.02), [0.01, 0.02]),
    ],
)
def test_a_grid_may_hold_values_of_numpy(values, expected):
    search = of_grid(epochs=1, options={"grid": {"learning_rate": values}})
    assert rates(search) == pytest.approx(expected)
    assert {type(rate) for rate in rates(search)} == {float}
    assert search.cv_results_["mean_score_time"].tolist() == [0] * len(expected)


@pytest.mark.slow
def test_a_grid_may_hold_ranges_of_whole_numbers():
    for units in (np.arange(0, 3, 2), range(0, 3, 2)):
        options = {"grid": {"units": units, "learning_rate": [0.01]}}
        params = of_grid(trained, epochs=1, fix=None, options=options).cv_results_["params"]
        assert [p["units"] for p in params] == [0, 2]


@pytest.mark.medium
def test_a_random_search_may_draw_from_distributions_of_scipy():
    options = {"search": "random", "grid": {"learning_rate": scipy.stats.loguniform(1e-2, 2e-2)}}
    found = rates(searched(SOLVED, engine="grid", trials=4, cv=2, epochs=1, options=options))
    assert len(set(found)) == 4 and all(1e-2 <= rate <= 2e-2 for rate in found)


@pytest.mark.medium
def test_halving_says_how_far_each_candidate_came():
    grid = {"learning_rate": np.logspace(-3, -1, 2)}
    options = {"search": "halving-grid", "factor": 2, "min_resources": 1, "grid": grid}
    results = of_grid(trained, epochs=2, options=options).cv_results_
    assert sorted(results["n_resources"]) == [1, 2] and sorted(results["iter"]) == [0, 1]


@pytest.mark.medium
@pytest.mark.parametrize("score", ["last", "common"])
def test_the_rule_of_scoring_may_be_chosen(score):
    search = of_grid(trained, epochs=3, options={"score": score, "grid": {"learning_rate": [0.1]}})
    results, (trial,) = search.cv_results_, search.study_.trials
    curve = [[-epoch["val_loss"] for epoch in training.curve.epochs] for training in trial.trainings]
    mean = np.mean(curve, axis=0)
    assert results["mean_test_score"][0] == pytest.approx(mean[-1] if score == "last" else mean.max())
    assert results["mean_best_score"][0] == pytest.approx(np.mean([max(one) for one in curve]))
