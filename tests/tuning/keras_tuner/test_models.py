"""Models that tuners build: which are compiled, which train in a way of their own, and what is told of it."""

import copy
import dataclasses
import functools
import pickle
from types import SimpleNamespace

import cloudpickle
import keras
import pytest

from tests.tuning.keras_tuner.conftest import is_ours, studies
from tests.tuning.keras_tuner.searches import X, Y, build, data
from tuning.keras_tuner.models import Models
from tuning.keras_tuner.under_way import UnderWay


def equipped(hypermodel, tmp_path):
    """Return a hypermodel's models with compiled epochs, as they are while a trial lasts."""
    tuner = SimpleNamespace(hypermodel=hypermodel, project_dir=str(tmp_path))
    return Models(tuner, lambda logs: True, False, UnderWay(None)).compiled()


def test_a_copy_of_a_hypermodel_builds_without_us(tuners, tmp_path):
    class Given(tuners.HyperModel):
        def build(self, hp):
            return keras.Sequential([keras.Input((2,)), keras.layers.Dense(hp)])

    hypermodel = Given()
    with equipped(hypermodel, tmp_path):
        assert "fit" in vars(hypermodel.build(2))
        sent = pickle.loads(cloudpickle.dumps(hypermodel))
        for copied in (copy.deepcopy(hypermodel).build, sent.build, pickle.loads(cloudpickle.dumps(hypermodel.build))):
            model = copied(3)
            assert model.output_shape == (None, 3) and "fit" not in vars(model)
    assert "fit" not in vars(hypermodel.build(2))


def test_a_hypermodel_that_is_frozen_is_equipped(tuners, tmp_path):
    @dataclasses.dataclass(frozen=True)
    class Frozen(tuners.HyperModel):
        units: int = 3

        def build(self, hp):
            return keras.Sequential([keras.Input((2,)), keras.layers.Dense(self.units)])

    hypermodel = Frozen()
    with equipped(hypermodel, tmp_path):
        assert "fit" in vars(hypermodel.build(None))
    assert "fit" not in vars(hypermodel.build(None))


@pytest.mark.medium
def test_a_base_tuner_of_models(tuners):
    class Training(tuners.engine.base_tuner.BaseTuner):
        def run_trial(self, trial, *args, **kwargs):
            return self.hypermodel.build(trial.hyperparameters).fit(*args, **kwargs)

    tuner = Training(tuners.oracles.RandomSearchOracle("val_loss", max_trials=1), build, "out", "p")
    tuner.search(**data(epochs=2))
    assert [len(trial.curve.epochs) for trial in studies("out")["p"][0].trials] == [2]
    is_ours(tuner)


@pytest.mark.slow
def test_a_subclassed_model_is_trained_and_found_again(made):
    class Net(keras.Model):
        def __init__(self, units):
            super().__init__()
            self.hidden, self.out = keras.layers.Dense(units), keras.layers.Dense(1, "sigmoid")

        def call(self, inputs):
            return self.out(self.hidden(inputs))

    def subclassed(hp):
        model = Net(hp.Int("units", 1, 4))
        model.compile("sgd", "binary_crossentropy", run_eagerly=True)
        return model

    tuner = made(subclassed)
    tuner.search(**data(epochs=2))
    model = tuner.hypermodel.build(tuner.get_best_hyperparameters()[0])
    model(X)
    model.load_weights(f"out/p/trial_{tuner.oracle.get_best_trials()[0].trial_id}/checkpoint.weights.h5")
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(tuner.oracle.get_best_trials()[0].score, rel=1e-4)
    is_ours(tuner)


@pytest.mark.slow
def test_a_model_with_a_fit_of_its_own_gets_the_arguments_that_it_wants(made):
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.out = keras.layers.Dense(1, "sigmoid")

        def call(self, inputs):
            return self.out(inputs)

        def fit(self, pair, more, callbacks=None, **kwargs):
            assert more == 1
            return super().fit(*pair, callbacks=callbacks, **kwargs)

    def own(hp):
        model = Own()
        model.compile(keras.optimizers.SGD(hp.Float("rate", 1e-3, 1e-1)), "binary_crossentropy", run_eagerly=True)
        return model

    tuner = made(own)
    tuner.search((X, Y), more=1, epochs=2, validation_data=(X, Y), verbose=0)
    trials = studies("out")["p"][0].trials
    assert [len(trial.curve.epochs) for trial in trials] == [2, 2]
    assert {trial.compiled_reason for trial in trials} == {"Own has its own `fit`"}
    is_ours(tuner)


@pytest.mark.medium
def test_a_fit_that_a_library_has_put_in_the_place_of_keras_own_is_called(made, monkeypatch):
    genuine, seen = keras.Model.fit, []

    @functools.wraps(genuine)
    def logged(self, *args, **kwargs):
        seen.append(kwargs["epochs"])
        return genuine(self, *args, **kwargs)

    monkeypatch.setattr(keras.Model, "fit", logged)
    tuner = made(max_trials=1)
    tuner.search(**data(epochs=2))
    (trial,) = studies("out")["p"][0].trials
    assert seen == [2] and len(trial.curve.epochs) == 2
    assert trial.compiled_reason == "`keras.Model.fit` is replaced"
    is_ours(tuner)


@pytest.mark.slow
def test_epochs_are_compiled_where_the_model_allows(made):
    tuner = made(lambda hp: build(hp, eagerly=False), max_trials=1)
    tuner.search(**data(epochs=2))
    assert [trial.compiled for trial in studies("out")["p"][0].trials] == [True]
    is_ours(tuner)


@pytest.mark.slow
def test_a_tuner_that_looks_at_batches_hears_of_each(tuners):
    seen = []

    class Seeing(tuners.RandomSearch):
        def on_batch_end(self, trial, model, batch, logs=None):
            seen.append(batch)

    tuner = Seeing(build, "val_loss", max_trials=2, seed=1, directory="out", project_name="p")
    tuner.search(**data(batch_size=5))
    assert seen == [0, 1, 2, 3] * 2
    is_ours(tuner)
