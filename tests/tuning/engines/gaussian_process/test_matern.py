"""The Gaussian process, against scikit-learn's."""

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern

from tuning.engines.gaussian_process.matern import JITTER, GaussianProcess, _Likelihood

GROUPS = [0, 1, 2, 2]
THETA = np.array([-0.3, 0.2, 0.1, 0.4, -3.0])


@pytest.fixture
def points():
    return np.random.RandomState(0).uniform(size=(30, 4))


@pytest.fixture
def values(points):
    raw = np.sin(6 * points[:, 0]) + points[:, 1]
    return (raw - raw.mean()) / raw.std()


def test_it_predicts_what_scikit_learn_predicts(points, values):
    ours = GaussianProcess(points, values, GROUPS, THETA)
    kernel = ConstantKernel(np.exp(THETA[-2])) * Matern(np.exp(THETA[GROUPS]), nu=2.5)
    noise = np.exp(THETA[-1]) + JITTER
    theirs = GaussianProcessRegressor(kernel, alpha=noise, optimizer=None).fit(points, values)
    new = np.random.RandomState(1).uniform(size=(50, 4))
    for mine, expected in zip(ours.predict(new), theirs.predict(new, return_std=True), strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-6, atol=1e-8)


def test_the_gradient_is_that_of_the_likelihood(points, values):
    likelihood = _Likelihood(points, values, GROUPS)
    steps = 1e-5 * np.eye(len(THETA))
    differences = [(likelihood(THETA + step)[0] - likelihood(THETA - step)[0]) / 2e-5 for step in steps]
    np.testing.assert_allclose(likelihood(THETA)[1], differences, rtol=1e-5)


def test_it_finds_out_which_coordinate_matters(points):
    values = np.sign(points[:, 0] - 0.5)
    lengths = np.exp(GaussianProcess.fit(points, values, GROUPS).theta[:-2])
    assert lengths[0] < min(lengths[1:]) / 2


@pytest.mark.medium
def test_what_is_believed_makes_its_surroundings_certain_and_changes_no_mean(points, values):
    model = GaussianProcess.fit(points, values, GROUPS)
    new = np.full((1, 4), 0.5)
    mean, deviation = model.predict(new)
    believed_mean, believed_deviation = model.with_more(new, mean).predict(new)
    assert believed_mean == pytest.approx(mean, abs=1e-6)
    assert believed_deviation < deviation
