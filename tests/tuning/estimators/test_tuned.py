"""TunedClassifier and TunedRegressor: searches as estimators, on data that come with scikit-learn."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import tuning
from tests.spaces import tiny
from tuning import TunedClassifier, TunedRegressor
from tuning.errors import StudyError

IRIS = load_iris(return_X_y=True)
NAMES = load_iris().target_names[IRIS[1]]
DIABETES = load_diabetes(return_X_y=True)[0], load_diabetes().target / 100
ARGUMENTS = {"engine": "random", "trials": 2, "epochs": 12, "random_state": 0, "fix": {"units": 8}}


def classifier(**arguments):
    return TunedClassifier(tiny.build_classifier, **{**ARGUMENTS, "objective": "val_accuracy", **arguments})


def regressor(**arguments):
    return TunedRegressor(tiny.build_regressor, **{**ARGUMENTS, **arguments})


@pytest.fixture(scope="module")
def fitted():
    return classifier(refit="weights").fit(IRIS[0], NAMES)


def test_it_is_what_it_says():
    assert is_classifier(classifier()) and is_regressor(regressor())
    assert clone(classifier()).get_params() == classifier().get_params()
    with pytest.raises(NotFittedError):
        classifier().predict(IRIS[0])


@pytest.mark.medium
def test_the_best_trial_is_told_in_scikit_learn_s_words(fitted):
    best = fitted.study_.best
    assert fitted.best_params_ == dict(best.values)
    assert fitted.best_params_["units"] == 8
    assert fitted.best_score_ == best.score == fitted.cv_results_["mean_test_score"].max()
    results = pd.DataFrame(fitted.cv_results_)
    assert results["params"].tolist() == [dict(trial.values) for trial in fitted.study_.trials]
    assert results["split0_test_score"].tolist() == [trial.score for trial in fitted.study_.trials]
    assert results["rank_test_score"][fitted.best_index_] == 1
    assert results["param_learning_rate"].tolist() == [t.values["learning_rate"] for t in fitted.study_.trials]
    assert fitted.classes_.tolist() == sorted(set(NAMES))
    assert set(fitted.predict(IRIS[0])) <= set(NAMES)
    assert fitted.predict_proba(IRIS[0]).shape == (150, 3)


@pytest.mark.medium
def test_weights_are_those_of_the_recorded_score(fitted):
    data = fitted.study_.space.load_data()
    assert [len(data.x), len(data.validation[0])] == [135, 15]
    assert np.bincount(data.validation[1]).tolist() == [5, 5, 5]  # stratified
    found = fitted.best_estimator_.model_.evaluate(*data.validation, verbose=0, return_dict=True)
    assert found["accuracy"] == pytest.approx(fitted.best_score_, abs=1e-6)
    assert len(fitted.best_estimator_.history_["val_accuracy"]) == fitted.n_epochs_
    assert "the weights of trial" in fitted.refit_


@pytest.mark.medium
def test_retraining_uses_all_data_and_as_many_epochs_as_the_best_trial_needed(caplog):
    with caplog.at_level("INFO", logger="tuning"):
        estimator = classifier().fit(IRIS[0], NAMES)
    best = estimator.study_.best
    assert estimator.n_epochs_ == best.best_epoch + 1
    assert len(estimator.best_estimator_.history_["loss"]) == estimator.n_epochs_
    assert estimator.best_estimator_.model_.optimizer.iterations == 5 * estimator.n_epochs_  # 150 samples, not 135
    assert estimator.best_estimator_.get_params()["learning_rate"] == best.values["learning_rate"]
    assert f"all 150 samples for {estimator.n_epochs_} epochs" in estimator.refit_
    assert estimator.refit_ in caplog.text


@pytest.mark.slow
def test_folds_score_each_trial_by_their_mean():
    weights = np.where(IRIS[1] == 0, 2.0, 1.0)
    estimator = classifier(cv=3, epochs=4).fit(IRIS[0], NAMES, weights)
    best, results = estimator.study_.best, estimator.cv_results_
    splits = [results[f"split{k}_test_score"][estimator.best_index_] for k in range(3)]
    assert splits == list(best.part_scores)
    assert estimator.best_score_ == results["mean_test_score"][estimator.best_index_] == pytest.approx(np.mean(splits))
    assert results["std_test_score"][estimator.best_index_] == pytest.approx(np.std(splits))
    assert estimator.n_epochs_ == best.best_epoch + 1
    assert estimator.best_estimator_.current_epoch == estimator.n_epochs_
    labels = np.concatenate([estimator.study_.fold_data(k).validation[1] for k in range(3)])
    assert np.bincount(labels).tolist() == [50, 50, 50]


@pytest.mark.parametrize("folds", [{"cv": 3}, {"engine": "grid"}])
def test_folds_leave_no_single_model_whose_weights_could_be_taken(folds):
    with pytest.raises(ValueError, match="each of them has a model of its own"):
        classifier(refit="weights", **folds).fit(*IRIS)


@pytest.mark.slow
def test_a_grid_is_searched_with_folds():
    grid = {"learning_rate": [0.01, 0.1]}
    estimator = classifier(engine="grid", options={"grid": grid}, trials=None, cv=2, epochs=2).fit(*IRIS)
    assert len(estimator.cv_results_["mean_test_score"]) == 2 and estimator.score(*IRIS) > 0.3


@pytest.mark.medium
def test_without_a_refit_there_is_a_search_and_no_model():
    estimator = classifier(refit=False, epochs=1).fit(*IRIS)
    assert estimator.best_params_ and not hasattr(estimator, "best_estimator_")
    with pytest.raises(AttributeError, match="predict"):
        estimator.predict(IRIS[0])


@pytest.mark.slow
def test_a_minimised_objective_is_negated_as_in_scikit_learn():
    estimator = regressor(objective="val_mae", refit="weights").fit(*DIABETES)
    assert estimator.best_score_ == -estimator.study_.best.score
    results = estimator.cv_results_
    assert results["mean_test_score"][results["rank_test_score"] == 1] == estimator.best_score_
    assert estimator.predict(DIABETES[0]).shape == (442,)


@pytest.mark.medium
def test_the_same_seed_gives_the_same_predictions(fitted):
    twin = clone(fitted).fit(IRIS[0], NAMES)
    assert np.array_equal(twin.predict_proba(IRIS[0]), fitted.predict_proba(IRIS[0]))


@pytest.mark.medium
def test_a_pickle_predicts_the_same_and_leaves_the_data_behind(fitted):
    text = pickle.dumps(fitted)
    twin = pickle.loads(text)
    assert np.array_equal(twin.predict_proba(IRIS[0]), fitted.predict_proba(IRIS[0]))
    assert twin.study_.best == fitted.study_.best
    assert fitted.study_.space.load_data() is not None
    with pytest.raises(tuning.TuningError):
        twin.study_.space.load_data()


@pytest.mark.slow
def test_the_files_of_a_study_without_a_name_go_with_it():
    estimator = classifier(epochs=1, trials=1, refit="weights").fit(*IRIS)
    path = estimator.study_.path
    assert estimator.study_.best_model() is not None
    del estimator
    import gc

    gc.collect()
    assert not path.exists()


@pytest.mark.slow
def test_a_study_with_a_name_is_kept_continued_and_refused_for_other_data(tmp_path):
    arguments = {
        "study": "irises",
        "logs": tmp_path,
        "trials": 1,
        "epochs": 2,
        "random_state": None,
        "refit": "weights",
    }
    first = classifier(**arguments).fit(*IRIS)
    again = classifier(**{**arguments, "trials": 2}).fit(*IRIS)
    assert again.study_.trials[0] == first.study_.trials[0]
    assert len(again.study_.trials) == 2
    assert tuning.load(tmp_path / "irises").best.score == again.best_score_
    with pytest.raises(StudyError, match="data 'x' is"):
        classifier(**arguments).fit(IRIS[0][:120], IRIS[1][:120])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"refit": "best"}, "refit"),
        ({"refit": "weights", "cv": 3}, "each of them has a model of its own"),
        ({"validation_fraction": 1.5}, "validation_fraction"),
        ({"engine": "grit"}, "engine"),
        ({"objective": ["val_accuracy", "loss"]}, "one metric"),
        ({"fix": {"unitz": 8}}, "units"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        classifier(**arguments).fit(*IRIS)


@pytest.mark.slow
def test_it_stands_in_a_pipeline_and_in_nested_cross_validation():
    pipeline = make_pipeline(StandardScaler(), regressor(trials=1, refit="weights"))
    scores = cross_val_score(pipeline, *DIABETES, cv=2)
    assert scores.shape == (2,) and scores.min() > -0.5


@pytest.mark.exhaustive
def test_it_stands_in_grid_search():
    estimator = classifier(trials=1, refit="weights", fix={"units": 8, "learning_rate": 0.03})
    grid = GridSearchCV(estimator, {"epochs": [1, 40]}, cv=2).fit(*IRIS)
    assert grid.best_params_ == {"epochs": 40}
    assert grid.best_score_ > 0.8


@pytest.mark.exhaustive
def test_weights_of_samples_count():
    heavy = np.where(IRIS[1] == 2, 50.0, 1.0)
    estimator = classifier(epochs=5, trials=1).fit(*IRIS, sample_weight=heavy)
    assert (estimator.predict(IRIS[0]) == 2).sum() > 60


@pytest.mark.slow
def test_one_hot_losses_are_searched():
    import keras

    def build_model(hp, meta):
        model = keras.Sequential([keras.layers.Dense(meta["n_classes_"], "softmax")])
        model.compile(keras.optimizers.Adam(hp.Float("learning_rate", 1e-2, 1e-1)), "categorical_crossentropy")
        return model

    arguments = {**ARGUMENTS, "fix": None, "trials": 1, "epochs": 20, "refit": "weights"}
    estimator = TunedClassifier(build_model, **arguments).fit(IRIS[0], NAMES)
    assert estimator.score(IRIS[0], NAMES) > 0.7


@pytest.mark.exhaustive
def test_hyperband_and_workers():
    estimator = classifier(engine="hyperband", trials=None, epochs=3, workers=2).fit(*IRIS)
    assert len(estimator.study_.trials) > 2
    assert max(trial.epochs for trial in estimator.study_.trials) == 3


@pytest.mark.slow
def test_a_space_with_a_fit_of_its_own_is_given_the_training_rows():
    import keras

    class Scaled(tuning.SearchSpace):
        def build(self, hp):
            model = keras.Sequential([keras.Input((10,)), keras.layers.Normalization(), keras.layers.Dense(1)])
            model.compile(keras.optimizers.Adam(hp.Float("learning_rate", 0.01, 0.1)), "mse")
            return model

        def fit(self, hp, model, x, y, **options):
            model.layers[0].adapt(x)
            return model.fit(x, y, **options)

    search = TunedRegressor(Scaled(), engine="random", trials=1, epochs=2, cv=2, random_state=0).fit(*DIABETES)
    assert search.n_splits_ == 2 and search.predict(DIABETES[0]).shape == (442,)
    mean = np.ravel(search.best_estimator_.model_.layers[0].mean)
    assert np.allclose(mean, DIABETES[0].mean(axis=0), atol=1e-6)
