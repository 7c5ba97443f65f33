"""Workers are killed, stopped, and run out of memory in the middle of a search; models and metrics are hostile."""

import os
import resource
import signal
import threading
import time

import numpy as np
import pytest

import tuning
from tests.processes import CURVE, Driver, are_gone, busy_space, is_sound, outcome, tune, wait_until, workers_of
from tests.tuning.driver.test_failures_drivers import arguments
from tuning import Data, SearchSpace
from tuning.driver.observer import Observer
from tuning.errors import SearchFailedError, TuningError
from tuning.records.trial import State

pytestmark = pytest.mark.slow

TEST_SECONDS = 0.01


class Paced(SearchSpace):
    """Epochs take a hundredth of a second; every report tells the worker's process id."""

    name, objective = "paced", "score:max"

    def build(self, hp):
        return {"a": hp.Float("a", 0, 1), "b": hp.Int("b", 0, 9)}

    def fit(self, hp, model, x, *, epochs, initial_epoch=0, callbacks=(), **_):
        for epoch in range(initial_epoch, epochs):
            time.sleep(TEST_SECONDS)
            metrics = {"score": self.score(model, epoch), "pid": os.getpid()}
            if any(callback.on_epoch_end(epoch, metrics) for callback in callbacks):
                break

    def score(self, model, epoch):
        return model["a"] + epoch / 10

    def load_data(self):
        return Data(np.arange(3.0))


class Signals(Observer):
    """Sends a signal to the worker of a trial after an epoch; remembers who trained what."""

    def __init__(self, number, *targets):
        self.number, self.targets, self.pids = number, list(targets), {}
        self.ended = {}

    def epoch_ended(self, trial):
        pid = int(trial.curve.epochs[-1]["pid"])
        self.pids.setdefault(trial.number, []).append(pid)
        if self.targets and (trial.number, trial.epochs) == self.targets[0]:
            self.targets.pop(0)
            os.kill(pid, self.number)

    def trial_ended(self, trial):
        self.ended[trial.number] = trial


@pytest.fixture
def search(tmp_path):
    def call(space=None, **given):
        defaults = {"engine": "random", "trials": 6, "epochs": 10, "seed": 0, "logs": tmp_path, "workers": 2}
        return tuning.search(Paced() if space is None else space, **{**defaults, **given})

    yield call
    assert not workers_of()


def without_pids(study):
    return [
        (t.number, t.state, t.score, dict(t.values), t.curve.values("score"), [(r.start, r.stop) for r in t.runs])
        for t in study.trials
    ]


@pytest.mark.parametrize("engine", ["random", "hyperband", "bayesian"])
def test_a_killed_worker_costs_its_trial_a_retry_and_the_others_nothing(engine, search, tmp_path):
    kills = Signals(signal.SIGKILL, (1, 1), (4, 1))
    trials = {"trials": None} if engine == "hyperband" else {}
    study = search(engine=engine, observers=[kills], epochs=9, options={}, **trials)
    assert not kills.targets, "both were killed"
    assert {t.state for t in study.trials} == {State.COMPLETED} and all(t.epochs == t.run.stop for t in study.trials)
    assert {n for n, pids in kills.pids.items() if len(study.trials[n].runs) == 1 and len(set(pids)) > 1} <= {1, 4}
    assert len(study.trials) == len({tuple(t.values.items()) for t in study.trials})
    assert is_sound(study.path / "trials.db")


def test_a_killed_worker_is_retried_with_the_same_result(search):
    straight = search(study="straight", workers=1)
    killed = search(study="killed", observers=[Signals(signal.SIGKILL, (0, 3), (2, 9), (5, 1))])
    by_number = [without_pids(study) for study in (straight, killed)]
    assert by_number[0] == by_number[1], "random search proposes the same in whatever order trials end"


def test_a_trial_that_loses_its_worker_twice_has_failed_and_the_search_goes_on(search):
    study = search(observers=[Signals(signal.SIGKILL, (1, 4), (1, 4))])
    failed = study.trials[1]
    assert failed.state is State.FAILED and failed.epochs == 4
    assert (
        failed.error == "training was lost 2 times, the last time because its worker process died: killed by signal 9"
    )
    assert all(t.state is State.COMPLETED for t in study.trials if t.number != 1)


def test_losses_of_different_trials_are_counted_apart(search):
    study = search(observers=[Signals(signal.SIGKILL, (0, 2), (1, 5), (2, 5), (3, 5), (4, 5))])
    assert {t.state for t in study.trials} == {State.COMPLETED} and {t.trainings[0].lost for t in study.trials} == {0}


def test_a_stopped_worker_is_given_up_after_the_silence_limit(search):
    stops = Signals(signal.SIGSTOP, (1, 4))
    study = search(silence_limit=1.0, observers=[stops])
    assert {t.state for t in study.trials} == {State.COMPLETED}
    first, *others = dict.fromkeys(stops.pids[1])
    assert others, "another worker has trained it"
    with pytest.raises(ProcessLookupError):
        os.kill(first, signal.SIGCONT)
    assert without_pids(study) == without_pids(search(study="straight", workers=1))


def test_every_worker_stopped_is_an_end_with_reasons(search):
    class Stopping(Paced):
        def fit(self, hp, model, x, *, epochs, **options):
            if epochs > 1:
                os.kill(os.getpid(), signal.SIGSTOP)
            return {"score": 1.0, "pid": os.getpid()}

    with pytest.raises(
        SearchFailedError, match="all 2 trials failed: 2 x training was lost 2 times.*reported nothing for"
    ):
        search(Stopping(), trials=2, silence_limit=0.4)


# What a space can do ------------------------------------------------------------------------------------


class Hostile(Paced):
    """Trial by trial another misfortune, chosen by a hyperparameter."""

    name = "hostile"
    KINDS = ("none", "memory", "build", "nan", "lock", "exit", "signal", "nothing")

    def build(self, hp):
        kind = hp.Choice("kind", list(self.KINDS))
        if kind == "build":
            raise ValueError("no such layer")
        if kind == "exit":
            raise SystemExit(3)
        return {"kind": kind, "lock": threading.Lock(), "a": 0.5}

    def fit(self, hp, model, x, *, epochs, callbacks=(), **options):
        kind = model["kind"] if epochs > 1 else "none"
        if kind == "memory":
            limit = resource.getrlimit(resource.RLIMIT_AS)
            resource.setrlimit(resource.RLIMIT_AS, (2**31, limit[1]))
            try:
                np.ones(2**32)
            finally:
                resource.setrlimit(resource.RLIMIT_AS, limit)
        if kind == "signal":
            os.kill(os.getpid(), signal.SIGSEGV)
        if kind == "nothing":
            return None
        super().fit(hp, model, x, epochs=epochs, callbacks=callbacks)

    def score(self, model, epoch):
        return float("nan") if model["kind"] == "nan" and epoch == 2 else 1.0


def test_each_misfortune_fails_its_own_trial_and_says_which_it_was(search):
    study = search(Hostile(), trials=8)
    errors = {t.values["kind"]: t.error for t in study.trials}
    states = {t.values["kind"]: t.state for t in study.trials}
    assert states["none"] is states["lock"] is State.COMPLETED
    assert [kind for kind, state in states.items() if state is not State.FAILED] == sorted(
        ("none", "lock"), key=list(states).index
    )
    assert "Unable to allocate 32.0 GiB" in errors["memory"]
    assert errors["build"] == "ValueError: no such layer"
    assert errors["exit"] == "SystemExit: 3"
    assert errors["nan"] == "score is nan in epoch 2: training diverged"
    assert errors["signal"].endswith("its worker process died: killed by signal 11")
    assert "must return the History of model.fit" in errors["nothing"]
    assert all(t.traceback for t in study.trials if t.values["kind"] in ("memory", "build", "exit", "nothing"))


def test_a_long_traceback_is_shortened(search, tmp_path):
    class Wordy(Paced):
        def fit(self, hp, model, x, *, epochs, **options):
            if epochs > 1:
                raise ValueError("x" * 10_000_000)
            return 1.0

    with pytest.raises(SearchFailedError) as error:
        search(Wordy(), trials=2, study="wordy")
    assert len(str(error.value)) < 2000
    (trial, _) = tuning.load(tmp_path / "wordy").trials
    assert len(trial.traceback) < 21_000 and trial.traceback.startswith("Traceback")


def test_metrics_can_be_many(search):
    class Measured(Paced):
        def fit(self, hp, model, x, *, epochs, callbacks=(), **_):
            for epoch in range(epochs):
                callbacks[0].on_epoch_end(epoch, {"score": 1.0, **{f"metric {i}": 0.5 for i in range(3000)}})

    study = search(Measured(), trials=2, epochs=2)
    assert len(study.trials[0].curve.epochs[1]) == 3001


def test_a_program_with_a_callback_of_its_own_is_understood(search):
    class Noted:
        def __init__(self):
            self.epochs = []

        def set_model(self, model):
            pass

        def on_epoch_end(self, epoch, logs):
            self.epochs.append(epoch)
            return len(self.epochs) == 3

    study = search(trials=3, callbacks=[Noted()])
    assert [t.epochs for t in study.trials] == [3, 3, 3], "each run has a fresh copy"
    with pytest.raises(TuningError, match="must hold what can be copied"):
        locked = Noted()
        locked.lock = threading.Lock()
        search(trials=3, study="locked", callbacks=[locked])


# Signals to the driver ----------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_pauses_at_the_next_epoch_and_all_is_stored(number, workers, tmp_path):
    slow = {"CURVE_EPOCH_SECONDS": "0.1"}
    driver = Driver(env=slow, **arguments(tmp_path, "random", workers=workers))
    wait_until(lambda: len(_trials(tmp_path)) >= 1 + workers)
    driver.send(number)
    begun = time.monotonic()
    assert driver.wait() == "KeyboardInterrupt" and time.monotonic() - begun < 5
    paused = [t for t in _trials(tmp_path) if t.state is State.RUNNING]
    assert paused and all(t.epochs > 0 for t in paused), "the epochs so far are stored"
    assert Driver(**arguments(tmp_path, "random", workers=workers)).wait() == ""
    straight = tuning.search(CURVE, **arguments(tmp_path / "straight", "random"))
    assert outcome(tuning.load(tmp_path / "s")) == outcome(straight)


def _trials(folder):
    try:
        return tuning.load(folder / "s").trials
    except TuningError:
        return []


def test_two_signals_end_at_once_and_the_study_is_consistent(tmp_path):
    space = busy_space(tmp_path, "time.sleep(1000)")
    given = {"engine": "random", "trials": 4, "seed": 0, "study": "s", "logs": tmp_path, "workers": 2}
    driver = Driver(space, **given)
    wait_until(lambda: len(_trials(tmp_path)) >= 2)
    workers = workers_of(driver.pid)
    begun = time.monotonic()
    driver.send(signal.SIGINT)
    time.sleep(0.7)
    assert driver.process.is_alive(), "it waits for the epoch"
    driver.send(signal.SIGINT)
    assert driver.wait() == "KeyboardInterrupt" and time.monotonic() - begun < 5
    assert len(workers) == 2 and are_gone(workers, 0.1)
    assert is_sound(tmp_path / "s" / "trials.db")
    assert Driver(space, env={"CALM": "1"}, **given).wait() == ""
    assert {t.state for t in _trials(tmp_path)} == {State.COMPLETED}


def test_the_command_ends_with_130_and_says_how_to_go_on(tmp_path):
    command = ["run", busy_space(tmp_path, "time.sleep(1000)"), "--engine", "random", "--workers", "2", "--study", "s"]
    process = tune(*command, cwd=tmp_path)
    wait_until(lambda: len(_trials(tmp_path / "logs")) >= 2)
    process.send_signal(signal.SIGINT)
    time.sleep(0.7)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130 and "Traceback" not in err
    assert "The same command goes on where it was" in err
