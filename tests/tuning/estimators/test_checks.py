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


ESTIMATORS = {
    "KerasClassifier": KerasClassifier(tiny.build_classifier, epochs=20),
    "KerasRegressor": KerasRegressor(tiny.build_regressor, epochs=20),
    "TunedClassifier": TunedClassifier(tiny.build_classifier, **SEARCH),
    "TunedRegressor": TunedRegressor(tiny.build_regressor, **SEARCH),
}


@parametrize_with_checks([ESTIMATORS.pop("KerasClassifier")], expected_failed_checks=expected)
def test_all_checks(estimator, check):
    check(estimator)


@parametrize_with_checks(list(ESTIMATORS.values()), legacy=False)
def test_the_checks_of_the_interface(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(list(ESTIMATORS.values()), expected_failed_checks=expected)
def test_all_checks_of_the_others(estimator, check):
    check(estimator)
