"""KerasTuner's SklearnTuner with our driver behind `search`."""

import numpy as np
import pytest
from sklearn import ensemble, linear_model, metrics, model_selection

from tests.tuning.keras_tuner.conftest import is_ours

X = np.random.default_rng(0).random((20, 2)).astype("float32")
Y = (X.sum(axis=1, keepdims=True) > 1).astype("float32")


@pytest.fixture
def sklearn_tuner(tuners):
    def make(hypermodel, max_trials=3, **options):
        oracle = tuners.oracles.BayesianOptimizationOracle(tuners.Objective("score", "max"), max_trials=max_trials)
        return tuners.SklearnTuner(oracle, hypermodel, directory="out", project_name="p", **options)

    return make


def forest(hp):
    return ensemble.RandomForestClassifier(hp.Int("trees", 1, 5), max_depth=hp.Int("depth", 1, 3), random_state=0)


@pytest.mark.medium
@pytest.mark.parametrize("options", [{}, {"scoring": "accuracy"}, {"cv": model_selection.StratifiedKFold(2)}])
def test_estimators_of_scikit_learn(sklearn_tuner, options):
    if "scoring" in options:
        options = {"scoring": metrics.make_scorer(metrics.accuracy_score), "metrics": metrics.accuracy_score}
    tuner = sklearn_tuner(forest, **options)
    tuner.search(X, Y.ravel())
    best = tuner.get_best_models()[0]
    assert best.score(X, Y.ravel()) >= 0.5 and set(tuner.get_best_hyperparameters()[0].values) == {"trees", "depth"}
    assert all("accuracy_score" in t.metrics.metrics for t in tuner.oracle.trials.values()) == ("metrics" in options)
    is_ours(tuner)


@pytest.mark.medium
def test_weights_of_samples_reach_estimators_of_scikit_learn(sklearn_tuner):
    tuner = sklearn_tuner(lambda hp: linear_model.RidgeClassifier(alpha=hp.Float("alpha", 0.1, 1)))
    tuner.search(X, Y.ravel(), sample_weight=np.linspace(0.1, 1, 20))
    is_ours(tuner)


@pytest.mark.medium
def test_data_that_scikit_learn_does_not_take_end_the_search(sklearn_tuner):
    with pytest.raises(RuntimeError, match="consecutive failures"):
        sklearn_tuner(forest, max_trials=9).search([1, 2, 3, 4, 5, 6], [1, 1, 1, 2, 2, 2])
