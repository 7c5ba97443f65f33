"""The final model: trained on training and validation data, scored once on the test split, and told about."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

import tuning
from tuning.errors import DataError, OptionError, SpaceError, StudyError
from tuning.space import resolve
from tuning.storage.lock import locked
from tuning.storage.store import Store

keras = pytest.importorskip("keras")
RNG = np.random.default_rng(0)
X = RNG.normal(3, 2, size=(240, 4)).astype("float32")
Y = (X @ RNG.normal(size=4)).astype("float32")


class Line(tuning.SearchSpace):
    """A linear model behind a Normalization layer that `fit` adapts; notes what `fit` was given."""

    name = "line"
    objective = "val_rmse:min"

    def __init__(self):
        super().__init__()
        self.fits = []
        self.tests = 0

    def build(self, hp):
        model = keras.Sequential([keras.Input((4,)), keras.layers.Normalization(), keras.layers.Dense(1)])
        model.compile(
            keras.optimizers.Adam(hp.Float("learning_rate", 1e-2, 1e-1)),
            "mse",
            metrics=[keras.metrics.RootMeanSquaredError(name="rmse")],
        )
        return model

    def fit(self, hp, model, x, y, **options):
        self.fits.append((x, y, options))
        model.layers[0].adapt(x)
        return model.fit(x, y, batch_size=hp.Choice("batch_size", [20, 40]), **options)

    def load_data(self):
        return tuning.Data(X[:120], Y[:120], (X[120:160], Y[120:160]), load_test=self._load_test)

    def _load_test(self):
        self.tests += 1
        return X[160:], Y[160:]


@pytest.fixture
def space():
    return Line()


@pytest.fixture
def study(space, tmp_path):
    found = tuning.search(space, engine="random", trials=2, epochs=4, seed=3, logs=tmp_path / "logs")
    assert space.tests == 0, "a search must not touch the test split"
    space.fits.clear()
    return found


@pytest.mark.medium
def test_training_and_validation_data_are_joined_and_the_test_split_is_scored(study, space):
    final = tuning.finalize(study, seeds=2)
    assert space.tests == 1 and len(space.fits) == 2
    x, y, options = space.fits[0]
    assert np.array_equal(x, X[:160]) and np.array_equal(y, Y[:160])
    assert options["epochs"] == study.best.best_epoch + 1 == final.epochs and "validation_data" not in options
    assert final.n_training == 160 and final.n_test == 80
    assert final.values == study.best.values and final.validation_score == study.best.score
    model = study.final_model()
    assert np.allclose(model.layers[0].mean, X[:160].mean(axis=0), atol=1e-5), "normalisation is learned anew"
    measured = model.evaluate(X[160:], Y[160:], batch_size=study.batch_size(study.best), verbose=0, return_dict=True)
    assert measured["rmse"] == pytest.approx(final.score, rel=1e-6)
    loaded = keras.models.load_model(study.path / "final" / "model.keras")
    assert loaded.evaluate(X[160:], Y[160:], verbose=0, return_dict=True)["rmse"] == pytest.approx(
        final.score, rel=1e-6
    )


@pytest.mark.slow
def test_seeds_give_mean_and_spread_and_the_first_is_saved(study):
    final = tuning.finalize(study, seeds=3)
    scores = [scores["rmse"] for scores in final.scores]
    assert len(set(scores)) == len(set(final.seeds)) == 3
    assert final.score == scores[0]
    assert final.mean == pytest.approx(np.mean(scores)) and final.spread == pytest.approx(np.std(scores, ddof=1))
    again = tuning.finalize(tuning.load(study.path, space=study.space), again=True)
    assert again.spread is None and again.seeds == final.seeds[:1]
    assert again.score == pytest.approx(final.score, rel=1e-6), "a seed decides a training"


@pytest.mark.medium
def test_a_second_evaluation_is_refused_before_anything_is_trained(study, space):
    first = tuning.finalize(study)
    space.fits.clear()
    opened = tuning.load(study.path, space=space)
    with pytest.raises(StudyError, match="evaluated for study 'line-random' already.*again"):
        tuning.finalize(opened)
    assert space.tests == 1 and not space.fits
    second = tuning.finalize(opened, again=True)
    assert space.tests == 2 and second.earlier == (first.score,)
    assert "evaluated 2 times" in (study.path / "final" / "model_card.md").read_text()


@pytest.mark.slow
def test_the_record_is_in_the_store_and_goes_with_the_study(study, space):
    final = tuning.finalize(study)
    opened = tuning.load(study.path, space=space)
    assert tuning.Final.from_json(json.loads(json.dumps(opened.final))) == final
    tuning.search(space, engine="random", trials=3, seed=3, epochs=4, logs=study.path.parent)
    assert tuning.load(study.path).final == opened.final, "a search that goes on keeps it"
    tuning.search(space, engine="random", trials=1, seed=4, epochs=1, logs=study.path.parent, overwrite=True)
    assert tuning.load(study.path).final is None and not (study.path / "final").exists()


@pytest.mark.slow
def test_the_card_tells_what_one_must_know(study):
    final = tuning.finalize(study, seeds=2)
    card = (study.path / "final" / "model_card.md").read_text()
    for text in (
        f"{final.score:.4f}", f"{final.spread:.4f}", "learning_rate", "line", "random", "val_rmse:min", "2 trials",
        "float32 (120, 4)", f"keras {keras.__version__}", str(final.seeds[1]), "160 samples", "evaluated once",
    ):  # fmt: skip
        assert text in card, text


@pytest.mark.medium
def test_a_study_that_is_being_searched_is_left_alone(study, space):
    with locked(study.path), pytest.raises(StudyError, match="is being searched"):
        tuning.finalize(study)
    assert not space.fits


@pytest.mark.slow
def test_what_cannot_be_finalized_says_why(study, space, tmp_path):
    with pytest.raises(OptionError, match="whole number >= 1"):
        tuning.finalize(study, seeds=0)
    data = space.load_data()
    without = tuning.load(study.path, space=space, data=replace(data, load_test=None))
    with pytest.raises(DataError, match="must have a test split"):
        tuning.finalize(without)
    changed = tuning.load(study.path, space=space, data=replace(data, x=data.x + 1))
    with pytest.raises(DataError, match="x is .*, in the study"):
        tuning.finalize(changed)
    assert not space.fits and tuning.load(study.path).final is None
    given = tuning.finalize(without, test_data=(X[:10], Y[:10]))
    assert given.n_test == 10


@pytest.mark.slow
def test_an_objective_that_evaluate_does_not_give_is_refused(tmp_path):
    class OwnScore(Line):
        def fit(self, hp, model, *arguments, **options):
            super().fit(hp, model, *arguments, **options)
            return {"val_profit": 1.0}

    space = OwnScore()
    study = tuning.search(
        space, engine="random", trials=1, epochs=1, logs=tmp_path, objective="val_rmse:min", compiled=False
    )
    study.definition = replace(study.definition, objective=tuning.Objective("val_profit", "max"))
    with pytest.raises(StudyError, match="'profit' is none of .*rmse"):
        tuning.finalize(study)


@pytest.mark.medium
def test_a_training_that_raises_or_diverges_touches_no_test_split(study, space):
    def broken(hp, model, x, y, **options):
        raise ValueError("no more memory")

    def diverging(hp, model, x, y, **options):
        return model.fit(x * float("nan"), y, **options)

    for fit, kind, text in ((broken, SpaceError, "no more memory"), (diverging, StudyError, "diverged")):
        space.fit = fit
        with pytest.raises(kind, match=text):
            tuning.finalize(study)
    assert space.tests == 0 and not (study.path / "final").exists()


@pytest.mark.slow
def test_callbacks_of_the_search_are_asked_for_again(space, tmp_path):
    study = tuning.search(
        space, engine="random", trials=1, epochs=1, logs=tmp_path,
        callbacks=[keras.callbacks.LearningRateScheduler(lambda epoch: 0.01)],
    )  # fmt: skip
    with pytest.raises(OptionError, match="LearningRateScheduler"):
        tuning.finalize(study)
    assert tuning.finalize(study, callbacks=[]).score > 0
    tuning.finalize(study, again=True, callbacks=lambda folder: [keras.callbacks.CSVLogger(folder / "log.csv")])
    assert (study.path / "callbacks" / "final_0" / "log.csv").is_file()


@pytest.mark.slow
def test_annealing_lets_the_learning_rate_fall(study, space):
    rates = []
    final = tuning.finalize(
        study, anneal=True, listener=lambda i, epoch, metrics: rates.append(metrics["learning_rate"])
    )
    start = study.best.values["learning_rate"]
    expected = [start * max(0.01, (1 + np.cos(np.pi * e / final.epochs)) / 2) for e in range(final.epochs)]
    assert rates == pytest.approx(expected, rel=1e-5)
    card = (study.path / "final" / "model_card.md").read_text()
    assert final.annealed and "half a cosine" in card


@pytest.mark.slow
def test_values_found_on_folds_are_trained_on_all_of_them(space, tmp_path):
    study = tuning.search(space, engine="random", trials=1, epochs=3, cv=2, seed=1, logs=tmp_path)
    with pytest.warns(UserWarning, match="tune finalize"):
        study.best_model()
    opened = tuning.load(study.path, space=Line())
    final = tuning.finalize(opened)
    assert final.n_training == 160 and final.epochs == study.best.best_epoch + 1
    assert opened.final_model().built and opened.command() is None
    card = (study.path / "final" / "model_card.md").read_text(encoding="utf-8")
    assert "No command repeats the search, because its space was made in a program." in card


def test_structures_and_weights_are_joined():
    from tuning.data import with_validation

    a, b = np.ones((3, 2)), np.zeros((2, 2))
    joined = with_validation(tuning.Data({"p": a, "q": (a, a)}, [a, a], ({"p": b, "q": (b, b)}, [b, b], np.ones(2))))
    assert joined.x["q"][1].tolist() == [[1, 1]] * 3 + [[0, 0]] * 2 and joined.y[1].shape == (5, 2)
    assert joined.sample_weight.tolist() == [1] * 5 and joined.validation is None
    import pandas

    frame = pandas.DataFrame({"a": [1, 2]})
    assert with_validation(tuning.Data(frame, a[:2], (frame, b))).x["a"].tolist() == [1, 2, 1, 2]
    with pytest.raises(DataError, match="same structure"):
        with_validation(tuning.Data({"p": a}, a, (b, b)))
    with pytest.raises(DataError, match="generator"):
        with_validation(tuning.Data(a, a, (i for i in [])))


# The commands, on a bundled space ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    return tuning.search(
        "digits", engine="random", trials=2, epochs=2, seed=2, logs=tmp_path_factory.mktemp("commands") / "logs",
        fix={"n_hidden": 1, "n_neurons": 32, "optimizer": "adam"},
    )  # fmt: skip


@pytest.mark.slow
def test_the_command_finalizes_once(tune_here, searched, tmp_path):
    shutil.copytree(searched.path, tmp_path / "logs" / "digits-random")
    done = tune_here("finalize", "digits-random", "--seeds", 2)
    assert done.returncode == 0, done.stderr
    assert "test        accuracy" in done.stdout and "±" in done.stdout and "final/model_card.md" in done.stdout
    assert "training 2 of 2" in done.stderr
    refused = tune_here("finalize", "digits-random")
    assert refused.returncode == 1 and "--again" in refused.stderr and len(refused.stderr.splitlines()) == 1
    record = json.loads(tune_here("finalize", "digits-random", "--again", "--json", "--quiet").stdout)
    assert record["n_training"] == 1347 and record["n_test"] == 450 and len(record["earlier"]) == 1
    x, y = resolve("digits").load_data().load_test()
    opened = tuning.load(tmp_path / "logs" / "digits-random")
    score = opened.final_model().evaluate(x, y, verbose=0, return_dict=True)["accuracy"]
    assert score == pytest.approx(record["score"], rel=1e-6)


@pytest.mark.medium
def test_the_earlier_model_stays_until_the_new_record_is_stored(study, space, monkeypatch):
    tuning.finalize(study)
    path = study.path / "final" / "model.keras"
    before = path.read_bytes()

    def lost(store, record):
        raise StudyError("the database is gone")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "save_final", lost)
        with pytest.raises(StudyError, match="is gone"):
            tuning.finalize(study, again=True)
    assert path.read_bytes() == before
    assert tuning.load(study.path, space=space).final_model() is not None
    path.write_bytes(before[:-1])
    with pytest.raises(StudyError, match="must be the one that its record names"):
        tuning.load(study.path, space=space).final_model()
