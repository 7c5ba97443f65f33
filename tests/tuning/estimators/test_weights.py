"""A sample of weight 2 and the same sample twice: the same training, where the loss divides by the sum of weights."""

import keras
import numpy as np
import pytest
from sklearn.utils.estimator_checks import check_sample_weight_equivalence_on_dense_data as check

import tuning

X = np.random.RandomState(0).rand(20, 4)
Y = np.random.RandomState(1).rand(20)
WEIGHTS = np.random.RandomState(2).randint(0, 4, 20)


def build(hp, meta):
    is_regression = meta["target_type_"] == "continuous"
    model = keras.Sequential(
        [keras.layers.Dense(1) if is_regression else keras.layers.Dense(meta["n_classes_"], activation="softmax")]
    )
    kind = keras.losses.MeanSquaredError if is_regression else keras.losses.SparseCategoricalCrossentropy
    model.compile(
        keras.optimizers.SGD(0.1),
        kind(reduction=hp.Choice("reduction", ["mean_with_sample_weight", "sum_over_batch_size"])),
    )
    return model


def difference(**values):
    """Return by how much predictions differ, with weights and with repeated rows."""
    network = tuning.KerasRegressor(build, epochs=5, random_state=0, **values)
    weighted = network.fit(X, Y, sample_weight=WEIGHTS).predict(X)
    repeated = network.fit(X.repeat(WEIGHTS, axis=0), Y.repeat(WEIGHTS)).predict(X)
    return np.abs(weighted - repeated).max()


@pytest.mark.medium
def test_the_loss_must_divide_by_the_weights_and_an_epoch_must_be_one_step():
    assert difference(batch_size=1000) < 1e-5
    assert difference(batch_size=1000, reduction="sum_over_batch_size") > 1e-3
    assert difference(batch_size=8) > 1e-3


@pytest.fixture
def double_precision():
    for precision in ("float64", "float32"):
        keras.config.set_floatx(precision)
        keras.config.set_dtype_policy(precision)  # layers have one of their own once there is a layer
        if precision == "float64":
            yield


@pytest.mark.slow
@pytest.mark.parametrize("kind", [tuning.KerasClassifier, tuning.KerasRegressor])
def test_scikit_learn_s_check_passes_in_double_precision(double_precision, kind):
    check(kind.__name__, kind(build, epochs=5, batch_size=1000))


@pytest.mark.slow
@pytest.mark.parametrize("kind", [tuning.TunedClassifier, tuning.TunedRegressor])
def test_scikit_learn_s_check_passes_for_searches(double_precision, kind):
    fixed = {"reduction": "mean_with_sample_weight"}
    check(kind.__name__, kind(build, engine="random", trials=1, epochs=5, batch_size=1000, fix=fixed))
