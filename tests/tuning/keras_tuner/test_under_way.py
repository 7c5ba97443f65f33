"""A trial that is killed in the middle of a training goes on from there, and comes to what it would have come to."""

import numpy as np
import pytest

from tests.tuning.keras_tuner.conftest import studies

pytestmark = pytest.mark.slow

X = np.random.default_rng(1).normal(size=(40, 3)).astype("float32")
Y = X[:, :1] * 2 - X[:, 1:2]


@pytest.fixture
def search(tuners, monkeypatch):
    """Search with a program that may die after so many epochs; return its tuner and the epochs that were trained.

    Epochs are run eagerly, because most of what is tested here is the same for compiled ones, which take longer.
    """
    import keras

    from tuning.keras_tuner import under_way

    monkeypatch.setattr(under_way, "SHARE", 1e9)  # every epoch is due
    trained = []

    class Counting(keras.callbacks.Callback):
        dies_after = None

        def __deepcopy__(self, memo):
            return self

        def on_epoch_begin(self, epoch, logs=None):
            if len(trained) == self.dies_after:
                raise KeyboardInterrupt  # leaves everything as a kill does
            trained.append(epoch)

    def build(hp):
        keras.utils.set_random_seed(7)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, "tanh")])
        model.add(keras.layers.Dropout(0.2))
        model.add(keras.layers.Dense(1))
        model.compile(keras.optimizers.Adam(hp.Float("rate", 0.04, 0.06)), "mse", run_eagerly=run.eagerly)
        return model

    def run(project, dies_after=None, hypermodel=None, kind=tuners.RandomSearch, callbacks=(), epochs=6, **options):
        trained.clear()
        counting = Counting()
        counting.dies_after = dies_after
        options = {"max_trials": 1, "seed": 3, **options} if kind is tuners.RandomSearch else {"seed": 3, **options}
        tuner = kind(hypermodel or build, "val_loss", directory="out", project_name=project, **options)
        try:
            tuner.search(X, Y, epochs=epochs, validation_split=0.25, callbacks=[*callbacks, counting], verbose=0)
        except KeyboardInterrupt:
            assert dies_after is not None
        return tuner, list(trained)

    run.build, run.eagerly = build, True
    return run


def outcome(tuner):
    trial = tuner.oracle.trials["0"]
    return trial.status, trial.best_step, trial.score


def test_a_training_goes_on_from_its_last_epoch_and_comes_to_the_same(search):
    import keras

    callbacks = [
        keras.callbacks.EarlyStopping("val_loss", patience=2, restore_best_weights=True),
        keras.callbacks.ReduceLROnPlateau("val_loss", patience=1),
    ]
    search.eagerly = False
    whole, epochs = search("whole", callbacks=callbacks, epochs=12)
    _, before = search("cut", dies_after=4, callbacks=callbacks, epochs=12)
    cut, after = search("cut", callbacks=callbacks, epochs=12)
    assert before == [0, 1, 2, 3] and after == epochs[4:]
    assert outcome(cut)[:2] == outcome(whole)[:2] and outcome(cut)[2] == pytest.approx(outcome(whole)[2], rel=1e-4)
    ours, theirs = (tuner.get_best_models()[0].predict(X, verbose=0) for tuner in (cut, whole))
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)
    curves = [study.trials[0].curve.epochs for study, _ in studies("out").values()]
    assert len(curves[0]) == len(curves[1]) == len(epochs)
    assert [e["val_loss"] for e in curves[0]] == pytest.approx([e["val_loss"] for e in curves[1]], rel=1e-4)
    assert not list(tuner_folders())


def tuner_folders():
    from pathlib import Path

    return Path("out").glob("*/trial_*/under_way")


@pytest.mark.parametrize("dies_after", [4, *(pytest.param(n, marks=pytest.mark.exhaustive) for n in (3, 8))])
def test_executions_that_had_ended_are_not_trained_again(search, dies_after):
    whole, _ = search("whole", executions_per_trial=3, epochs=3)
    search("cut", dies_after=dies_after, executions_per_trial=3, epochs=3)
    cut, after = search("cut", executions_per_trial=3, epochs=3)
    assert after == [0, 1, 2, 0, 1, 2, 0, 1, 2][dies_after:]
    assert outcome(cut)[2] == pytest.approx(outcome(whole)[2], rel=1e-4)
    ours, theirs = (tuner.get_best_models()[0].predict(X, verbose=0) for tuner in (cut, whole))
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)


def test_a_fit_that_trains_twice_goes_on_in_the_second(search, tuners):
    class Twice(tuners.HyperModel):
        def build(self, hp):
            return search.build(hp)

        def fit(self, hp, model, *args, **kwargs):
            model.fit(*args, **{**kwargs, "epochs": 2})
            return min(model.fit(*args, **kwargs).history["val_loss"])

    whole, _ = search("whole", hypermodel=Twice(), epochs=3)
    search("cut", dies_after=4, hypermodel=Twice(), epochs=3)
    cut, after = search("cut", hypermodel=Twice(), epochs=3)
    assert after == [2]
    assert outcome(cut)[2] == pytest.approx(outcome(whole)[2], rel=1e-4)


@pytest.mark.exhaustive
def test_a_promoted_trial_of_hyperband_goes_on(search, tuners):
    options = {"kind": tuners.Hyperband, "max_epochs": 2, "factor": 2, "epochs": 1}
    whole, epochs = search("whole", **options)
    promoted = epochs.index(1)
    search("cut", dies_after=promoted + 1, **options)
    cut, after = search("cut", **options)
    assert after == epochs[promoted + 1 :]
    assert {i: t.score for i, t in cut.oracle.trials.items()} == pytest.approx(
        {i: t.score for i, t in whole.oracle.trials.items()}, rel=1e-3
    )


def test_what_is_tried_again_after_a_failure_begins_afresh(search):
    import keras

    failures = []

    class Failing(keras.callbacks.Callback):
        def __deepcopy__(self, memo):
            return self

        def on_epoch_end(self, epoch, logs=None):
            if epoch == 2 and not failures:
                failures.append(epoch)
                raise ValueError("once")

    tuner, epochs = search("p", callbacks=[Failing()], max_retries_per_trial=1, epochs=4)
    assert failures == [2] and epochs == [0, 1, 2, 0, 1, 2, 3] and outcome(tuner)[0] == "COMPLETED"


def test_a_program_that_has_changed_begins_the_trial_again(search):
    import keras

    def other(hp):
        model = keras.Sequential(
            [keras.Input((3,)), keras.layers.Dense(int(100 * hp.Float("rate", 0.04, 0.06)) + 9), keras.layers.Dense(1)]
        )
        model.compile("sgd", "mse", run_eagerly=True)
        return model

    search("p", dies_after=3)
    with pytest.warns(UserWarning, match="begins again"):
        tuner, epochs = search("p", hypermodel=other)
    assert epochs == list(range(6)) and outcome(tuner)[0] == "COMPLETED"


def test_fewer_epochs_than_were_trained_begin_the_trial_again(search):
    search("p", dies_after=5)
    _, epochs = search("p", epochs=3)
    assert epochs == [0, 1, 2]


def test_more_epochs_than_an_ended_execution_was_to_have_begin_the_trial_again(search):
    search("p", dies_after=4, executions_per_trial=2, epochs=3)
    assert search("p", executions_per_trial=2, epochs=4)[1] == [*range(4), *range(4)]


def test_a_run_trial_of_ones_own_is_run_again(search, tuners):
    class Own(tuners.RandomSearch):
        def run_trial(self, trial, *args, **kwargs):
            return super().run_trial(trial, *args, **kwargs)

    options = {"kind": Own, "max_trials": 1}
    search("p", dies_after=3, **options)
    assert search("p", **options)[1] == list(range(6))


def test_little_of_the_time_goes_into_it(tmp_path):
    from tuning.keras_tuner.under_way import UnderWay

    assert not UnderWay(tmp_path).is_due and not UnderWay(None).is_due
