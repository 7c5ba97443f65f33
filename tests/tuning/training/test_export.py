"""A saved model evaluates to the recorded score: for every bundled space, in every format."""

import json

import numpy as np
import pytest

import tuning
from tuning.errors import DataError, OptionError, SpaceError, StudyError
from tuning.space import bundled_spaces, resolve
from tuning.training import export

keras = pytest.importorskip("keras")
N = 320


def head(data):
    """Return the first samples of any structure of arrays."""
    return keras.tree.map_structure(lambda array: array[:N], data)


@pytest.fixture(scope="module", params=bundled_spaces())
def study(request, tmp_path_factory):
    """A study of a short trial of one bundled space, on part of its data."""
    space = resolve(request.param)
    try:
        data = space.load_data()
    except DataError as error:
        pytest.skip(str(error))
    return tuning.search(
        space,
        head(data.x),
        head(data.y),
        validation_data=tuple(map(head, data.validation)),
        engine="random",
        trials=1,
        epochs=2,
        seed=5,
        study=request.param,
        logs=tmp_path_factory.mktemp("logs"),
    )


def name_of(study):
    return study.objective.name.removeprefix("val_")


@pytest.mark.slow
def test_the_best_model_evaluates_to_the_recorded_score(study):
    assert study.evaluate()[name_of(study)] == pytest.approx(study.best.score, rel=1e-6)


@pytest.mark.slow
def test_a_saved_model_evaluates_to_the_recorded_score(study, tmp_path):
    path = study.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(path)
    measured = loaded.evaluate(
        *study.data.validation, batch_size=study.batch_size(study.best), verbose=0, return_dict=True
    )
    assert measured[name_of(study)] == pytest.approx(study.best.score, rel=1e-6)


@pytest.mark.slow
def test_saved_weights_evaluate_to_the_recorded_score(study, tmp_path):
    path = study.save(tmp_path / "best.weights.h5")
    model = export.load(path, study.untrained_model(study.best))
    assert study.evaluate(model=model)[name_of(study)] == pytest.approx(study.best.score, rel=1e-6)


@pytest.mark.slow
def test_a_saved_model_of_tensorflow_answers_as_the_model_does(study, tmp_path):
    import tensorflow as tf

    path = study.save(tmp_path / "exported")
    x = keras.tree.map_structure(lambda array: array[:5], study.data.validation[0])
    loaded = tf.saved_model.load(str(path))
    served = loaded.serve(x)
    expected = study.best_model()(x)
    for mine, theirs in zip(keras.tree.flatten(served), keras.tree.flatten(expected), strict=True):
        assert np.allclose(keras.ops.convert_to_numpy(mine), keras.ops.convert_to_numpy(theirs), atol=1e-5)
    study.save(path)  # once more: it replaces a SavedModel


# One space for the rest ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return tuning.search(
        "digits", engine="random", trials=4, epochs=1, seed=2, keep=3, logs=tmp_path_factory.mktemp("logs"),
        fix={"n_hidden": 1, "n_neurons": 32},
    )  # fmt: skip


@pytest.mark.medium
def test_the_best_of_several(digits):
    scores = [trial.score for trial in digits.top(3)]
    assert len(digits.top(9)) == 4 and scores == sorted(scores, reverse=True)
    assert digits.best_values(3) == [dict(trial.values) for trial in digits.top(3)]
    for trial, model in zip(digits.top(3), digits.best_models(3), strict=True):
        assert digits.evaluate(trial, model)["accuracy"] == pytest.approx(trial.score, rel=1e-6)
    with pytest.raises(OptionError, match="whole number"):
        digits.top(0)
    with pytest.raises(StudyError, match="weights of trial . are not kept"):
        digits.best_models(4)


@pytest.mark.medium
@pytest.mark.parametrize("name", ["model.h5", "model.pkl", "model.v2"])
def test_a_name_that_says_no_format_is_refused(digits, tmp_path, name):
    with pytest.raises(OptionError, match="must end in .keras"):
        digits.save(tmp_path / name)
    assert not (tmp_path / name).exists()


@pytest.mark.medium
def test_a_folder_of_other_things_is_not_replaced(digits, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(OptionError, match="new folder"):
        digits.save(tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.tex").exists()


@pytest.mark.medium
def test_a_class_that_keras_does_not_know_is_named(tmp_path):
    class Unregistered(keras.layers.Dense):
        pass

    def build(hp):
        model = keras.Sequential([keras.Input((2,)), Unregistered(hp.Int("units", 1, 1))])
        model.compile("sgd", "mse")
        return model

    x = np.ones((8, 2), "float32")
    study = tuning.search(
        build, x, x[:, :1], validation_data=(x, x[:, :1]), engine="random", trials=1, epochs=1, logs=tmp_path
    )
    with pytest.raises(SpaceError, match="register_keras_serializable"):
        export.load(study.save(tmp_path / "model.keras"), study.untrained_model(0))


class Unsaid(keras.Model):
    """Cannot say how it was made."""

    def __init__(self, part):
        super().__init__()
        self.part = part

    def call(self, x):
        return self.part(x)


def test_a_class_that_cannot_say_how_it_was_made_has_weights_alone(tmp_path):
    model = Unsaid(lambda x: x * 2)
    model.part = keras.layers.Dense(1)
    model(np.ones((2, 3), "float32"))
    with pytest.raises(SpaceError, match=r"get_config.*NAME\.weights\.h5"):
        export.save(model, tmp_path / "model.keras")
    assert export.save(model, tmp_path / "model.weights.h5").is_file()


@pytest.mark.medium
def test_the_command_shows_and_saves_the_best(tune_here, digits, tmp_path):
    shown = tune_here("best", digits.path)
    assert shown.returncode == 0, shown.stderr
    assert f"trial {digits.best.number} of digits-random" in shown.stdout and "COMPLETED" in shown.stdout
    assert "learning_rate" in shown.stdout and "best.weights.h5" in shown.stdout
    done = tune_here("best", digits.path, "--save", "out/model.keras", "--json")
    record = json.loads(done.stdout)
    assert record["number"] == digits.best.number and len(record["curve"]) == 1 and record["saved"] == "out/model.keras"
    assert record["score_of_saved"] == pytest.approx(record["score"], rel=1e-6)
    assert (tmp_path / "out" / "model.keras").is_file()
    refused = tune_here("best", digits.path, "--trial", 9)
    assert refused.returncode == 1 and "one of the 4 trials" in refused.stderr
