"""The loop alone: the order of events, what is retried, and what is kept, with runs that are only played."""

import json
import math
import signal
import sqlite3
from dataclasses import replace

import pytest

import tuning
from tests.conftest import SPACES
from tuning.driver.loop import Search
from tuning.driver.observer import Observer
from tuning.engines.base import Done, Engine
from tuning.errors import SearchFailedError, StudyError
from tuning.hyperparameters import Float
from tuning.records.definition import Definition
from tuning.records.objective import Objective
from tuning.records.trial import Run, State
from tuning.storage.lock import refuse_if_locked
from tuning.storage.store import Store
from tuning.training import checkpoints
from tuning.training.messages import Decision, Finished, Lost, Report

DEFINITION = Definition(
    "s", "space", None, (Float("a", 0.5, low=0.0, high=1.0),), Objective("loss", "min"), "played", {}, 0, 2
)


class Played(Engine):
    """An engine of so many trials; `rests` are those that it may continue until it is told of all."""

    def __init__(self, n, rests=()):
        self.n, self.rests, self.told, self.asked = n, set(rests), [], 0

    def ask(self):
        if self.asked == self.n:
            return Done()
        self.asked += 1
        return Run(self.asked - 1, {"a": 0.5}, 0, 2)

    def tell(self, trial):
        self.told.append(trial)
        if len(self.told) == self.n:
            self.rests = set()

    def should_stop(self, trial):
        return False

    def may_continue(self, number):
        return number in self.rests

    def dump(self):
        return None

    def restore(self, trials, state):
        self.asked = len(trials)


class Player:
    """An executor that plays what a worker would say; `lost` are the numbers of attempts that die after an epoch."""

    slots, pause_seconds = 1, math.inf

    def __init__(self, lost=(), loss=lambda number: float(number)):
        self.lost, self.loss, self.tasks, self.attempts = set(lost), loss, [], 0

    def load(self, source, space, data):
        pass

    def submit(self, task):
        self.tasks.append(task)

    def poll(self, handle):
        task = self.tasks.pop()
        self.attempts += 1
        number, training = task.key
        for epoch in range(task.trained, task.run.stop):
            handle(Report(number, epoch, {"loss": self.loss(number) - epoch / 10}, training=training))
            if self.attempts - 1 in self.lost:
                handle(Lost(number, "it was killed", training))
                return
        handle(Finished(number, task.run.values, (), 0, 1.0, training=training))

    def close(self):
        pass


@pytest.fixture
def search(tmp_path):
    def call(engine, executor, definition=DEFINITION, **arguments):
        store = Store.of(tmp_path / "s", exclusive=True)
        if store.definition() is None:
            store.create(definition)
        store.claim()
        made = Search(definition, engine, executor, store, tmp_path / "s", **arguments)
        try:
            made.run()
        finally:
            store.close()
        return made

    return call


class Reader(Observer):
    """Compares what it is told, and what the engine has been told, with what another process would read."""

    def __init__(self, path, engine):
        self.path, self.engine, self.heard = path / "trials.db", engine, []

    def read(self, query, *values):
        with sqlite3.connect(self.path) as connection:
            return connection.execute(query, values).fetchall()

    def record(self, number):
        ((text,),) = self.read(
            "SELECT value_json FROM trial_user_attributes JOIN trials USING (trial_id) WHERE number = ?", number
        )
        return json.loads(text)

    def run_started(self, trial):
        self.heard.append("started")
        assert len(self.record(trial.number)["runs"]) == len(trial.runs)

    def training_epoch_ended(self, trial, training):
        self.heard.append("training's epoch")
        assert (trial.epochs - 1,) in self.steps(trial)

    def epoch_ended(self, trial):
        self.heard.append("epoch")
        assert (trial.epochs - 1,) in self.steps(trial)

    def steps(self, trial):
        query = "SELECT step FROM trial_intermediate_values JOIN trials USING (trial_id) WHERE number = ?"
        return self.read(query, trial.number)

    def run_ended(self, trial):
        self.heard.append("run")
        assert self.record(trial.number)["runs"][-1]["ended"] is not None
        assert self.engine.told[-1] == trial, "the engine hears of it first"

    def trial_ended(self, trial):
        self.heard.append("trial")
        assert self.read("SELECT state FROM trials WHERE number = ?", trial.number) == [("COMPLETE",)]
        assert self.record(trial.number)["state"] == "COMPLETED"


def test_the_store_is_written_before_observers_are_told(search, tmp_path, recwarn):
    engine = Played(2, rests={0})
    reader = Reader(tmp_path / "s", engine)
    search(engine, Player(), observers=[reader])
    epoch = ["training's epoch", "epoch"]
    assert reader.heard == ["started", *epoch, *epoch, "run", "started", *epoch, *epoch, "run", "trial", "trial"]
    assert [str(w.message) for w in recwarn if "raised" in str(w.message)] == [], "an observer that fails is warned of"


@pytest.mark.medium
def test_the_store_is_written_before_the_engine_is_told(search, tmp_path):
    engine = Played(2)
    reader, tell = Reader(tmp_path / "s", engine), engine.tell

    def told(trial):
        assert reader.record(trial.number)["state"] == "COMPLETED"
        tell(trial)

    engine.tell = told
    search(engine, Player())
    assert len(engine.told) == 2


@pytest.mark.medium
def test_a_run_may_lose_one_worker(search):
    executor = Player(lost={0})
    made = search(Played(1), executor)
    assert executor.attempts == 2 and made.trials[0].state is State.COMPLETED
    assert made.trials[0].trainings[0].lost == 0 and made.trials[0].curve.values("loss") == [0.0, -0.1]


@pytest.mark.medium
def test_a_run_that_loses_two_has_failed(search):
    executor = Player(lost={0, 1, 2, 3})
    with pytest.raises(SearchFailedError, match="training was lost 2 times, the last time because it was killed"):
        search(Played(1), executor)
    assert executor.attempts == 2


class Stopping(Played):
    """Stops its trial after the first epoch; `asks` are what happens when it is asked, one after the other."""

    def __init__(self, *asks):
        super().__init__(1)
        self.asks = list(asks)

    def should_stop(self, trial):
        if self.asks:
            self.asks.pop(0)()
        return trial.epochs == 1


class Resuming(Player):
    """Writes a checkpoint after each epoch; the first worker may die as soon as it has reported."""

    def __init__(self, dies=False, meanwhile=lambda: None):
        super().__init__()
        self.dies, self.meanwhile = dies, meanwhile

    def poll(self, handle):
        task = self.tasks.pop()
        self.attempts += 1
        for epoch in range(task.trained, task.run.stop):
            self.meanwhile()
            decision = handle(Report(0, epoch, {"loss": 1.0}, checkpoint=True))
            if self.dies and self.attempts == 1:
                handle(Lost(0, "it was killed"))
                return
            if decision is not Decision.GO:
                break
        handle(Finished(0, task.run.values, (), 1, 1.0))


def interrupted():
    raise KeyboardInterrupt


@pytest.mark.medium
@pytest.mark.parametrize("lost", ["nothing", "the worker", "the driver"])
def test_a_trial_that_is_to_stop_is_not_trained_further_after_a_loss(search, lost):
    if lost == "the driver":
        with pytest.raises(KeyboardInterrupt):
            search(Stopping(interrupted), Resuming())
    executor = Resuming(dies=lost == "the worker")
    made = search(Stopping(), executor)
    assert made.trials[0].state is State.PRUNED and made.trials[0].epochs == 1
    assert made.trials[0].run.stop == 2 and executor.attempts == (2 if lost == "the worker" else 1)


@pytest.mark.medium
def test_a_trial_that_is_to_stop_does_not_pause_first(search):
    engine = Stopping()
    with pytest.raises(KeyboardInterrupt):
        search(engine, Resuming(meanwhile=lambda: signal.raise_signal(signal.SIGINT)))
    assert [trial.state for trial in engine.told] == [State.PRUNED]


@pytest.mark.medium
def test_a_resumed_search_counts_the_workers_lost_before(search):
    class Stops(Observer):
        def run_started(self, trial):
            if trial.trainings[0].lost:
                raise KeyboardInterrupt  # a second one, at once

    with pytest.raises(KeyboardInterrupt):
        search(Played(1), Player(lost={0}), observers=[Stops()])
    executor = Player(lost={0})
    with pytest.raises(SearchFailedError):
        search(Played(1), executor)
    assert executor.attempts == 1


@pytest.mark.medium
def test_the_study_is_locked_while_it_is_searched(tmp_path):
    class Another(Observer):
        refused = ()

        def epoch_ended(self, trial):
            with pytest.raises(StudyError) as error:
                refuse_if_locked(tmp_path / "s")
            self.refused = (*self.refused, str(error.value))

    observer = Another()
    tuning.search(
        str(SPACES / "curve.py"), engine="random", trials=1, epochs=2, logs=tmp_path, study="s", observers=[observer]
    )
    assert len(observer.refused) == 2 and "searched by" in observer.refused[0]
    refuse_if_locked(tmp_path / "s")


# Weights ----------------------------------------------------------------------------------------------------


class Writes(Player):
    """Leaves the files that a worker with a model would leave."""

    def poll(self, handle):
        task = self.tasks[-1]
        folder = checkpoints.best_path(task.folder, task.stem).parent
        folder.mkdir(parents=True, exist_ok=True)
        checkpoints.best_path(task.folder, task.stem).write_text("best")
        if task.resumable:
            checkpoints.epoch_path(task.folder, task.stem, task.run.stop).write_text("last")
        super().poll(lambda m: handle(replace(m, checkpoint=2) if isinstance(m, Finished) and task.resumable else m))


class Lists(Observer):
    def __init__(self, path):
        self.path, self.seen = path / "checkpoints", []

    def run_started(self, trial):
        self.seen.append(sorted(p.name.removesuffix(".weights.h5") for p in self.path.glob("*")))


@pytest.mark.medium
def test_only_the_best_weights_stay_and_those_that_may_be_gone_on_from(search, tmp_path):
    lists = Lists(tmp_path / "s")
    losses = {0: 5.0, 1: 3.0, 2: 4.0, 3: 1.0, 4: 9.0}
    search(Played(5, rests={0}), Writes(loss=losses.get), observers=[lists], keep=2)
    resting = ["trial_0000.best", "trial_0000.epoch_2"]
    assert lists.seen == [
        [],
        resting,
        [*resting, "trial_0001.best"],
        [*resting, "trial_0001.best", "trial_0002.best"],
        [*resting, "trial_0001.best", "trial_0003.best"],
    ]
    left = sorted(p.name for p in (tmp_path / "s" / "checkpoints").iterdir())
    assert left == ["trial_0001.best.weights.h5", "trial_0003.best.weights.h5"]


@pytest.mark.medium
def test_nothing_is_looked_for_while_trials_come_and_go(search, tmp_path, monkeypatch):
    looked = []
    prune = checkpoints.prune
    monkeypatch.setattr(checkpoints, "prune", lambda *arguments: (looked.append(1), prune(*arguments)))
    search(Played(20, rests=range(20)), Writes(), keep=1)
    assert len(looked) == 2, "all files are looked at when the search begins and when it ends"
