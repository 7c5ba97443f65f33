"""A study that is opened again: its models, from whatever `search` takes, and its tables."""

import math

import numpy as np
import pandas as pd
import pytest

import tuning
from tests.golden.studies import formula
from tuning.errors import OptionError, SpaceError, StudyError

X = np.linspace(-1, 1, 40, dtype="float32").reshape(-1, 1)
Y = 3 * X


def build_model(hp):
    import keras

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(hp.Float("rate", 0.01, 0.1)), "mse", metrics=["mae"])
    return model


class OfAClass(tuning.SearchSpace):
    def build(self, hp):
        return build_model(hp)


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """The folder of a study of a function, and its score."""
    study = tuning.search(
        build_model, X, Y, validation_data=(X, Y), objective="val_loss", engine="random", trials=2, epochs=2, seed=1,
        logs=tmp_path_factory.mktemp("logs"), study="line",
    )  # fmt: skip
    return study.path, study.best.score


DATA = tuning.Data(X, Y, (X, Y))


@pytest.mark.medium
@pytest.mark.parametrize(
    "space", [build_model, OfAClass, OfAClass(), OfAClass("other")], ids=["f", "class", "own", "n"]
)
def test_models_are_made_again_of_whatever_search_takes(searched, space, tmp_path):
    path, score = searched
    study = tuning.load(path, space=space, data=DATA)
    assert study.evaluate()["loss"] == pytest.approx(score, rel=1e-6)
    assert study.best_model().predict(X, verbose=0).shape == (40, 1)
    assert study.save(tmp_path / "best.keras").is_file()


@pytest.mark.medium
def test_its_files_are_found_wherever_a_space_has_gone_meanwhile(searched, tmp_path, monkeypatch):
    monkeypatch.chdir(searched[0].parent)
    study = tuning.load("line", space=build_model, data=DATA)
    shown = study.checkpoint(study.best)
    monkeypatch.chdir(tmp_path)
    assert study.checkpoint(study.best) == shown and not shown.is_absolute()
    assert study.source.startswith("def build_model(hp):")
    assert study.best_model().built


@pytest.mark.medium
def test_the_models_that_are_kept_open_without_their_space_and_its_text_can_be_read(searched):
    study, with_space = tuning.load(searched[0]), tuning.load(searched[0], space=build_model)
    given, again = (one.best_model() for one in (with_space, study))
    np.testing.assert_array_equal(again.predict(X, verbose=0), given.predict(X, verbose=0))
    assert again.optimizer is not None and study.source.startswith("def build_model(hp):")


def test_without_its_space_a_study_says_what_to_pass(searched):
    with pytest.raises(SpaceError, match=r"tuning.load\(path, space=...\).*study.source"):
        tuning.load(searched[0]).untrained_model(0)
    with pytest.raises(SpaceError, match="must be a SearchSpace, a HyperModel or a build_model"):
        tuning.load(searched[0], space=3)


@pytest.mark.medium
def test_a_name_is_a_space_too(tmp_path):
    study = tuning.search(formula.__file__, engine="random", trials=2, epochs=1, seed=3, logs=tmp_path)
    assert type(tuning.load(study.path, space=formula.__file__).space).__name__ == type(study.space).__name__


@pytest.fixture(scope="module")
def folded(tmp_path_factory):
    return tuning.search(
        formula.__file__,
        engine="random",
        trials=3,
        epochs=4,
        cv=2,
        seed=3,
        logs=tmp_path_factory.mktemp("l"),
        study="s",
    )


def test_a_data_frame_has_times_and_all_metrics_at_the_best_epoch(folded):
    frame = folded.dataframe()
    assert list(frame["number"]) == [0, 1, 2] and "values.a" in frame
    for trial, row in zip(folded.trials, frame.to_dict("records"), strict=True):
        assert row["started_at"] == pd.Timestamp(trial.started_at, unit="s", tz="UTC") <= row["ended_at"]
        assert trial.best_epoch is not None
        for metric, value in trial.curve.epochs[trial.best_epoch].items():
            assert row[f"metrics.{metric}"] == value


def test_curves_have_one_row_an_epoch(folded):
    curves = folded.curves()
    assert len(curves) == sum(trial.epochs for trial in folded.trials)
    for trial in folded.trials:
        of_trial = curves[curves["trial"] == trial.number]
        assert list(of_trial["epoch"]) == list(range(trial.epochs))
        assert list(of_trial["val_loss"]) == trial.curve.values("val_loss")


def test_tables_of_a_study_without_trials_are_empty(folded):
    study = tuning.load(folded.path)
    study.trials = []
    assert len(study.dataframe()) == len(study.curves()) == 0 and list(study.curves()) == ["trial", "epoch"]


def test_times_that_are_not_known_yet_are_missing(folded):
    from dataclasses import replace

    study = tuning.load(folded.path)
    first = study.trials[0]
    assert first.joint is not None
    study.trials = [replace(first, ended_at=None, joint=replace(first.joint, best_epoch=None))]
    (row,) = study.dataframe().to_dict("records")
    assert pd.isna(row["ended_at"]) and not any(name.startswith("metrics.") for name in row)
    assert not math.isnan(row["started_at"].timestamp())


@pytest.mark.parametrize("n", [0, True, 1.0, "2"])
def test_a_number_of_trials_is_a_whole_number(folded, n):
    with pytest.raises(OptionError, match="`n` must be a whole number >= 1, but got"):
        folded.top(n)


def test_views_of_scikit_learn_are_of_its_engine_alone(folded):
    with pytest.raises(StudyError, match="must be of the engine grid, but it is of random"):
        folded.cv_results_  # noqa: B018
