"""scikit-learn's own judgement of the estimators: all of `check_estimator`, but for weights of samples."""

import pytest
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

import tuning
from tests.spaces import tiny
from tuning import KerasClassifier, KerasRegressor, TunedClassifier, TunedRegressor

WEIGHTS = (
    "Keras divides a batch's loss by its rows, not by weights, and rows that are there twice make other batches; "
    "test_weights has the checks where neither is so"
)
EXPECTED = {f"check_sample_weight_equivalence_on_{kind}_data": WEIGHTS for kind in ("dense", "sparse")}
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


SLOW = """
    check_classifier_data_not_an_array check_class_weight_classifiers check_classifiers_classes
    check_classifiers_one_label_sample_weights check_dont_overwrite_parameters check_dtype_object
    check_estimators_dtypes check_estimators_overwrite_params check_estimators_partial_fit_n_features
    check_fit2d_1feature check_fit_idempotent check_fit_score_takes_y check_n_features_in_after_fitting
    check_positive_only_tag_during_fit check_sample_weight_equivalence_on_dense_data
    check_sample_weight_equivalence_on_sparse_data check_sample_weights_list check_estimator_sparse_array
    check_estimator_sparse_matrix check_sample_weights_pandas_series check_sample_weights_shape
"""
"""Those with data of a shape of their own, for which a program is compiled."""


def expected(estimator):
    return EXPECTED


def checks(are_slow):
    """Return the parameters of those of scikit-learn's checks that are slow, or of the others."""
    found = estimator_checks_generator(
        KerasClassifier(CLASSIFIER, epochs=40, **LINEAR), legacy=True, expected_failed_checks=EXPECTED, mark="xfail"
    )
    return [one for one in found if (name_of(getattr(one, "values", one)[1]) in SLOW.split()) == are_slow]


def name_of(value):
    return value.func.__name__ if hasattr(value, "func") else ""


@pytest.mark.medium
@pytest.mark.parametrize(("estimator", "check"), checks(are_slow=False), ids=name_of)
def test_the_classifier(estimator, check):
    check(estimator)


@pytest.mark.slow
@pytest.mark.parametrize(("estimator", "check"), checks(are_slow=True), ids=name_of)
def test_the_classifier_with_data_of_other_shapes(estimator, check):
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
