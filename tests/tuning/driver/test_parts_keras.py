"""Folds of Keras models: preprocessing inside each fold, one compiled program for all, fold models, TensorBoard."""

import keras
import numpy as np
import pytest

import tuning
from search_spaces import california_housing, diabetes
from search_spaces.data import diabetes as diabetes_data
from tests.tensorboard_client import Client, eventually, metrics_of_group
from tests.tuning.driver.test_parts import Interrupts
from tuning import compiled as training
from tuning.data import Data
from tuning.errors import StudyError
from tuning.records.trial import State
from tuning.tensorboard import serve


def layer_of(model):
    import keras

    return next(layer for layer in model.layers if isinstance(layer, keras.layers.Normalization))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return tuning.search(
        "diabetes", engine="random", trials=2, epochs=3, seed=1, cv=3, logs=tmp_path_factory.mktemp("logs")
    )


@pytest.mark.slow
def test_each_fold_fits_its_own_scaler_and_no_validation_row_touches_it(study):
    scalers = []
    for fold, model in enumerate(study.models(study.best)):
        data, layer = study.fold_data(fold), layer_of(model)
        np.testing.assert_allclose(np.ravel(layer.mean), data.x.mean(axis=0), rtol=1e-3, atol=1e-6)
        np.testing.assert_allclose(np.ravel(layer.variance), data.x.var(axis=0), rtol=1e-3)
        scalers.append(tuple(np.ravel(layer.mean)))
    assert len(set(scalers)) == 3


@pytest.mark.slow
def test_changed_validation_rows_change_no_scaler(tmp_path):
    """California's space: what a fold validates on is replaced by nonsense, and its scaler stays the same."""
    draws = np.random.default_rng(0)
    x, y = draws.normal(5, 2, (90, 8)).astype("float32"), draws.random(90, np.float32)
    rows = [(range(60), range(60, 90))]
    nonsense = x.copy()
    nonsense[60:] = 1e6
    scalers = []
    for name, inputs in (("as_it_is", x), ("nonsense", nonsense)):
        found = tuning.search(
            california_housing.space, inputs, y, cv=rows, engine="random", trials=1, epochs=1, seed=0, logs=tmp_path,
            study=name,
        )  # fmt: skip
        (model,) = found.models(0)
        scalers.append([np.array(layer_of(model).mean), np.array(layer_of(model).variance)])
    np.testing.assert_array_equal(*scalers)


@pytest.mark.slow
def test_fold_models_evaluate_to_the_recorded_scores(study):
    for fold, (model, score) in enumerate(zip(study.models(0), study.trials[0].part_scores, strict=True)):
        x, y = study.fold_data(fold).validation
        assert model.evaluate(x, y, verbose=0, return_dict=True)["rmse"] == pytest.approx(score, rel=1e-5)
    loaded = tuning.load(study.path)
    np.testing.assert_array_equal(loaded.fold_data(1).x, study.fold_data(1).x)


@pytest.mark.slow
def test_the_model_of_a_trial_with_several_is_the_best_one(tmp_path):
    arguments = {"engine": "random", "trials": 1, "epochs": 1, "seed": 0, "logs": tmp_path, "objective": "val_loss"}
    x = np.random.default_rng(0).normal(size=(30, 2)).astype("float32")
    for study, parts in (("folds", {"cv": 2}), ("repeats", {"repeats": 2, "validation_data": (x, x[:, :1])})):
        found = tuning.search(two_layers, x, x[:, :1], study=study, **arguments, **parts)
        scores = found.best.part_scores
        best = found.definition.training_names[scores.index(min(scores))]
        with pytest.warns(UserWarning, match=f"2 models, of 2 {study}: this is that of {best}"):
            found.best_model()
        with pytest.warns(UserWarning, match=best):
            assert found.evaluate()["loss"] == pytest.approx(min(scores), rel=1e-5)


def two_layers(hp):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(hp.Int("units", 2, 5)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


@pytest.mark.slow
def test_a_final_model_is_trained_on_all_the_data_of_the_folds(study):
    final = tuning.finalize(tuning.load(study.path))
    assert final.n_training == len(study.fold_data(0).x) + len(study.fold_data(0).validation[0])
    assert final.trial == study.best.number and final.epochs == study.best.best_epoch + 1


@pytest.mark.slow
def test_a_plain_study_has_no_fold_models(tmp_path):
    found = tuning.search("diabetes", engine="random", trials=1, epochs=1, seed=0, logs=tmp_path)
    with pytest.raises(StudyError, match=r"has one model: study\.model\(0\)"):
        found.models(0)
    with pytest.raises(StudyError, match="but it has none"):
        found.fold_data(0)


@pytest.mark.slow
def test_folds_of_different_length_share_one_program(tmp_path):
    data = diabetes_data()
    x, y = data.x[:247], data.y[:247]  # folds train on 164, 165 and 165 rows
    training.clear()
    before = training.compiled_programs()
    found = tuning.search(
        diabetes.space, x, y, cv=3, repeats=2, engine="random", trials=1, epochs=2, seed=0, logs=tmp_path
    )
    assert sorted({len(found.fold_data(fold).x) for fold in range(3)}) == [164, 165]
    assert found.best.compiled and training.compiled_programs() - before == 1


@pytest.mark.slow
def test_promoted_folds_go_on_from_their_own_weights(tmp_path):
    found = tuning.search(
        "diabetes", engine="hyperband", epochs=4, options={"factor": 2}, seed=0, cv=2, logs=tmp_path,
        fix={"n_hidden": 1, "n_neurons": 10, "loss": "mse", "optimizer": "sgd"},
    )  # fmt: skip
    promoted = [t for t in found.trials if len(t.runs) > 1]
    assert promoted and all(p.untils == tuple(r.until for r in t.runs) for t in promoted for p in t.trainings)
    kept = {path.name for path in (found.path / "checkpoints").iterdir()}
    best = sorted((t for t in found.trials if t.state is State.COMPLETED), key=lambda t: t.score)[:3]
    assert kept == {f"trial_{t.number:04d}.part_{p}.best.weights.h5" for t in best for p in range(2)}
    assert all(t.score == pytest.approx(np.mean(t.part_scores)) for t in found.trials)


@pytest.mark.slow
def test_an_interrupted_fold_goes_on_from_its_own_weights(tmp_path):
    arguments = {"engine": "random", "trials": 1, "epochs": 4, "seed": 0, "cv": 2, "logs": tmp_path}
    fixed = {"fix": {"n_hidden": 1, "n_neurons": 10, "loss": "mse", "optimizer": "adam"}}
    observer = Interrupts(1, 2)
    with pytest.raises(KeyboardInterrupt):
        tuning.search("diabetes", **arguments, **fixed, study="cut", observers=[observer])
    observer.moment = None
    found = tuning.search("diabetes", **arguments, **fixed, study="cut", observers=[observer])
    assert observer.trained == [(0, 1), (0, 2), (0, 3), (0, 4), (1, 1), (1, 2), (1, 3), (1, 4)]
    straight = tuning.search("diabetes", **arguments, **fixed, study="straight")
    assert found.best.part_scores == pytest.approx(straight.best.part_scores, rel=1e-5)
    assert found.best.curve.values("loss") == pytest.approx(straight.best.curve.values("loss"), rel=1e-5)


@pytest.mark.slow
def test_tensorboard_shows_a_trial_as_a_group_of_folds(study):
    with serve([study.path]) as board:
        client = Client(board.url)
        groups = eventually(client.by_trial, lambda found: [len(g["sessions"]) for g in found.values()] == [3, 3])
        for trial in study.trials:
            group = groups[trial.number]
            assert [s["status"] for s in group["sessions"]] == 3 * ["STATUS_SUCCESS"]
            assert metrics_of_group(group)["objective"] == pytest.approx(trial.score, rel=1e-5)
            shown = sorted(metrics_of_group(session)["objective"] for session in group["sessions"])
            assert shown == pytest.approx(sorted(trial.part_scores), rel=1e-5)
            assert group["hparams"]["trial_state"] == "complete"
            mean = client.curve(f"trial_{trial.number:04d}/validation", "epoch_rmse")
            assert [value for _, value in mean] == pytest.approx(trial.curve.values("val_rmse"), rel=1e-5)
            for fold, part in enumerate(trial.trainings):
                curve = client.curve(f"trial_{trial.number:04d}/fold_{fold}/validation", "epoch_rmse")
                assert [value for _, value in curve] == pytest.approx(part.curve.values("val_rmse"), rel=1e-5)


@pytest.mark.slow
def test_data_with_folds_serve_several_inputs(tmp_path):
    import keras

    def build(hp):
        left, right = keras.Input((2,), name="left"), keras.Input((1,), name="right")
        joined = keras.layers.Concatenate()([left, right])
        model = keras.Model({"left": left, "right": right}, keras.layers.Dense(1)(joined))
        model.compile(keras.optimizers.Adam(hp.Float("rate", 1e-3, 1e-1)), "mse")
        return model

    x = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
    found = tuning.search(
        build, {"left": x[:, :2], "right": x[:, 2:]}, x.sum(axis=1), objective="val_loss", cv=2, engine="random",
        trials=1, epochs=2, seed=0, logs=tmp_path,
    )  # fmt: skip
    assert found.best.state is State.COMPLETED and len(found.models(0)) == 2
    assert isinstance(found.fold_data(0), Data)
