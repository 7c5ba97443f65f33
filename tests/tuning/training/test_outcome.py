"""What `fit` returned is the score, and the kept weights are those that it was measured with."""

import math

import numpy as np
import pytest

import tuning
from tuning.records.objective import Objective
from tuning.records.trial import RETURNED, Curve, State
from tuning.training.outcome import returned_epochs, returned_metrics

keras = pytest.importorskip("keras")
X = np.random.default_rng(0).normal(size=(96, 3)).astype("float32")
Y = X[:, 0]
LOSS = Objective("val_loss", "min")


class Returns(tuning.SearchSpace):
    objective = "val_loss"

    def __init__(self, fit, objective="val_loss"):
        super().__init__("returns")
        self.how, self.objective = fit, objective

    def build(self, hp):
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(hp.Int("units", 2, 8)), keras.layers.Dense(1)])
        model.compile("adam", "mse")
        return model

    def fit(self, hp, model, *args, **kwargs):
        return self.how(model, *args, **kwargs)


def search(tmp_path, fit, objective="val_loss", **options):
    return tuning.search(
        Returns(fit, objective), X[:64], Y[:64], validation_data=(X[64:], Y[64:]),
        **{"engine": "random", "trials": 1, "epochs": 3, "seed": 0, "logs": tmp_path, "compiled": False, **options},
    )  # fmt: skip


@pytest.mark.medium
def test_a_number_is_the_score(tmp_path):
    returned = []

    def folds(model, x, y, **options):
        start, scores = model.get_weights(), []
        for fold in range(2):
            model.set_weights(start)
            scores.append(model.fit(x[fold::2], y[fold::2], **options).history["val_loss"][-1])
        returned.append(float(np.mean(scores)) + 1)
        return returned[-1]

    study = search(tmp_path, folds)
    trial = study.trials[0]
    assert trial.score == pytest.approx(returned[-1], abs=1e-9) and trial.epochs == 6
    assert trial.best_epoch == 5 and trial.curve.epochs[5]["val_loss"] < trial.score
    assert tuning.load(study.path).trials[0].score == trial.score


@pytest.mark.medium
def test_a_metric_computed_afterwards_is_an_objective(tmp_path):
    def largest(model, x, y, validation_data, **options):
        model.fit(x, y, **options)
        predicted = model.predict(validation_data[0], verbose=0)[:, 0]
        return {"val_largest": float(np.abs(predicted - validation_data[1]).max())}

    study = search(tmp_path, largest, "val_largest:min")
    trial = study.trials[0]
    predicted = study.best_model().predict(X[64:], verbose=0)[:, 0]
    assert trial.score == pytest.approx(float(np.abs(predicted - Y[64:]).max()), rel=1e-5)
    assert trial.epochs == 3 and "loss" in trial.curve.epochs[2]


@pytest.mark.medium
def test_the_best_epoch_that_fit_picks_out_keeps_its_weights(tmp_path):
    def best(model, x, y, **options):
        rates = keras.callbacks.LearningRateScheduler(lambda epoch: [0.1, 0.001, 1.0][epoch])
        return min(model.fit(x, y, **{**options, "callbacks": [rates]}).history["val_loss"])

    study = search(tmp_path, best)
    trial = study.trials[0]
    assert trial.best_epoch < 2 and RETURNED not in trial.curve.epochs[2]
    assert study.best_model().evaluate(X[64:], Y[64:], verbose=0) == pytest.approx(trial.score, rel=1e-5)


@pytest.mark.medium
def test_other_metrics_are_added_and_replace_none(tmp_path):
    def more(model, x, y, **options):
        model.fit(x, y, **options)
        return {"loss": 99.0, "n_odd": 7}

    epochs = search(tmp_path, more).trials[0].curve.epochs
    assert epochs[2]["n_odd"] == 7 and epochs[2]["loss"] < 99 and "n_odd" not in epochs[1]


@pytest.mark.medium
def test_a_number_that_is_none_fails_the_trial(tmp_path):
    def none(model, x, y, **options):
        model.fit(x, y, **options)
        return math.nan

    with pytest.raises(tuning.TuningError, match="val_loss is nan"):
        search(tmp_path, none)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["hyperband", "optuna"])
def test_engines_that_stop_or_promote(tmp_path, engine):
    def evaluated(model, x, y, validation_data, **options):
        model.fit(x, y, validation_data=validation_data, **options)
        return model.evaluate(*validation_data, verbose=0) + 0.5

    study = search(tmp_path, evaluated, engine=engine, trials=None if engine == "hyperband" else 3)
    finished = [t for t in study.trials if t.state is not State.FAILED]
    assert len(finished) == len(study.trials)
    for trial in finished:
        assert trial.score == pytest.approx(trial.curve.epochs[-1]["val_loss"] + 0.5, rel=1e-5)


@pytest.mark.parametrize(
    ("epochs", "best"),
    [
        ([{"val_loss": 1.0}, {"val_loss": 2.0}], (0, 1.0)),
        ([{"val_loss": 1.0}, {"val_loss": 2.0, RETURNED: 5.0}], (1, 5.0)),
        ([{"val_loss": 1.0, RETURNED: 4.0}, {"val_loss": 2.0}], (1, 2.0)),
        ([{"val_loss": 1.0, RETURNED: 4.0}, {"val_loss": 6.0}], (0, 4.0)),
        ([{"val_loss": 1.0, RETURNED: 4.0}, {"val_loss": 2.0, RETURNED: 5.0}], (1, 5.0)),
        ([{"loss": 1.0}], None),
    ],
)
def test_what_was_returned_stands_for_the_epochs_before(epochs, best):
    assert Curve(tuple(epochs)).best(LOSS) == best


class History:
    history = {"loss": [2.0, 1.0]}


@pytest.mark.parametrize(
    ("outcome", "epochs", "metrics"),
    [
        (History(), [{"loss": 2.0}, {"loss": 1.0}], {}),
        (History.history, [{"loss": 2.0}, {"loss": 1.0}], {}),
        ({"f1": np.float32(0.5)}, [{"f1": 0.5}], {"f1": 0.5}),
        (np.float64(0.25), [{"val_loss": 0.25}], {"val_loss": 0.25}),
        (3, [{"val_loss": 3.0}], {"val_loss": 3.0}),
        (None, None, {}),
        (True, None, {}),
        ("0.5", None, {}),
        ([1.0, 2.0], None, {}),
    ],
)
def test_forms_of_a_return_value(outcome, epochs, metrics):
    assert returned_metrics(outcome, "val_loss") == metrics
    if epochs is None:
        with pytest.raises(TypeError, match="must return"):
            returned_epochs(outcome, "val_loss")
    else:
        assert returned_epochs(outcome, "val_loss") == epochs
