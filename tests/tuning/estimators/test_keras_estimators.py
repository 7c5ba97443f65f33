"""KerasClassifier and KerasRegressor in scikit-learn's hands, on data that come with it."""

import copy
import pickle

import keras
import numpy as np
import pandas as pd
import pytest
from scikeras.wrappers import BaseWrapper
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.exceptions import DataConversionWarning
from sklearn.model_selection import GridSearchCV, StratifiedKFold, check_cv, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

import tuning
from tests.spaces import tiny
from tuning import KerasClassifier, KerasRegressor
from tuning.estimators.base import outputs

IRIS = load_iris(return_X_y=True)
DIABETES = load_diabetes(return_X_y=True)[0], load_diabetes().target / 100
NAMES = load_iris().target_names[IRIS[1]]


def with_conditions(hp, meta):
    """Return a classifier whose momentum applies to one of its optimizers."""
    layers = [keras.layers.Dense(hp.Int("units", 4, 32, default=8), "relu") for _ in range(hp.Int("n_hidden", 1, 3))]
    rate = hp.Float("learning_rate", 1e-3, 1e-1, sampling="log", default=1e-2)
    optimizer = hp.Choice("optimizer", ["adam", "sgd"])
    with hp.conditional_scope("optimizer", ["sgd"]):
        momentum = hp.Float("momentum", 0.0, 0.9, default=0.5)
    model = keras.Sequential([*layers, keras.layers.Dense(meta["n_classes_"], "softmax")])
    sgd = optimizer == "sgd"
    chosen = keras.optimizers.SGD(rate, momentum=momentum) if sgd else keras.optimizers.Adam(rate)
    model.compile(chosen, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def classifier(**arguments):
    return KerasClassifier(tiny.build_classifier, **{"epochs": 10, "random_state": 0, **arguments})


def regressor(**arguments):
    return KerasRegressor(tiny.build_regressor, **{"epochs": 5, "random_state": 0, **arguments})


@pytest.fixture(scope="module")
def fitted():
    """A classifier of the names of irises, trained on the compiled path."""
    return classifier(epochs=30, compiled=True).fit(IRIS[0], NAMES)


# Parameters ---------------------------------------------------------------------------------------------------


def test_hyperparameters_are_parameters_with_the_defaults_of_the_space():
    estimator = KerasClassifier(with_conditions, n_hidden=2)
    params = estimator.get_params()
    assert {k: params[k] for k in ("units", "n_hidden", "learning_rate", "optimizer", "momentum")} == {
        "units": 8, "n_hidden": 2, "learning_rate": 1e-2, "optimizer": "adam", "momentum": 0.5,
    }  # fmt: skip
    assert clone(estimator).get_params() == params
    assert estimator.set_params(momentum=0.9, epochs=3).get_params() == {**params, "momentum": 0.9, "epochs": 3}
    assert (estimator.n_hidden, estimator.units) == (2, 8)
    assert not hasattr(estimator, "n_hidn")
    assert "n_hidden=2" in repr(estimator)


@pytest.mark.medium
def test_grids_of_a_space_are_grids_of_its_estimator():
    estimator = KerasClassifier(with_conditions)
    grids = tuning.param_grid(with_conditions, levels=2)
    assert [grid["optimizer"] for grid in grids] == [["adam"], ["sgd"]]
    for grid in (*grids, *tuning.param_distributions(with_conditions)):
        assert set(grid) <= set(estimator.get_params())
    chosen = {name: values[-1] for name, values in grids[1].items()}
    assert chosen["momentum"] == 0.9
    assert clone(estimator).set_params(**chosen, epochs=1).fit(*IRIS).model_.optimizer.momentum == 0.9


@pytest.mark.medium
def test_clones_share_the_space():
    class Space(tuning.SearchSpace):
        builds = 0

        def build(self, hp, meta):
            Space.builds += 1
            return tiny.build_classifier(hp, meta)

    estimator = KerasClassifier(Space())
    assert estimator.get_params()["units"] == 16
    builds = Space.builds
    assert clone(clone(estimator)).get_params() == estimator.get_params()
    assert clone(estimator).space is estimator.space
    assert Space.builds == builds  # the hyperparameters are not looked for again
    KerasClassifier("digits").get_params()
    assert KerasClassifier("digits").get_params()["n_hidden"] == 2


@pytest.mark.slow
def test_a_conditional_hyperparameter_is_used_where_it_applies():
    estimator = KerasClassifier(with_conditions, optimizer="sgd", momentum=0.9, epochs=1, compiled=False).fit(*IRIS)
    assert estimator.model_.optimizer.momentum == 0.9
    assert isinstance(clone(estimator).set_params(optimizer="adam").fit(*IRIS).model_.optimizer, keras.optimizers.Adam)


@pytest.mark.slow
def test_batch_size_and_epochs_may_be_hyperparameters():
    def build_model(hp, meta):
        hp.Int("epochs", 1, 9, default=3)
        return tiny.build_classifier(hp, meta)

    class Space(tuning.SearchSpace):
        def build(self, hp, meta):
            return build_model(hp, meta)

        def fit(self, hp, model, *arguments, **options):
            return model.fit(*arguments, batch_size=hp.Choice("batch_size", [8, 150]), **options)

    estimator = KerasClassifier(Space(), compiled=False)
    assert (estimator.get_params()["epochs"], estimator.get_params()["batch_size"]) == (3, 8)
    estimator.fit(*IRIS)
    assert estimator.model_.optimizer.iterations == 3 * 19
    estimator = clone(estimator).set_params(batch_size=150, epochs=2).fit(*IRIS)
    assert estimator.model_.optimizer.iterations == 2


@pytest.mark.parametrize(
    ("params", "message"),
    [({"unitz": 3}, "Did you mean 'units'"), ({"units": 99}, "0 .. 64"), ({"fit_verbose": 1}, "but got 'fit_verbose'")],
)
def test_what_is_no_parameter_or_not_allowed_is_refused(params, message):
    with pytest.raises(ValueError, match=message):
        classifier(**params).fit(*IRIS)
    with pytest.raises(ValueError, match=message):
        classifier().set_params(**params).fit(*IRIS)


@pytest.mark.medium
def test_numbers_of_numpy_are_values():
    estimator = classifier(units=np.int64(5), learning_rate=np.float32(0.01), epochs=1).fit(*IRIS)
    assert estimator.model_.layers[0].units == 5


@pytest.mark.slow
def test_sci_keras_routing_works(fitted):
    assert isinstance(fitted, BaseWrapper)
    stop = keras.callbacks.EarlyStopping
    estimator = classifier(
        epochs=50, model__units=6, fit__batch_size=50, validation_split=0.2, predict__batch_size=7,
        callbacks=stop, callbacks__monitor="loss", callbacks__min_delta=10.0, callbacks__patience=2,
    )  # fmt: skip
    estimator = clone(estimator).fit(*IRIS)
    assert estimator.model_.layers[0].units == 6
    assert len(estimator.history_["val_loss"]) == 3
    assert estimator.model_.optimizer.iterations == 3 * 3
    assert np.allclose(
        estimator.predict_proba(IRIS[0]), outputs(estimator.model_, IRIS[0].astype("float32")), atol=1e-6
    )


@pytest.mark.medium
def test_a_callback_given_as_an_object_stays_as_it_was():
    stop = keras.callbacks.EarlyStopping(monitor="loss", min_delta=10.0)
    estimator = classifier(callbacks=[stop]).fit(*IRIS)
    assert len(estimator.history_["loss"]) < 10
    assert getattr(stop, "_model", None) is None


# Tags, Pipeline and GridSearchCV ------------------------------------------------------------------------------


def test_scikit_learn_knows_what_they_are():
    assert is_classifier(classifier()) and not is_regressor(classifier())
    assert is_regressor(regressor()) and not is_classifier(regressor())
    assert isinstance(check_cv(3, IRIS[1], classifier=is_classifier(classifier())), StratifiedKFold)


@pytest.mark.slow
def test_grid_search_stratifies_the_folds_of_a_classifier():
    folds = []

    class Noted(KerasClassifier):
        def fit(self, X, y, sample_weight=None, **options):
            folds.append(np.bincount(y).tolist())
            return super().fit(X, y, sample_weight, **options)

    search = GridSearchCV(Noted(tiny.build_classifier, epochs=1, compiled=False), {"units": [4]}, cv=3, refit=False)
    search.fit(*IRIS)  # sorted by class: plain folds would lack one each
    assert len(folds) == 3
    assert all(min(fold) >= 33 for fold in folds)


@pytest.mark.slow
def test_a_pipeline_routes_hyperparameters():
    pipeline = Pipeline([("scale", StandardScaler()), ("clf", classifier(epochs=20, compiled=True))])
    search = GridSearchCV(pipeline, {"clf__units": [8], "clf__learning_rate": [1e-3, 3e-2]}, cv=3).fit(*IRIS)
    assert search.best_params_ == {"clf__units": 8, "clf__learning_rate": 3e-2}
    assert search.best_score_ > 0.9
    assert search.best_estimator_["clf"].model_.layers[0].units == 8


@pytest.mark.exhaustive
def test_cross_validation_in_other_processes():
    scores = cross_val_score(KerasRegressor(tiny.build_regressor, epochs=30, random_state=0), *DIABETES, n_jobs=2, cv=2)
    assert scores.min() > 0.2


@pytest.mark.medium
def test_folds_share_one_compiled_program():
    from tuning import compiled as training

    before = training.compiled_programs()
    rates = {"learning_rate": [1e-3, 1e-2, 3e-2]}
    GridSearchCV(regressor(compiled=True, epochs=1, units=17), rates, cv=2, refit=False).fit(*DIABETES)
    assert training.compiled_programs() == before + 1


# Data ---------------------------------------------------------------------------------------------------------


def test_labels_may_be_strings(fitted):
    assert fitted.classes_.tolist() == ["setosa", "versicolor", "virginica"]
    assert set(fitted.predict(IRIS[0])) == set(NAMES)
    assert fitted.score(IRIS[0], NAMES) > 0.9
    probabilities = fitted.predict_proba(IRIS[0])
    assert probabilities.shape == (150, 3)
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)


@pytest.mark.medium
def test_data_frames_and_columns_of_targets():
    x = pd.DataFrame(IRIS[0], columns=["a", "b", "c", "d"])
    plain = classifier().fit(*IRIS).predict(IRIS[0])
    with pytest.warns(DataConversionWarning, match="column-vector y"):
        estimator = classifier().fit(x, pd.DataFrame({"kind": IRIS[1]}))
    assert estimator.feature_names_in_.tolist() == ["a", "b", "c", "d"]
    assert estimator.n_features_in_ == 4
    assert estimator.predict(x).tolist() == plain.tolist()
    with pytest.raises(ValueError, match="feature names should match"):
        estimator.predict(x[["d", "c", "b", "a"]])
    column = regressor().fit(DIABETES[0], DIABETES[1][:, None])
    assert np.allclose(column.predict(DIABETES[0])[:, 0], regressor().fit(*DIABETES).predict(DIABETES[0]))


@pytest.mark.medium
def test_several_targets_and_the_precision_of_predictions():
    y = np.column_stack([DIABETES[1], -DIABETES[1]])
    estimator = regressor().fit(DIABETES[0], y)
    assert estimator.predict(DIABETES[0]).shape == y.shape
    assert estimator.predict(DIABETES[0]).dtype == "float64"
    assert regressor(epochs=1).fit(DIABETES[0], DIABETES[1].astype("float32")).predict(DIABETES[0]).dtype == "float32"


@pytest.mark.medium
def test_images_keep_their_shape():
    x = load_digits().images / 16

    def build_model(hp, meta):
        model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(meta["n_classes_"], "softmax")])
        model.compile("adam", "sparse_categorical_crossentropy")
        return model

    estimator = KerasClassifier(build_model, epochs=1, compiled=False).fit(x, load_digits().target)
    assert estimator.predict(x[:5]).shape == (5,)
    with pytest.raises(ValueError, match=r"shape \(8, 8\)"):
        estimator.predict(x[:5, :, :7])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("activation", "units", "loss"),
    [
        ("softmax", 2, "sparse_categorical_crossentropy"),
        ("softmax", 2, "categorical_crossentropy"),
        ("sigmoid", 1, "binary_crossentropy"),
        (None, 1, "from_logits"),
        (None, 2, "from_logits"),
    ],
)
def test_the_loss_decides_how_two_classes_are_encoded(activation, units, loss):
    def build_model(hp):
        model = keras.Sequential([keras.layers.Dense(8, "relu"), keras.layers.Dense(units, activation)])
        logits = [keras.losses.BinaryCrossentropy(True), keras.losses.SparseCategoricalCrossentropy(True)]
        model.compile(keras.optimizers.Adam(0.03), logits[units - 1] if loss == "from_logits" else loss)
        return model

    x, y = StandardScaler().fit_transform(IRIS[0][50:]), NAMES[50:]
    estimator = KerasClassifier(build_model, epochs=30, random_state=0, compiled=False).fit(x, y)
    assert estimator.score(x, y) > 0.9
    probabilities = estimator.predict_proba(x[:1])
    assert probabilities.shape == (1, 2) and probabilities.min() >= 0
    assert probabilities.sum() == pytest.approx(1, abs=1e-6)


def test_a_model_with_the_wrong_number_of_outputs_is_refused():
    def build_model(hp):
        return tiny.build_classifier(hp, {"n_classes_": 5})

    with pytest.raises(ValueError, match=r"must have 3 outputs, one for each class, but has 5.*meta\['n_classes_'\]"):
        KerasClassifier(build_model).fit(*IRIS)
    with pytest.raises(ValueError, match="must have 1 outputs, one for each target, but has 5"):
        KerasRegressor(build_model).fit(*DIABETES)


def test_targets_that_are_no_classes_are_refused():
    with pytest.raises(ValueError, match="[Uu]nknown label type"):
        classifier().fit(*DIABETES)
    with pytest.raises(ValueError, match="1 class"):
        classifier().fit(IRIS[0][:50], IRIS[1][:50])


# Training -----------------------------------------------------------------------------------------------------


def test_training_is_compiled_and_told_in_the_history(fitted):
    from tuning import compiled as training

    assert training.last_report(fitted.model_).compiled
    assert {name: len(values) for name, values in fitted.history_.items()} == {"loss": 30, "accuracy": 30}
    assert fitted.history_["loss"][-1] < fitted.history_["loss"][0] / 2


@pytest.mark.medium
def test_the_same_seed_gives_the_same_predictions():
    one, two, other = (classifier(random_state=seed).fit(*IRIS).predict_proba(IRIS[0]) for seed in (0, 0, 1))
    assert np.array_equal(one, two)
    assert not np.allclose(one, other)


@pytest.mark.medium
def test_a_random_state_object_gives_another_seed_each_time():
    state = np.random.RandomState(0)
    one, two = (classifier(random_state=state).fit(*IRIS).predict_proba(IRIS[0]) for _ in range(2))
    assert not np.allclose(one, two)


def test_training_leaves_numpy_s_generator_alone():
    np.random.seed(3)
    expected = np.random.rand()
    np.random.seed(3)
    classifier(epochs=1).fit(*IRIS)
    assert np.random.rand() == expected


@pytest.mark.slow
def test_partial_fit_goes_on_where_fit_ended():
    whole = classifier(epochs=3).fit(*IRIS)
    parts = classifier().partial_fit(*IRIS).partial_fit(*IRIS)
    parts = pickle.loads(pickle.dumps(parts)).partial_fit(*IRIS)  # the optimizer's state goes with it
    assert len(parts.history_["loss"]) == 3
    assert np.allclose(parts.predict_proba(IRIS[0]), whole.predict_proba(IRIS[0]), atol=1e-6)


@pytest.mark.slow
def test_partial_fit_learns_the_classes_of_later_batches():
    estimator = classifier().partial_fit(IRIS[0][:100], NAMES[:100], classes=np.unique(NAMES))
    assert len(estimator.partial_fit(IRIS[0][100:], NAMES[100:]).classes_) == 3
    with pytest.raises(ValueError, match="none but the classes"):
        classifier().partial_fit(IRIS[0][:100], NAMES[:100]).partial_fit(IRIS[0][100:], NAMES[100:])


@pytest.mark.slow
def test_warm_start_goes_on_with_the_model():
    estimator = regressor(warm_start=True).fit(*DIABETES)
    first, model = estimator.history_["loss"][-1], estimator.model_
    estimator.fit(*DIABETES)
    assert estimator.model_ is model
    assert estimator.history_["loss"][0] < first * 1.5
    assert clone(estimator).set_params(warm_start=False).fit(*DIABETES).model_ is not model


@pytest.mark.slow
def test_weights_of_samples_and_classes_count():
    heavy = np.where(IRIS[1] == 2, 50.0, 1.0)
    for arguments, weights in (({}, heavy), ({"class_weight": {0: 1, 1: 1, 2: 50}}, None)):
        found = classifier(**arguments).fit(*IRIS, sample_weight=weights).predict(IRIS[0])
        assert (found == 2).sum() > 60
    few = np.r_[0:50, 50:53]  # two classes, 50 and 3
    balanced = classifier(class_weight="balanced").fit(IRIS[0][few], NAMES[few])
    weighted = classifier().fit(IRIS[0][few], NAMES[few], np.where(IRIS[1][few] == 0, 53 / 100, 53 / 6))
    assert np.allclose(balanced.predict_proba(IRIS[0]), weighted.predict_proba(IRIS[0]))
    assert "class_weight" not in regressor().get_params()


@pytest.mark.slow
def test_validation_data_are_encoded_too():
    estimator = classifier(epochs=2).fit(IRIS[0], NAMES, validation_data=(IRIS[0][::3], NAMES[::3]))
    assert len(estimator.history_["val_accuracy"]) == 2


@pytest.mark.medium
def test_pickles_and_copies_predict_the_same(fitted):
    for twin in (pickle.loads(pickle.dumps(fitted)), copy.deepcopy(fitted)):
        check_is_fitted(twin)
        assert np.array_equal(twin.predict_proba(IRIS[0]), fitted.predict_proba(IRIS[0]))
        assert twin.get_params() == fitted.get_params()
    unfitted = pickle.loads(pickle.dumps(classifier()))
    assert unfitted.get_params() == classifier().get_params()


def build_with_a_layer_of_its_own(hp):
    """Return a model with a layer that Keras could not find again, were it saved."""

    class Doubled(keras.layers.Dense):
        def call(self, x):
            return 2 * super().call(x)

    model = keras.Sequential([Doubled(1)])
    model.compile("adam", "mse")
    return model


@pytest.mark.medium
def test_a_layer_that_keras_cannot_save_is_pickled():
    estimator = KerasRegressor(build_with_a_layer_of_its_own, epochs=1, compiled=False).fit(*DIABETES)
    twin = pickle.loads(pickle.dumps(estimator))
    assert np.array_equal(twin.predict(DIABETES[0]), estimator.predict(DIABETES[0]))


@pytest.mark.medium
def test_a_sample_s_prediction_does_not_depend_on_its_company(fitted):
    whole = fitted.predict_proba(IRIS[0])
    assert np.array_equal(whole[:1], fitted.predict_proba(IRIS[0][:1]))
    assert np.array_equal(whole[40:90], fitted.predict_proba(IRIS[0][40:90]))
    assert np.allclose(whole, fitted.model_.predict(IRIS[0], verbose=0), atol=1e-6)


@pytest.mark.slow
def test_bundled_spaces_are_estimators():
    x, y = load_digits().images[:600] / 16, load_digits().target[:600]
    estimator = KerasClassifier("digits", epochs=3, optimizer="adam", normalize=True, random_state=0).fit(x, y)
    assert estimator.get_params()["batch_size"] == 32
    assert estimator.score(x, y) > 0.85
    pipeline = make_pipeline(StandardScaler(), KerasRegressor("diabetes", epochs=5, optimizer="adam", random_state=0))
    assert pipeline.fit(*DIABETES).score(*DIABETES) > 0.1


@pytest.mark.medium
def test_a_keras_tuner_hypermodel_is_a_space():
    keras_tuner = pytest.importorskip("keras_tuner")

    class Model(keras_tuner.HyperModel):
        def build(self, hp):
            return tiny.build_regressor(hp, {"n_outputs_": 1})

    estimator = clone(KerasRegressor(Model(), units=6, epochs=1, compiled=False)).fit(*DIABETES)
    assert estimator.model_.layers[0].units == 6
