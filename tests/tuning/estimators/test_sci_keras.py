"""SciKeras gives the family and none of its code: its next release cannot change ours without a word."""

import builtins
import importlib
import pickle
import sys

import keras
import numpy as np
import pytest
from scikeras.wrappers import BaseWrapper
from sklearn.base import BaseEstimator, clone

from tests.spaces import tiny
from tuning import KerasClassifier, KerasRegressor
from tuning.errors import MovedError, OptionError
from tuning.estimators import sci_keras

X = np.random.default_rng(0).normal(size=(60, 3))
LABELS, NUMBERS = np.where(X[:, 0] > 0, "yes", "no"), X @ [1.0, 2.0, 3.0]


def test_no_name_of_ours_leads_into_scikeras():
    for cls in (KerasClassifier, KerasRegressor):
        for name in {n for c in cls.__mro__ for n in vars(c)} - sci_keras._OF_EVERY_CLASS:
            home = next(c for c in cls.__mro__ if name in vars(c))
            assert not home.__module__.startswith("scikeras"), name
        assert issubclass(cls, BaseWrapper)


@pytest.mark.medium
def test_whatever_a_release_of_scikeras_does_the_estimators_do_the_same(monkeypatch):
    """Every method of SciKeras's raises, and everything works."""

    def gone(*_, **__):
        raise AssertionError("code of SciKeras was run")

    for name, value in list(vars(BaseWrapper).items()):
        is_code = callable(value) or isinstance(value, (property, staticmethod, classmethod))
        if is_code and name not in ("__init_subclass__", "__name__", "__sklearn_tags__"):
            monkeypatch.setattr(BaseWrapper, name, property(gone) if isinstance(value, property) else gone)
    for estimator, y in (
        (KerasClassifier(tiny.build_classifier, epochs=2, units=0, compiled=False), LABELS),
        (KerasRegressor(tiny.build_regressor, epochs=2, compiled=False), NUMBERS),
    ):
        fitted = clone(estimator).set_params(batch_size=16).fit(X, y, np.ones(60)).partial_fit(X, y)
        assert fitted.current_epoch == 3 and "batch_size=16" in repr(fitted)
        again = pickle.loads(pickle.dumps(fitted))
        assert (again.predict(X) == fitted.predict(X)).all() and fitted.score(X, y) == again.score(X, y)


def test_what_another_release_adds_is_as_if_it_were_not_there():
    class Older(BaseEstimator):
        def __init__(self):
            raise AssertionError

    class Newer(Older):
        scorer = 1

        def __sklearn_clone__(self):
            raise AssertionError

        def __repr__(self):
            raise AssertionError

        def get_params(self, deep=True):
            raise AssertionError

        @property
        def history(self):
            raise AssertionError

    class Ours(sci_keras.emptied(Newer, BaseEstimator)):
        def __init__(self, a=1):
            self.a = a

    ours = clone(Ours(a=3))
    assert ours.get_params() == {"a": 3} and repr(ours) == "Ours(a=3)" and isinstance(ours, Newer)
    assert not hasattr(ours, "scorer") and not hasattr(ours, "history")


@pytest.mark.parametrize(
    "release, said",
    [
        ({}, r"scikeras \d.* has no importable scikeras.wrappers.BaseWrapper"),
        (
            {"BaseWrapper": object},
            "scikeras .* has no BaseWrapper that is an estimator of scikit-learn.*another release",
        ),
    ],
)
def test_a_release_without_the_family_is_named_with_its_version(monkeypatch, release, said):
    wrappers = type(sys)("scikeras.wrappers")
    vars(wrappers).update(release)
    monkeypatch.setitem(sys.modules, "scikeras.wrappers", wrappers)
    monkeypatch.delitem(sys.modules, "tuning.estimators.sci_keras")
    with pytest.raises(MovedError, match=said):
        importlib.import_module("tuning.estimators.sci_keras")
    assert builtins.issubclass(MovedError, ImportError)


def test_parameters_are_routed_by_prefix():
    params = {"fit__epochs": 3, "fit__a__b": 4, "epochs": 1, "verbose": 2, "other": 5}
    assert sci_keras.routed(params, "fit", ["epochs", "verbose"]) == {"epochs": 3, "verbose": 2}
    assert sci_keras.routed(params, "fit", deep=True) == {"epochs": 3, "a__b": 4}


STOP = keras.callbacks.EarlyStopping


@pytest.mark.parametrize(
    "params, patiences",
    [
        ({"callbacks": None}, []),
        ({"callbacks": STOP(patience=3)}, [3]),
        ({"callbacks": STOP, "callbacks__patience": 4}, [4]),
        ({"callbacks": [STOP, STOP], "callbacks__patience": 4, "callbacks__1__patience": 5}, [4, 5]),
        ({"callbacks": {"a": STOP, "b": STOP}, "callbacks__b__patience": 6}, [0, 6]),
        ({"callbacks": STOP, "callbacks__0": "loss", "callbacks__2": 7, "callbacks__1": 0.5}, [7]),
    ],
)
def test_callbacks_may_be_classes_with_routed_arguments(params, patiences):
    assert [callback.patience for callback in sci_keras.callbacks(params, "callbacks")] == patiences


@pytest.mark.parametrize("given", [3, [STOP, "x"], {"a": 1.0}])
def test_what_is_no_callback_is_refused(given):
    with pytest.raises(OptionError, match="`callbacks` must be a callback of Keras, a list of them"):
        sci_keras.callbacks({"callbacks": given}, "callbacks")
    with pytest.raises(OptionError, match=r"arguments \(patience\) must be for a class, but got"):
        sci_keras.callbacks({"callbacks": STOP(), "callbacks__patience": 3}, "callbacks")
