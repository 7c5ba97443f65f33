"""Trials of real Keras models go on from their checkpoints, and begin again where those are lost."""

import os
import signal

import numpy as np
import pytest

import tuning
from tests.processes import Driver, is_sound, wait_until, workers_of
from tuning.driver.observer import Observer
from tuning.records.trial import State
from tuning.training import checkpoints

pytestmark = pytest.mark.slow

keras = pytest.importorskip("keras")

SPACE = """
import numpy
import tuning
import tuning.training.progress

tuning.training.progress.CHECKPOINT_SECONDS = 0  # a checkpoint after every epoch
RNG = numpy.random.default_rng(0)
X = RNG.normal(size=(64, 4)).astype("float32")
Y = (X @ RNG.normal(size=4)).astype("float32")


class Tiny(tuning.SearchSpace):
    name, objective = "tiny", "val_loss"

    def build(self, hp):
        import keras

        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        model.compile(keras.optimizers.Adam(hp.Float("learning_rate", 0.01, 0.1)), "mse")
        return model

    def fit(self, hp, model, *args, **kwargs):
        return model.fit(*args, shuffle=False, **kwargs)

    def load_data(self):
        return tuning.Data(X[:48], Y[:48], (X[48:], Y[48:]))
"""


RANDOM = {"engine": "random", "trials": 3, "epochs": 8, "seed": 0, "keep": 99}


@pytest.fixture
def space(tmp_path):
    path = tmp_path / "tiny.py"
    path.write_text(SPACE)
    return str(path)


@pytest.fixture
def search(tmp_path, space):
    def call(**given):
        defaults = {**RANDOM, "logs": tmp_path}
        return tuning.search(space, **{**defaults, **given})

    return call


def scores(study):
    return [t.score for t in study.trials]


def check_models(study):
    """The weights on disk are those of the recorded scores."""
    data = study.space.load_data()
    for trial in study.trials:
        measured = study.model(trial).evaluate(*data.validation, verbose=0)
        assert measured == pytest.approx(trial.score, rel=1e-5)


class Watch(Observer):
    """Does something once when a trial has come to an epoch; remembers from which epochs trials started."""

    def __init__(self, number, epochs, act):
        self.number, self.epochs, self.act, self.starts = number, epochs, act, {}

    def run_started(self, trial):
        self.starts.setdefault(trial.number, []).append(trial.epochs)

    def epoch_ended(self, trial):
        if self.act is not None and (trial.number, trial.epochs) == (self.number, self.epochs):
            act, self.act = self.act, None
            act()


@pytest.fixture
def straight(search):
    return search(study="straight")


def test_killed_workers_trials_go_on_from_their_checkpoints(search, straight):
    watch = Watch(1, 5, lambda: [os.kill(worker.pid, signal.SIGKILL) for worker in workers_of()])
    study = search(workers=2, observers=[watch])
    assert watch.act is None and watch.starts[1] == [0, 5], "nothing but the epochs since the checkpoint is lost"
    assert {t.state for t in study.trials} == {State.COMPLETED} and all(t.epochs == 8 for t in study.trials)
    assert scores(study) == pytest.approx(scores(straight), rel=1e-5)
    check_models(study)


def test_a_killed_drivers_trials_go_on_from_their_checkpoints(search, straight, space, tmp_path):
    driver = Driver(space, workers=2, study="killed", logs=tmp_path, **RANDOM)
    folder = tmp_path / "killed" / "checkpoints"
    wait_until(lambda: list(folder.glob("*.epoch_[3-7].weights.h5")), 240)
    driver.kill()
    assert is_sound(tmp_path / "killed" / "trials.db")
    before = {t.number: t for t in tuning.load(tmp_path / "killed").trials}
    watch = Watch(None, None, None)
    study = search(study="killed", observers=[watch])
    assert {n: s for n, s in watch.starts.items() if n in before} == {
        n: [t.trainings[0].checkpoint] for n, t in before.items() if not t.state.is_finished
    }
    assert max(t.trainings[0].checkpoint for t in before.values()) >= 2
    assert scores(study) == pytest.approx(scores(straight), rel=1e-5)
    check_models(study)
    assert sorted(p.name for p in folder.iterdir()) == [f"trial_{n:04d}.best.weights.h5" for n in range(3)]


DAMAGE = {
    "missing": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "garbage": lambda path: path.write_bytes(os.urandom(5000)),
    "another model": lambda path: _save_another_model(path),
    "without its best epoch": lambda path: path.with_name(f"{path.name[:10]}.best.weights.h5").unlink(),
}


def _save_another_model(path):
    keras.Sequential([keras.Input((9,)), keras.layers.Dense(2), keras.layers.Dense(3)]).save_weights(path)


class Damaging(Watch):
    """Damages the checkpoint of the first trial that is promoted, just before it goes on."""

    def __init__(self, folder, damage):
        super().__init__(None, None, None)
        self.folder, self.damage, self.damaged = folder, damage, None

    def run_started(self, trial):
        if self.damaged is None and trial.trainings[0].checkpoint:
            self.damaged = trial.number
            self.damage(
                checkpoints.epoch_path(self.folder, checkpoints.stem(trial.number), trial.trainings[0].checkpoint)
            )


HYPERBAND = {"engine": "hyperband", "trials": None, "epochs": 2, "options": {"factor": 2}}


@pytest.fixture(scope="module")
def undamaged(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undamaged")
    (folder / "tiny.py").write_text(SPACE)
    return scores(tuning.search(str(folder / "tiny.py"), seed=0, logs=folder, **HYPERBAND))


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_promotion_without_its_checkpoint_begins_again_with_a_warning(damage, search, undamaged, tmp_path, capfd):
    watch = Damaging(tmp_path / "damaged" / "checkpoints", DAMAGE[damage])
    study = search(study="damaged", observers=[watch], **HYPERBAND)
    assert watch.damaged is not None
    error = capfd.readouterr().err
    assert f"trial {watch.damaged}: the checkpoint" in error and "starts again from epoch 0" in error
    assert "Traceback" not in error
    assert {t.state for t in study.trials} == {State.COMPLETED} and all(t.epochs == t.run.stop for t in study.trials)
    assert scores(study) == pytest.approx(undamaged, rel=1e-5), "as if nothing had been damaged"
    check_models(study)


class Counting(Observer):
    """Counts, whenever a run begins, the checkpoints of finished trials, and the trials that have two last epochs."""

    def __init__(self, folder):
        self.folder, self.running, self.kept, self.doubled = folder, set(), [], []

    def run_started(self, trial):
        self.running.add(trial.number)
        numbers = [int(path.name[6:10]) for path in self.folder.glob("*.best.*")]
        self.kept.append(len([number for number in numbers if number not in self.running]))
        epochs = [path.name[:10] for path in self.folder.glob("*.epoch_*")]
        self.doubled.append(len(epochs) - len(set(epochs)))

    def trial_ended(self, trial):
        self.running.discard(trial.number)


def test_only_the_best_checkpoints_and_those_of_promotions_exist_at_any_moment(search, tmp_path):
    counting = Counting(tmp_path / "counted" / "checkpoints")
    given = {**HYPERBAND, "epochs": 4, "keep": 2, "study": "counted"}
    study = search(observers=[counting], **given)
    assert max(counting.kept) == 2 and set(counting.doubled) == {0}
    assert sorted(p.name[11:] for p in counting.folder.iterdir()) == 2 * ["best.weights.h5"]
    assert np.isfinite(study.best_model().evaluate(*study.space.load_data().validation, verbose=0))
