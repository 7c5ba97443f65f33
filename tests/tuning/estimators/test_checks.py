"""scikit-learn's own judgement of the estimators: all of `check_estimator`, with one expected failure."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from tests.spaces import tiny
from tuning import KerasClassifier, KerasRegressor, TunedClassifier, TunedRegressor

EXPECTED = {
    "check_sample_weight_equivalence_on_dense_data": (
        "a sample of weight 2 is not the same as two samples for gradients of batches: they make more steps an epoch"
    )
}
SEARCH = {"engine": "random", "trials": 1, "epochs": 20, "refit": "weights"}


def expected(estimator):
    return EXPECTED


@parametrize_with_checks([KerasClassifier(tiny.build_classifier, epochs=20)], expected_failed_checks=expected)
def test_the_classifier(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks([KerasRegressor(tiny.build_regressor, epochs=20)], expected_failed_checks=expected)
def test_the_regressor(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks([TunedClassifier(tiny.build_classifier, **SEARCH)], expected_failed_checks=expected)
def test_the_tuned_classifier(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks([TunedRegressor(tiny.build_regressor, **SEARCH)], expected_failed_checks=expected)
def test_the_tuned_regressor(estimator, check):
    check(estimator)
