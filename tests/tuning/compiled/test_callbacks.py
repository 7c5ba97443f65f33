"""Callbacks of compiled epochs see and do what they do in `model.fit`."""

import csv

import keras
import numpy as np
import pytest

from tests.tuning.compiled import cases
from tests.tuning.compiled.cases import N, X, Y
from tuning import compiled as training

PLAIN = {"x": X[:N], "y": Y[:N], "validation_data": (X[N:], Y[N:]), "batch_size": 25, "shuffle": False, "verbose": 0}


BY_KERAS = pytest.param(keras.Model.fit, marks=pytest.mark.slow if cases.BACKEND == "jax" else ())
"""What is expected of `model.fit` is seen on TensorFlow already."""


@pytest.fixture(params=[BY_KERAS, training.fit], ids=["keras", "compiled"])
def fit(request):
    """Train with Keras, then compiled; what is expected of both is written once."""

    def call(model, **arguments):
        history = request.param(model, **{**PLAIN, **arguments})
        report = training.last_report(model)
        assert request.param is keras.Model.fit or report.compiled, report.reason
        return history

    return call


class Recorder(keras.callbacks.Callback):
    """Writes down what it is called with, and the learning rate."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def on_train_begin(self, logs=None):
        self.calls.append(("train begins", dict(logs)))

    def on_epoch_begin(self, epoch, logs=None):
        self.calls.append(("epoch begins", epoch, dict(logs)))

    def on_test_end(self, logs=None):
        self.calls.append(("test ends", sorted(logs), type(logs["loss"]) is float))

    def on_epoch_end(self, epoch, logs=None):
        rate = float(self.model.optimizer.learning_rate)
        n_steps = int(self.model.optimizer.iterations)
        self.calls.append(("epoch ends", epoch, list(logs), n_steps, round(rate, 6)))
        assert all(type(value) is float for value in logs.values())

    def on_train_end(self, logs=None):
        self.calls.append(("train ends", sorted(logs)))


def epoch_callbacks(folder):
    k = keras.callbacks
    return [
        k.LearningRateScheduler(lambda epoch, rate: rate * 0.5 if epoch == 1 else rate),
        k.ReduceLROnPlateau(monitor="loss", factor=0.1, patience=1, min_delta=10.0),
        k.EarlyStopping(monitor="val_loss", patience=2, min_delta=10.0, restore_best_weights=True),
        k.ModelCheckpoint(folder / "best.keras", monitor="val_loss", save_best_only=True),
        k.CSVLogger(folder / "log.csv"),
        k.TensorBoard(folder / "board"),
        k.BackupAndRestore(folder / "backup", delete_checkpoint=False),
        k.LambdaCallback(on_epoch_end=lambda epoch, logs: None),
    ]


@pytest.mark.slow
def test_epoch_callbacks_do_what_they_do_in_keras(tmp_path):
    results = {}
    for name, train in (("keras", keras.Model.fit), ("compiled", training.fit)):
        keras.utils.set_random_seed(0)
        folder, recorder, model = tmp_path / name, Recorder(), cases.mlp()
        folder.mkdir()
        history = train(model, epochs=6, callbacks=[*epoch_callbacks(folder), recorder], **PLAIN)
        best = keras.models.load_model(folder / "best.keras").get_weights()
        with open(folder / "log.csv") as log:
            columns = next(csv.reader(log))
        boards = sorted(p.parent.name for p in folder.glob("board/*/events*"))
        results[name] = model, history, recorder.calls, best, columns, boards
    theirs, ours = results["keras"], results["compiled"]
    assert training.last_report(ours[0]).compiled
    assert ours[2] == theirs[2]
    assert ours[4:] == theirs[4:]
    assert list(ours[1].history) == list(theirs[1].history)
    assert ours[1].epoch == theirs[1].epoch and len(ours[1].epoch) < 6
    assert ours[1].params == theirs[1].params
    for name, values in theirs[1].history.items():
        np.testing.assert_allclose(ours[1].history[name], values, rtol=1e-4, err_msg=name)
    assert cases.largest_difference(ours[0].get_weights(), theirs[0].get_weights()) < 1e-5
    assert cases.largest_difference(ours[3], theirs[3]) < 1e-5


@pytest.mark.medium
def test_a_backup_is_gone_on_from(tmp_path, fit):
    model = cases.mlp()

    def fail(epoch, logs):
        if epoch == 1:
            raise InterruptedError

    backup = keras.callbacks.BackupAndRestore(tmp_path)
    with pytest.raises(InterruptedError):
        fit(model, epochs=4, callbacks=[backup, keras.callbacks.LambdaCallback(on_epoch_begin=fail)])
    assert int(model.optimizer.iterations) == 3
    history = fit(cases.mlp(), epochs=4, callbacks=[keras.callbacks.BackupAndRestore(tmp_path)])
    assert history.epoch == [1, 2, 3]


@pytest.mark.medium
@pytest.mark.parametrize(("hook", "batches"), [("on_epoch_begin", 1), ("on_epoch_end", 3)])
def test_stop_training_is_obeyed(fit, hook, batches):
    model = cases.mlp()
    stop = keras.callbacks.LambdaCallback(**{hook: lambda *_: setattr(model, "stop_training", True)})
    history = fit(model, epochs=3, callbacks=[stop])
    assert history.epoch == [0]
    assert int(model.optimizer.iterations) == batches


@pytest.mark.medium
def test_a_callback_may_change_weights_and_learning_rate(fit):
    def change(epoch, logs):
        model.set_weights([0 * weight for weight in model.get_weights()])
        model.optimizer.learning_rate = 0.0

    model = cases.mlp()
    fit(model, epochs=2, callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=change)])
    assert all((weight == 0).all() for weight in model.get_weights())


@pytest.mark.medium
def test_a_list_of_callbacks_that_keras_made_is_used(fit):
    model, recorder = cases.mlp(), Recorder()
    params = {"epochs": 1, "steps": 3, "verbose": 0}
    callbacks = keras.callbacks.CallbackList([recorder], add_history=True, model=model, **params)
    assert fit(model, callbacks=callbacks) is model.history
    assert recorder.calls[-1][0] == "train ends"


@pytest.mark.medium
def test_training_that_diverges_is_terminated(fit):
    model = cases.mlp()
    model.optimizer.learning_rate = 1e30
    history = fit(model, epochs=4, callbacks=[keras.callbacks.TerminateOnNaN()])
    assert history.epoch == [0]


@pytest.mark.medium
def test_metrics_are_printed(fit, capsys):
    fit(cases.mlp(), epochs=2, verbose=2)
    printed = capsys.readouterr().out
    assert "Epoch 2/2" in printed and "3/3 - " in printed and "val_mae: " in printed


@pytest.mark.medium
def test_history_goes_on_with_the_model(fit):
    model = cases.mlp()
    assert fit(model) is model.history
    assert len(fit(model, epochs=2).history["loss"]) == 2


@pytest.mark.medium
def test_moving_averages_of_weights_are_put_in_place_at_the_end(fit):
    model = cases.averaged()
    fit(model)
    averages = [v.numpy() for v in model.optimizer._model_variables_moving_average]
    assert cases.largest_difference(averages, [v.numpy() for v in model.trainable_variables]) == 0
