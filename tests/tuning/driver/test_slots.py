"""An executor whose slots come and go: the search waits for them, and ends when it is done all the same."""

import pytest

import tuning
from tests.conftest import SPACES
from tuning.driver import loop
from tuning.executors.in_process import InProcessExecutor
from tuning.records.trial import State

CURVE = str(SPACES / "curve.py")


class ComingAndGoing(InProcessExecutor):
    """Has the slots that a script says, one entry a poll; trains what is under way only while it has some."""

    script: tuple = ()

    def __init__(self, imports=()):
        super().__init__(imports)
        self.polls = 0

    @property
    def slots(self):
        return self.script[min(self.polls, len(self.script) - 1)]

    def submit(self, task):
        assert len(self._tasks) < self.slots, "no more tasks than slots"
        super().submit(task)

    def poll(self, handle):
        if self.slots:
            super().poll(handle)
        self.polls += 1
        assert self.polls < 50, "the search should have ended"


@pytest.fixture
def search(tmp_path, monkeypatch):
    made = []

    def call(script, **arguments):
        kind = type("Scripted", (ComingAndGoing,), {"script": tuple(script)})
        monkeypatch.setattr("tuning.driver.run.executor_for", lambda request: made.append(kind()) or made[-1])
        given = {"engine": "random", "trials": 4, "epochs": 2, "seed": 0, "logs": tmp_path, **arguments}
        return tuning.search(CURVE, **given), made[-1]

    return call


def told(study):
    return [(t.state, t.values, t.score) for t in study.trials]


@pytest.mark.medium
def test_a_search_without_slots_waits_for_them(search):
    expected, _ = search([1], study="steady")
    study, executor = search([0, 0, 0, 1, 0, 0, 1, 1, 2, 0, 1], study="changing")
    assert told(study) == told(expected) and [t.state for t in study.trials] == [State.COMPLETED] * 4
    assert executor.polls == 9, "five of them without a slot"


@pytest.mark.medium
def test_a_search_that_is_done_ends_though_no_slot_is_left(search):
    study, executor = search([1, 1, 0], trials=2)
    assert len(study.trials) == 2 and executor.polls == 2


@pytest.mark.medium
def test_folds_wait_for_slots_too(search):
    expected, _ = search([1], study="steady", cv=3, trials=2)
    study, _ = search([0, 1, 0, 0, 1, 2], study="changing", cv=3, trials=2)
    assert told(study) == told(expected)


@pytest.mark.medium
def test_waiting_for_slots_ends_with_the_time_limit(search, monkeypatch):
    now = iter(range(1000))
    monkeypatch.setattr(loop.time, "monotonic", lambda: float(next(now)))
    study, executor = search([0], time_limit=10)
    assert executor.polls < 20 and [t.state for t in study.trials] == [State.RUNNING]
