"""scikit-learn's own judgement of the estimators: all of `check_estimator`, with one expected failure."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

import tuning
from tests.spaces import tiny
from tuning import KerasClassifier, KerasRegressor, TunedClassifier, TunedRegressor

EXPECTED = {
    "check_sample_weight_equivalence_on_dense_data": (
        "a sample of weight 2 is not the same as two samples for gradients of batches: they make more steps an epoch"
    )
}
LINEAR = {"units": 0}  # a program for each shape of data is compiled, and this one is compiled soonest
SEARCH = {"engine": "random", "trials": 1, "epochs": 20}


class Space(tuning.SearchSpace):
    """A space whose name is the same in every process: the names of the tests are made of it."""

    def __init__(self, build):
        super().__init__(build.__name__)
        self._build_model = build

    def __repr__(self):
        return self.name

    def build(self, hp, meta):
        return self._build_model(hp, meta)


CLASSIFIER, REGRESSOR = Space(tiny.build_classifier), Space(tiny.build_regressor)


def expected(estimator):
    return EXPECTED


@parametrize_with_checks([KerasClassifier(CLASSIFIER, epochs=40, **LINEAR)], expected_failed_checks=expected)
def test_the_classifier(estimator, check):
    check(estimator)


@pytest.mark.exhaustive
@parametrize_with_checks(
    [
        KerasRegressor(REGRESSOR, epochs=20),
        TunedClassifier(CLASSIFIER, **SEARCH),
        TunedRegressor(REGRESSOR, **SEARCH),
    ],
    expected_failed_checks=expected,
)
def test_the_others(estimator, check):
    check(estimator)
