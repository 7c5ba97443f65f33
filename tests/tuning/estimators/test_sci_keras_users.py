"""What users of SciKeras expect: its API, parameters, inputs and outputs, callbacks and pickles, by its names."""

import pickle

import joblib
import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.preprocessing import FunctionTransformer

import tuning
from tests.layers import few
from tests.spaces import tiny

X, Y = load_diabetes(return_X_y=True)
X, Y = X[:96].astype("float32"), Y[:96] / 100
LABELS = (np.median(Y) < Y).astype(int)


def build(hp):
    model = keras.Sequential([keras.layers.Dense(hp.Int("units", 2, 9)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    return model


class Net(tuning.KerasRegressor):
    """A subclass with a constructor of its own, which hands its argument on."""

    def __init__(self, units=4):
        super().__init__(build, epochs=1, units=units)


class Keeps(tuning.KerasRegressor):
    """One that keeps its argument, and takes others besides."""

    def __init__(self, width=3, **others):
        super().__init__(build, **{"epochs": 1, **others})
        self.width = width


@pytest.mark.slow
def test_a_subclass_with_a_constructor_of_its_own():
    net = Net(units=3)
    assert net.get_params() == {"units": 3} == clone(net).get_params()
    fitted = net.set_params(units=5).fit(X, Y)
    assert fitted.model_.layers[0].units == 5 == net.units and len(fitted.history_["loss"]) == 1
    grid = GridSearchCV(Net(), {"units": [2, 6]}, cv=2).fit(X, Y)
    assert grid.best_estimator_.model_.layers[0].units == grid.best_params_["units"]
    assert pickle.loads(pickle.dumps(fitted)).predict(X[:3]).shape == (3,)


@pytest.mark.medium
def test_what_a_subclass_hands_on_is_cloned():
    keeps = Keeps(width=5, epochs=2, units=7)
    again = clone(keeps)
    assert again.get_params() == {"width": 5, "epochs": 2, "units": 7}
    assert len(again.fit(X, Y).history_["loss"]) == 2 and again.model_.layers[0].units == 7


@pytest.mark.slow
def test_what_a_build_function_is_told():
    seen = {}

    def told(hp, meta):
        seen.update(meta)
        return tiny.build_classifier(hp, meta)

    tuning.KerasClassifier(told, epochs=1).fit(X, LABELS)
    assert seen["target_type_"] == "binary" and seen["y_ndim_"] == 1 and seen["n_classes_"] == 2
    assert seen["X_shape_"] == X.shape and seen["X_dtype_"] == "float32" and seen["y_dtype_"] == LABELS.dtype
    tuning.KerasRegressor(lambda hp, meta: seen.update(meta) or tiny.build_regressor(hp, meta), epochs=1).fit(X, Y)
    assert seen["target_type_"] == "continuous" and seen["n_outputs_"] == 1


def two_inputs(hp):
    first, second = keras.Input((4,), name="first"), keras.Input((6,), name="second")
    model = keras.Model([first, second], keras.layers.Dense(1)(keras.layers.concatenate([first, second])))
    model.compile("adam", "mse")
    return model


class Halves(tuning.KerasRegressor):
    @property
    def feature_encoder(self):
        return FunctionTransformer(lambda x: [x[:, :4], x[:, 4:]])


@pytest.mark.medium
@pytest.mark.parametrize("compiled", few([True, False], 1))
def test_several_inputs(compiled):
    fitted = Halves(two_inputs, epochs=1, compiled=compiled, random_state=0).fit(X, Y)
    expected = fitted.predict(X)
    for inputs in ([X[:, :4], X[:, 4:]], {"first": X[:, :4], "second": X[:, 4:]}):
        same = tuning.KerasRegressor(two_inputs, epochs=1, compiled=compiled, random_state=0).fit(inputs, Y)
        assert np.allclose(same.predict(inputs), expected, atol=1e-5)
        with pytest.raises(ValueError, match="`X` must be the same inputs as in fit"):
            same.predict(X)


@pytest.mark.medium
def test_whole_numbers_are_told_apart():
    ids = np.array([[2**24], [2**24 + 1]] * 20)

    def last_bit(hp):
        number = keras.Input((1,), dtype="int64")
        bit = keras.layers.Lambda(lambda x: keras.ops.cast(x % 2, "float32"))(number)
        model = keras.Model(number, keras.layers.Dense(1, activation="sigmoid")(bit))
        model.compile(keras.optimizers.Adam(0.5), "binary_crossentropy")
        return model

    fitted = tuning.KerasClassifier(last_bit, epochs=20, random_state=0).fit(ids, ids[:, 0] % 2)
    assert fitted.score(ids, ids[:, 0] % 2) == 1 and fitted.X_dtype_ == "int64"
    with pytest.warns(UserWarning, match="float32 does not tell them apart"):
        fitted.fit(ids.astype(float), ids[:, 0] % 2)


@pytest.mark.medium
def test_callbacks_are_copied_and_made_of_classes():
    class Counts(keras.callbacks.Callback):
        n = 0

        def on_epoch_end(self, epoch, logs=None):
            self.n += 1

    counts = Counts()
    fitted = tuning.KerasRegressor(build, epochs=2, callbacks=[counts]).fit(X, Y)
    assert counts.n == 0 and fitted._fit_callbacks[0].n == 2
    stops = tuning.KerasRegressor(
        build, epochs=9, callbacks=keras.callbacks.EarlyStopping, callbacks__monitor="loss", callbacks__min_delta=1e6
    )
    assert len(stops.fit(X, Y).history_["loss"]) == 2


@pytest.mark.medium
def test_a_pickle_goes_on_training():
    fitted = tuning.KerasRegressor(build, epochs=2, random_state=0).fit(X, Y)
    again = pickle.loads(pickle.dumps(fitted))
    assert np.allclose(again.predict(X), fitted.predict(X))
    assert len(again.partial_fit(X, Y).history_["loss"]) == 3


@pytest.mark.slow
def test_threads_keep_the_seed():
    net = tuning.KerasRegressor(build, epochs=2, random_state=0)
    alone = cross_val_score(net, X, Y, cv=2)
    with joblib.parallel_backend("threading", n_jobs=2):
        assert np.allclose(cross_val_score(net, X, Y, cv=2, n_jobs=2), alone, atol=1e-5)


@pytest.mark.medium
def test_a_recurrent_network_predicts_many_rows_in_compiled_calls(monkeypatch):
    def recurrent(hp):
        model = keras.Sequential([keras.Input((30, 2)), keras.layers.GRU(3), keras.layers.Dense(1)])
        model.compile("adam", "mse")
        return model

    series = np.random.RandomState(0).randn(1100, 30, 2).astype("float32")
    net = tuning.KerasRegressor(recurrent, random_state=0).initialize(series[:8], series[:8, 0, 0])
    calls = []
    genuine = net.model_.predict_on_batch
    monkeypatch.setattr(net.model_, "predict_on_batch", lambda x: calls.append(len(x)) or genuine(x))
    many = net.predict(series)
    assert calls == [256] * 5 and np.allclose(net.predict(series[:5]), many[:5], atol=1e-5) and len(calls) == 5


@pytest.mark.medium
def test_a_fit_of_the_models_own_is_called():
    called = []

    class Own(keras.Sequential):
        def fit(self, *arguments, extra=0, **named):
            called.append(extra)
            return super().fit(*arguments, **named)

    def own(hp):
        model = Own([keras.layers.Dense(1)])
        model.compile("adam", "mse")
        return model

    tuning.KerasRegressor(own, epochs=1).fit(X, Y, extra=7)
    assert called == [7]


@pytest.mark.slow
def test_scaled_targets():
    net = tuning.KerasRegressor(build, epochs=60, units=8, scale_targets=True, random_state=0, batch_size=8)
    large = Y * 1e4 + 1e6
    assert net.fit(X, large).history_["loss"][-1] < 1.1 and net.score(X, large) > 0.2
    assert (
        not tuning.KerasRegressor("diabetes").scale_targets
        and tuning.KerasRegressor("diabetes").target_encoder.is_scaled
    )


# Searches ------------------------------------------------------------------------------------------------


def tuned(**arguments):
    given = {"engine": "random", "trials": 2, "epochs": 2, "random_state": 0, **arguments}
    return tuning.TunedRegressor(tiny.build_regressor, **given)


@pytest.mark.slow
def test_a_search_keeps_groups_together_and_says_how_many_splits():
    groups = np.arange(96) % 4
    search = tuned(cv=GroupKFold(4), trials=1).fit(X, Y, groups=groups)
    assert search.n_splits_ == 4
    for fold in range(4):
        x, _ = search.study_.fold_data(fold).validation
        assert len({int(groups[np.flatnonzero((row == X).all(axis=1))[0]]) for row in x}) == 1
    with pytest.raises(ValueError, match="`cv` must be a splitter of scikit-learn's that keeps groups together"):
        tuned(cv=3).fit(X, Y, groups=groups)


@pytest.mark.slow
def test_scorers_decide_and_are_columns():
    search = tuned(cv=2, scoring=["r2", "neg_mean_absolute_error"], refit="neg_mean_absolute_error").fit(X, Y)
    results = search.cv_results_
    assert search.best_score_ == pytest.approx(results["mean_test_neg_mean_absolute_error"].max(), rel=1e-5)
    assert results["mean_test_r2"].shape == (2,) and results["split1_test_r2"].max() <= 1


@pytest.mark.medium
def test_column_names_are_remembered():
    frame = pd.DataFrame(X, columns=[f"c{i}" for i in range(X.shape[1])])
    search = tuned(trials=1).fit(frame, Y)
    assert search.best_estimator_.feature_names_in_.tolist() == list(frame) == search.feature_names_in_.tolist()
    assert search.predict(frame).shape == (96,)


def test_without_a_model_there_is_no_predict():
    assert not hasattr(tuned(refit=False), "predict") and hasattr(tuned(), "predict")
    with pytest.raises(ValueError, match="space"):
        tuning.TunedRegressor(7).fit(X, Y)


@pytest.mark.medium
def test_a_search_that_diverges_on_large_targets_says_what_helps():
    def build_steep(hp):
        model = keras.Sequential([keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(hp.Float("rate", 1e5, 1e6)), "mse")
        return model

    search = tuning.TunedRegressor(build_steep, engine="random", trials=1, epochs=3, random_state=0)
    with pytest.raises(tuning.errors.SearchFailedError, match="scale_targets=True"):
        search.fit(X * 1e6, Y * 1e5)
