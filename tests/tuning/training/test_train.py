"""Trials of Keras models: the best model evaluates to its score, promotions keep the optimizer, runs repeat."""

import numpy as np
import pytest

import tuning
from tests.layers import few
from tuning.driver.seeds import seed_of_trial
from tuning.records.trial import State
from tuning.space import as_space

keras = pytest.importorskip("keras")
RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 6)).astype("float32")
Y = (X @ RNG.normal(size=6) + 0.1 * RNG.normal(size=200)).astype("float32")
TRAINING, VALIDATION = (X[:150], Y[:150]), (X[150:], Y[150:])


def build_model(hp):
    model = keras.Sequential(
        [
            keras.layers.Dense(hp.Int("n_neurons", 4, 32), activation="relu"),
            keras.layers.Dense(1),
        ]
    )
    optimizer = {"adam": keras.optimizers.Adam, "sgd": keras.optimizers.SGD}[hp.Choice("optimizer", ["adam", "sgd"])]
    model.compile(
        optimizer(hp.Float("learning_rate", 1e-3, 1e-1, sampling="log")),
        "mse",
        metrics=[keras.metrics.RootMeanSquaredError(name="rmse")],
    )
    return model


@pytest.fixture
def search(tmp_path):
    def call(space=build_model, **arguments):
        return tuning.search(
            space,
            *TRAINING,
            validation_data=VALIDATION,
            **{
                "objective": "val_rmse",
                "engine": "random",
                "trials": 3,
                "epochs": 4,
                "seed": 0,
                "logs": tmp_path,
                **arguments,
            },
        )

    return call


def scores(study):
    return [t.score for t in study.trials]


@pytest.mark.medium
@pytest.mark.parametrize("compiled", few([True, False], 1))
def test_the_best_model_evaluates_to_the_recorded_score(search, compiled):
    study = search(compiled=compiled)
    assert [t.compiled for t in study.trials] == 3 * [compiled]
    model = study.best_model()
    assert model.evaluate(*VALIDATION, verbose=0, return_dict=True)["rmse"] == pytest.approx(study.best.score, rel=1e-5)
    for trial in study.trials:
        measured = study.model(trial).evaluate(*VALIDATION, verbose=0, return_dict=True)["rmse"]
        assert measured == pytest.approx(trial.score, rel=1e-5)


@pytest.mark.medium
def test_the_best_epoch_is_kept_not_the_last(search):
    def overfits(hp):
        model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(1, use_bias=False)])
        model.compile(
            keras.optimizers.SGD(hp.Float("learning_rate", 0.05, 0.9)),
            "mse",
            metrics=[keras.metrics.RootMeanSquaredError(name="rmse")],
        )
        return model

    study = search(overfits, epochs=12, trials=4)
    assert any(t.best_epoch < t.epochs - 1 for t in study.trials), "the test needs a trial that gets worse"
    for trial in study.trials[:3]:
        if study.checkpoint(trial) is not None:
            value = study.model(trial).evaluate(*VALIDATION, verbose=0, return_dict=True)["rmse"]
            assert value == pytest.approx(trial.score, rel=1e-5)


@pytest.mark.slow
def test_equal_seeds_train_equally_and_others_do_not(search):
    fix = {"n_neurons": 8}
    first, second, third = search(study="a", fix=fix), search(study="b", fix=fix), search(study="c", seed=1, fix=fix)
    assert scores(first) == scores(second)
    assert scores(first) != scores(third)


@pytest.mark.slow
@pytest.mark.parametrize("compiled", [True, False])
def test_a_promoted_trial_goes_on_with_its_optimizer_state(search, compiled):
    """Adam's moments and step count are kept: two runs give what one long run gives."""
    promoted = search(
        engine="hyperband",
        trials=None,
        epochs=2,
        options={"factor": 2},
        compiled=compiled,
        shuffle=False,
        fix={"optimizer": "adam", "n_neurons": 8},
        keep=99,
    )
    trial = next(t for t in promoted.trials if len(t.runs) > 1)
    keras.utils.set_random_seed(seed_of_trial(0, trial.number))
    model = build_model(tuning.HyperParameters(trial.values))
    straight = model.fit(*TRAINING, validation_data=VALIDATION, epochs=trial.epochs, shuffle=False, verbose=0)
    assert trial.curve.values("val_rmse") == pytest.approx(straight.history["val_rmse"], rel=1e-4)


@pytest.mark.slow
def test_only_the_best_checkpoints_remain(search):
    study = search(engine="hyperband", trials=None, epochs=4, keep=2, fix={"n_neurons": 8})
    left = sorted(p.name for p in (study.path / "checkpoints").iterdir())
    from tuning.records.ranking import ranked

    best = sorted(t.number for t in ranked(study.trials, study.objective)[:2])
    assert left == [f"trial_{n:04d}.best.weights.h5" for n in best]
    worst = ranked(study.trials, study.objective)[-1]
    with pytest.raises(tuning.TuningError, match="are not kept"):
        study.model(worst)


@pytest.mark.medium
def test_a_model_that_goes_nan_is_a_failed_trial(search):
    def diverges(hp):
        model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(1)])
        model.compile(
            keras.optimizers.SGD(hp.Choice("learning_rate", [0.01, 1e20])),
            "mse",
            metrics=[keras.metrics.RootMeanSquaredError(name="rmse")],
        )
        return model

    study = search(diverges, trials=2)
    states = {t.values["learning_rate"]: t.state for t in study.trials}
    assert states == {0.01: State.COMPLETED, 1e20: State.FAILED}


@pytest.mark.slow
def test_without_its_whole_models_a_loaded_study_needs_the_space(search):
    study = search()
    for whole in study.path.glob("checkpoints/*.keras"):
        whole.unlink()
    loaded = tuning.load(study.path)
    with pytest.raises(tuning.TuningError, match=r"tuning\.load\(path, space="):
        loaded.best_model()
    with_space = tuning.load(study.path, space=as_space(build_model, tuning.Data(*TRAINING, VALIDATION)))
    value = with_space.best_model().evaluate(*VALIDATION, verbose=0, return_dict=True)["rmse"]
    assert value == pytest.approx(study.best.score, rel=1e-5)


@pytest.mark.medium
def test_a_kerastuner_hypermodel_is_searched_as_it_is(search):
    import keras_tuner

    class Mine(keras_tuner.HyperModel):
        def build(self, hp):
            return build_model(hp)

        def fit(self, hp, model, *arguments, **options):
            return model.fit(*arguments, batch_size=hp.Choice("batch_size", [16, 32]), **options)

    study = search(Mine(), trials=2)
    assert all("batch_size" in t.values and t.epochs == 4 for t in study.trials)


@pytest.mark.slow
def test_a_fit_that_forgets_the_callbacks_is_recorded_all_the_same(search):
    class Forgetful(tuning.SearchSpace):
        name, objective = "forgetful", "val_rmse"

        def build(self, hp):
            return build_model(hp)

        def fit(self, hp, model, x, y, validation_data=None, epochs=1, **_):
            return model.fit(x, y, validation_data=validation_data, epochs=epochs, verbose=0)

    assert all(t.epochs == 4 for t in search(Forgetful(), trials=2).trials)


@pytest.mark.slow
def test_metrics_have_the_same_names_in_every_trial(search):
    def build_unnamed(hp):
        model = keras.Sequential([keras.layers.Dense(hp.Int("n_neurons", 4, 5)), keras.layers.Dense(1)])
        model.compile("sgd", "mse", metrics=[keras.metrics.R2Score(), keras.metrics.AUC()])
        return model

    keras.metrics.AUC()  # one of the caller's own
    study = search(build_unnamed, objective="val_auc", trials=2, epochs=1)
    assert all(set(t.curve.epochs[0]) == {f"{v}{n}" for v in ("", "val_") for n in ("auc", "loss", "r2_score")}
               for t in study.trials)  # fmt: skip
    assert keras.layers.Dense(1).name != keras.layers.Dense(1).name


@pytest.mark.slow
def test_users_callbacks_are_fresh_in_each_trial(search):
    class Counts(keras.callbacks.Callback):
        seen = []

        def __init__(self):
            super().__init__()
            self.epochs = 0

        def on_epoch_end(self, epoch, logs=None):
            self.epochs += 1
            Counts.seen.append((id(self), self.epochs))

    search(callbacks=[Counts()], trials=2)
    assert [n for _, n in Counts.seen] == [1, 2, 3, 4, 1, 2, 3, 4]


@pytest.mark.medium
def test_random_generators_of_the_caller_are_left_alone(search):
    import random

    random.seed(5)
    np.random.seed(5)
    expected = (random.random(), np.random.rand())
    random.seed(5)
    np.random.seed(5)
    search(trials=1)
    assert (random.random(), np.random.rand()) == expected
