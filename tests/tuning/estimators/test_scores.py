"""scikit-learn's scorers in searches, scores on the training rows, and groups that scikit-learn routes."""

import keras
import numpy as np
import pytest
import sklearn
from sklearn.datasets import load_diabetes
from sklearn.metrics import make_scorer, mean_absolute_error
from sklearn.model_selection import GroupKFold, KFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import tuning
from tuning.errors import TuningError
from tuning.estimators.labels import ClassLabels
from tuning.estimators.scores import scorers_of

X, Y = load_diabetes(return_X_y=True)
X, Y = X[:120], Y[:120] / 100
GROUPS = np.arange(120) // 10


def build(hp):
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(hp.Float("rate", 0.01, 0.1)), "mse", metrics=["mae"])
    return model


def searched(**arguments):
    given = {"engine": "random", "trials": 2, "epochs": 3, "random_state": 0, **arguments}
    return tuning.TunedRegressor(build, **given)


def test_scorers_by_name():
    own = make_scorer(mean_absolute_error, greater_is_better=False)
    assert list(scorers_of(["r2", "neg_max_error"])) == ["r2", "neg_max_error"]
    assert scorers_of({"mine": own})["mine"] is own and list(scorers_of(own)) == ["score"] and scorers_of(None) == {}


@pytest.mark.slow
def test_training_rows_are_scored_by_scorers():
    search = searched(cv=2, scoring=["r2", "neg_mean_absolute_error"], return_train_score=True).fit(X, Y)
    results = search.cv_results_
    assert np.array_equal(results["mean_train_score"], results["mean_train_r2"])
    for fold in range(2):
        data = search.study_.fold_data(fold)
        model = search.study_.models(search.study_.best)[fold]
        if (
            search.study_.best.epochs == 1 + search.study_.best.trainings[fold].best_epoch
        ):  # the model of the last epoch
            error = np.abs(model.predict(data.x, verbose=0)[:, 0] - data.y).mean()
            found = results[f"split{fold}_train_neg_mean_absolute_error"][search.best_index_]
            assert found == pytest.approx(-error, rel=1e-4)


@pytest.mark.slow
def test_training_rows_are_scored_by_what_training_reports():
    search = searched(objective="val_mae", return_train_score=True, refit=False).fit(X, Y)
    for index, trial in enumerate(search.study_.trials):
        assert search.cv_results_["mean_train_score"][index] == -trial.curve.epochs[trial.best_epoch]["mae"]
    assert not any("train" in name for name in searched(trials=1, epochs=1, refit=False).fit(X, Y).cv_results_)


@pytest.mark.medium
def test_a_scorer_that_returns_several_numbers_is_refused():
    with pytest.raises(TuningError, match="`scoring` must be scorers that return a number each"):
        searched(trials=1, scoring=lambda estimator, x, y: {"a": 1.0}).fit(X, Y)


@pytest.mark.parametrize(
    "y",
    [
        np.array(["a", "c", "b", "a"]),
        np.array([0, 1, 1]),
        np.array([True, False]),
        np.eye(3, dtype="int64")[[2, 0, 1, 1]],
        np.array([[1, 1, 0], [0, 0, 1]]),
    ],
    ids=["texts", "numbers", "booleans", "one-hot rows", "several labels"],
)
def test_scorers_are_given_targets_in_the_form_that_fit_was(y):
    encoder = ClassLabels().fit(y)
    np.testing.assert_array_equal(encoder.labels(encoder.numbers(y)), y)


@pytest.mark.medium
def test_scorers_of_rows_score_one_hot_targets():
    def classes(hp):
        model = keras.Sequential([keras.layers.Dense(2, activation="softmax")])
        model.compile(keras.optimizers.Adam(hp.Float("rate", 0.01, 0.1)), "categorical_crossentropy")
        return model

    rows = np.column_stack([Y > 1, Y <= 1]).astype(int)
    arguments = {"engine": "random", "trials": 1, "epochs": 1, "random_state": 0, "cv": KFold(2), "refit": False}
    search = tuning.TunedClassifier(classes, scoring=["f1_samples", "accuracy"], **arguments).fit(X, rows)
    assert 0 <= search.best_score_ <= 1 and len(search.cv_results_["mean_test_accuracy"]) == 1


# Groups ---------------------------------------------------------------------------------------------------


def asks_for_groups(**arguments):
    with sklearn.config_context(enable_metadata_routing=True):
        return searched(**arguments).get_metadata_routing().fit.requests["groups"]


def test_groups_are_asked_for_where_the_folds_keep_them_together():
    assert asks_for_groups(cv=GroupKFold(2)) is True
    assert asks_for_groups(cv=KFold(2)) is False and asks_for_groups(cv=3) is False and asks_for_groups() is False
    with sklearn.config_context(enable_metadata_routing=True):
        set_by_hand = searched(cv=3).set_fit_request(groups=True).get_metadata_routing()
    assert set_by_hand.fit.requests["groups"] is True


@pytest.mark.slow
def test_groups_come_to_the_inner_folds_of_a_nested_cross_validation():
    pipeline = make_pipeline(StandardScaler(), searched(cv=GroupKFold(3), trials=1, epochs=1))
    with sklearn.config_context(enable_metadata_routing=True):
        found = cross_validate(
            pipeline, X, Y, cv=GroupKFold(2), params={"groups": GROUPS}, return_estimator=True,
            return_indices=True, error_score="raise",
        )  # fmt: skip
    for fitted, rows in zip(found["estimator"], found["indices"]["train"], strict=True):
        scaled, groups = fitted[0].transform(X[rows]).astype("float32"), GROUPS[rows]
        for fold in range(3):
            held = fitted[-1].study_.fold_data(fold).validation[0]
            inner = {g for row in held for g in groups[(np.abs(scaled - row) < 1e-6).all(axis=1)]}
            assert len(held) == 10 * len(inner)  # whole groups
