"""Callbacks of a search: any of Keras's, in every engine, a fresh one and a folder of its own for each trial."""

import csv
from pathlib import Path

import keras
import numpy as np
import pytest

import tuning
from search_spaces import _mlp
from tests.layers import few
from tuning import compiled as training
from tuning.engines.registry import ENGINES
from tuning.errors import OptionError
from tuning.records.trial import State
from tuning.training import callbacks

RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 4)).astype("float32")
Y = (X @ [1.0, -2.0, 3.0, 0.5] + RNG.normal(size=64)).astype("float32")
VALIDATION = (X[48:], Y[48:])


def build_model(hp):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(hp.Float("learning_rate", 1e-3, 3e-2, sampling="log")), "mse")
    return model


@pytest.fixture
def search(tmp_path):
    def call(space=build_model, **arguments):
        defaults = {"engine": "random", "trials": 2, "epochs": 2, "seed": 0, "logs": tmp_path, "objective": "val_loss"}
        defaults["validation_data"] = VALIDATION
        return tuning.search(space, X[:48], Y[:48], **{**defaults, **arguments})

    return call


@pytest.mark.slow
def test_tensorboard_in_a_list_has_a_folder_for_each_trial_and_repeat(search, tmp_path):
    callback = keras.callbacks.TensorBoard(tmp_path / "curves")
    search(callbacks=[callback], repeats=2, trials=2, epochs=1)
    for trial in range(2):
        for repeat in range(2):
            assert list((tmp_path / "curves" / f"trial_{trial:04d}" / f"repeat_{repeat}" / "train").iterdir())
    assert callback.log_dir == str(tmp_path / "curves")


class Batches(keras.callbacks.Callback):
    """Counts batches, and writes them down in its folder."""

    def __init__(self, folder):
        super().__init__()
        self.folder, self.n = folder, 0

    def on_train_batch_end(self, batch, logs=None):
        self.n += 1

    def on_epoch_end(self, epoch, logs=None):
        with open(self.folder / "batches.txt", "a") as file:
            file.write(f"{self.n}\n")


@pytest.mark.medium
@pytest.mark.parametrize("engine", few(ENGINES))
def test_every_engine_calls_batch_callbacks_and_the_record_says_how(search, engine):
    folds = {"cv": 2, "validation_data": None, "trials": 1} if ENGINES[engine].folds is not None else {}
    members = {"trials": None, "options": {"population": 2}} if ENGINES[engine].changes else {}
    study = search(engine=engine, callbacks=lambda folder: [Batches(folder)], **folds, **members)
    assert study.trials
    for trial in study.trials:
        files = list((study.path / "callbacks" / f"trial_{trial.number:04d}").rglob("batches.txt"))
        assert len(files) == len(trial.trainings), "each training has a folder of its own"
        for file in files:
            written = [int(n) for n in file.read_text().split()]
            assert len(written) == trial.epochs and min(written) > 0
        assert trial.compiled is False and "callback Batches looks at single batches" in trial.compiled_reason


@pytest.mark.slow
def test_each_trial_writes_into_its_own_folder_also_from_worker_processes(search):
    study = search(
        workers=2,
        callbacks=lambda folder: [
            keras.callbacks.CSVLogger(folder / "log.csv"),
            keras.callbacks.ModelCheckpoint(folder / "{epoch}.keras"),
        ],
    )
    for trial in study.trials:
        folder = study.path / "callbacks" / f"trial_{trial.number:04d}"
        with open(folder / "log.csv") as file:
            rows = [float(row["val_loss"]) for row in csv.DictReader(file)]
        assert rows == pytest.approx(trial.curve.values("val_loss"))
        assert sorted(p.name for p in folder.glob("*.keras")) == ["1.keras", "2.keras"]
        assert trial.compiled


@pytest.mark.slow
def test_each_repeat_has_folders_of_its_own(search):
    study = search(
        trials=1, repeats=2, log=["histograms"], callbacks=lambda f: [keras.callbacks.CSVLogger(f / "log.csv")]
    )
    for part in study.definition.training_names:
        assert (study.path / "callbacks" / "trial_0000" / part / "log.csv").is_file()
        assert list((study.path / "tensorboard" / "trial_0000" / part / "log").glob("events*"))


@pytest.mark.medium
def test_a_space_may_have_callbacks_of_its_own(search):
    class Own(tuning.SearchSpace):
        name, objective = "own", "val_loss"

        def build(self, hp):
            return build_model(hp)

        def callbacks(self, folder):
            return [keras.callbacks.CSVLogger(folder / "own.csv")]

    study = search(Own(), callbacks=[keras.callbacks.TerminateOnNaN])
    assert len(list(study.path.glob("callbacks/trial_*/own.csv"))) == 2
    again = search(Own(), callbacks=[keras.callbacks.TerminateOnNaN], overwrite=True, trials=1)
    assert len(list(again.path.glob("callbacks/trial_*/own.csv"))) == 1, "--overwrite deletes what callbacks wrote"


@pytest.mark.medium
def test_the_objective_may_be_a_metric_that_a_callback_adds(search):
    class Adds(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["gain"] = -logs["val_loss"]

    study = search(objective="gain:max", callbacks=[Adds()])
    assert all(t.score == -min(t.curve.values("val_loss")) for t in study.trials)


@pytest.mark.medium
@pytest.mark.parametrize("compiled", [True, False])
def test_restored_best_weights_are_the_ones_that_are_saved(search, compiled):
    """The validation loss gets worse again and again: the rate grows each epoch until training diverges."""

    def callbacks(folder):
        return [
            keras.callbacks.LearningRateScheduler(lambda epoch: 0.02 * 1.6**epoch),
            keras.callbacks.EarlyStopping(monitor="val_loss", patience=2, restore_best_weights=True),
            AtTheEnd(),
        ]

    seen = []

    class AtTheEnd(keras.callbacks.Callback):
        def on_train_end(self, logs=None):
            seen.append(self.model.evaluate(*VALIDATION, verbose=0))

    study = search(epochs=20, trials=1, callbacks=callbacks, compiled=compiled, patience=0)
    (trial,) = study.trials
    assert trial.state is State.COMPLETED and trial.best_epoch == trial.epochs - 3 and trial.epochs < 20
    assert seen == [pytest.approx(trial.score, rel=1e-5)]
    assert study.best_model().evaluate(*VALIDATION, verbose=0) == pytest.approx(trial.score, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("patience", "epochs"), [(None, 6), (3, 4), (0, 12)])
def test_patience_is_the_spaces_or_the_callers_and_zero_is_for_ever(search, patience, epochs):
    class Stuck(tuning.SearchSpace):
        name, objective, patience = "stuck", "val_loss", 5

        def build(self, hp):
            model = build_model(hp)
            model.optimizer.learning_rate = 0.0
            return model

    assert search(Stuck(), epochs=12, trials=1, patience=patience).trials[0].epochs == epochs
    resumed = search(Stuck(), epochs=12, trials=2)
    assert [t.epochs for t in resumed.trials] == [epochs, epochs], "a study keeps its patience"


def test_fresh_callbacks():
    class Counts(keras.callbacks.Callback):
        n = 0

    given = Counts()
    first, second = (callbacks.fresh([given, Counts, lambda: Counts()], Path("unused")) for _ in range(2))
    made = [given, *first, *second]
    assert all(isinstance(c, Counts) for c in made) and len({id(c) for c in made}) == 7
    assert not Path("unused").exists() and callbacks.fresh(None, Path("unused")) == []


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("EarlyStopping", "must be a list or a function of a folder"),
        ([5], "must hold callbacks, but got 5"),
        (keras.callbacks.TerminateOnNaN(), "must be a list or a function of a folder"),
    ],
)
def test_what_is_no_callback_is_refused_before_anything_is_written(search, tmp_path, given, says):
    with pytest.raises(OptionError, match=says):
        search(callbacks=given)
    assert not list(tmp_path.iterdir())


def test_a_callback_that_cannot_be_copied_is_refused(search, tmp_path):
    class Writes(keras.callbacks.Callback):
        def __init__(self, path):
            super().__init__()
            self.file = open(path, "w")  # noqa: SIM115

    with pytest.raises(OptionError, match="Writes cannot be: TypeError.*Give a function that makes it"):
        search(callbacks=[Writes(tmp_path / "file")])


@pytest.mark.medium
def test_checkpoints_of_the_toolkit_are_not_where_callbacks_write(search):
    study = search(callbacks=lambda folder: [keras.callbacks.ModelCheckpoint(folder / "best.weights.h5",
                                                                             save_weights_only=True)])  # fmt: skip
    assert study.checkpoint(study.best).is_file()
    weights = {path for path in (study.path / "checkpoints").iterdir() if path.suffix != ".keras"}
    assert weights == {study.checkpoint(trial) for trial in study.trials}


# Annealing --------------------------------------------------------------------------------------------


def half_a_cosine(rate, epochs, n):
    return pytest.approx([rate * max(0.01, (1 + np.cos(np.pi * epoch / n)) / 2) for epoch in epochs], rel=1e-5)


@pytest.mark.slow
def test_annealing_lets_the_rate_of_every_trial_fall_over_its_budget(search):
    study = search(anneal=True, epochs=4)
    for trial in study.trials:
        assert trial.curve.values("learning_rate") == half_a_cosine(trial.values["learning_rate"], range(4), 4)
    with pytest.raises(tuning.TuningError, match="'anneal' is absent, in the study True"):
        search(anneal=False, epochs=4)
    assert len(search(trials=3, epochs=4).trials) == 3, "a study that is continued stays annealed"


@pytest.mark.slow
def test_an_annealed_trial_that_is_promoted_goes_on_where_it_was(search):
    study = search(engine="hyperband", trials=None, epochs=4, anneal=True, options={"hyperband_iterations": 1})
    promoted = [trial for trial in study.trials if len(trial.runs) > 1]
    assert promoted
    for trial in study.trials:
        rates = trial.curve.values("learning_rate")
        assert rates == half_a_cosine(trial.values["learning_rate"], range(trial.epochs), 4)


@pytest.mark.medium
@pytest.mark.parametrize("initial_epoch", [0, 1, 4])
def test_what_a_warm_up_has_set_is_annealed(initial_epoch):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.4), "mse")
    given = [*_mlp.warm_up(0.4, 3), callbacks.annealing(model, 6)]
    share = [max(0.01, (1 + np.cos(np.pi * epoch / 6)) / 2) for epoch in range(6)]
    model.optimizer.learning_rate = 0.4 * share[initial_epoch - 1]  # as a checkpoint has it
    x = np.zeros((4, 1))
    history = training.fit(model, x, x, epochs=6, initial_epoch=initial_epoch, callbacks=given, verbose=0).history
    expected = np.multiply([0.1, 0.2, 0.3, 0.4, 0.4, 0.4], share)
    assert history["learning_rate"] == pytest.approx(expected[initial_epoch:], rel=1e-5)


@pytest.mark.medium
def test_a_rate_that_is_lowered_at_the_end_of_an_epoch_stays_lower(search):
    study = search(epochs=4, anneal=True, callbacks=[Halves])
    for trial in study.trials:
        begun = [2 * rate for rate in trial.curve.values("learning_rate")]  # what is logged is lower already
        whole = half_a_cosine(trial.values["learning_rate"], range(4), 4).expected
        assert begun == pytest.approx([rate / 2**epoch for epoch, rate in enumerate(whole)], rel=1e-5)


class Halves(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.optimizer.learning_rate = self.model.optimizer.learning_rate / 2


@pytest.mark.medium
def test_an_annealed_trial_is_not_ended_before_its_rate_has_fallen(search):
    class Stuck(tuning.SearchSpace):
        name, objective, patience = "stuck", "val_loss", 1

        def build(self, hp):
            return build_model(hp)

        def fit(self, hp, model, x, y=None, **kwargs):
            model.optimizer.learning_rate = 0.0
            kwargs["callbacks"] = [c for c in kwargs["callbacks"] if "Anneal" not in type(c).__name__]
            return model.fit(x, y, **kwargs)

    assert [t.epochs for t in search(Stuck(), anneal=True, epochs=5).trials] == [5, 5]


def test_a_rate_with_a_schedule_of_its_own_is_refused_before_the_first_trial(search, tmp_path):
    def scheduled(hp):
        model = build_model(hp)
        model.compile(keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)), "mse")
        return model

    with pytest.raises(OptionError, match="`anneal` must be False for a model whose learning rate has a schedule"):
        search(scheduled, anneal=True)
    assert not list(tmp_path.iterdir())
