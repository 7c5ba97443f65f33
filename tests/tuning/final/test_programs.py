"""Programs whose data are no arrays, or are prepared by `fit`, have a final model like all others."""

import keras
import numpy as np
import pytest
from keras import layers

import tuning
from tests.search_spaces.programs.base import HELD, ROWS, X, Y, compiled, dense
from tests.search_spaces.programs.data import WORDS, Batches
from tests.search_spaces.programs.models import Adversaries, build_siamese
from tuning.errors import DataError, SpaceError

pytestmark = pytest.mark.slow


def search(space, *data, **options):
    given = {"engine": "random", "trials": 1, "epochs": 1, "seed": 0, "objective": "val_loss"}
    return tuning.search(space, *data, **{**given, **options})


def build(hp):
    return compiled(keras.Sequential(dense(hp)))


def test_sequences_are_joined_and_counted(tmp_path):
    study = search(build, Batches(0, ROWS), validation_data=Batches(ROWS, ROWS + HELD), logs=tmp_path)
    final = tuning.finalize(study, test_data=Batches(0, 20))
    assert final.n_training == ROWS + HELD and final.n_test == 20
    assert study.final_model().evaluate(X[:20], Y[:20], verbose=0) == pytest.approx(final.score, rel=1e-5)


class Columns(tuning.SearchSpace):
    """Chooses columns, so that only the trained model knows how many there are."""

    def build(self, hp):
        hp.Int("n", 2, 3)
        return compiled(keras.Sequential([layers.Dense(1)]))

    def fit(self, hp, model, x, y, **options):
        return model.fit(x[:, : hp.get("n")], y, **{**options, "validation_data": None, "validation_split": 0.2})


def test_a_fit_that_prepares_its_data_is_tested_on_prepared_ones(tmp_path):
    study = search(Columns(), X, Y, logs=tmp_path)
    with pytest.raises(SpaceError, match="give test_data as the model takes them"):
        tuning.finalize(study, test_data=(X, Y))
    prepared = X[:, : study.best.values["n"]]
    final = tuning.finalize(study, test_data=(prepared, Y))
    assert study.final_model().evaluate(prepared, Y, verbose=0) == pytest.approx(final.score, rel=1e-5)


class Reads(tuning.SearchSpace):
    """Learns words in `fit`."""

    def build(self, hp):
        words = layers.TextVectorization(max_tokens=9, output_sequence_length=2)
        stack = [words, layers.Embedding(9, hp.Int("units", 2, 4)), layers.Flatten(), layers.Dense(1)]
        return compiled(keras.Sequential([keras.Input((1,), dtype="string"), *stack]))

    def fit(self, hp, model, x, y, **options):
        model.layers[0].adapt(x)
        return model.fit(x, y, **options)


def test_words_that_fit_has_learned_come_back(tmp_path):
    import tensorflow as tf

    x = tf.constant(WORDS[:, None])
    study = search(Reads(), x[:ROWS], Y[:ROWS], validation_data=(x[ROWS:], Y[ROWS:]), logs=tmp_path)
    assert study.evaluate()["loss"] == pytest.approx(study.best.score, rel=1e-5)
    final = tuning.finalize(study, test_data=(x, Y))
    assert study.final_model().evaluate(x, Y, verbose=0) == pytest.approx(final.score, rel=1e-5)


class Said(Adversaries):
    """Can be saved, and has no step to be evaluated by."""

    def get_config(self):
        return {"units": 2}


def build_said(hp):
    model = Said(hp.Int("units", 2, 4))
    model.compile(keras.optimizers.Adam(0.01), keras.optimizers.Adam(0.01))
    return model


def test_what_cannot_be_is_refused_before_it_is_trained(tmp_path):
    siamese = search(build_siamese, [X[:9], X[:9], X[9:18]], objective="loss", logs=tmp_path)
    with pytest.raises(SpaceError, match="get_config"):
        tuning.finalize(siamese, test_data=([X, X, X], None))
    gan = search(build_said, X[:9], objective="generator_loss:min", logs=tmp_path)
    with pytest.raises(SpaceError, match="test_step"):
        tuning.finalize(gan, test_data=(X, None))
    endless = search(build, lambda: ((X, Y) for _ in iter(int, 1)), objective="loss", steps_per_epoch=1, logs=tmp_path)
    with pytest.raises(DataError, match="no length"):
        tuning.finalize(endless, test_data=(X, Y))
    assert np.isfinite(endless.best.score)
