"""Worker processes that train several tasks at once: whose fault it is when one dies, and when it is replaced."""

import os

import pytest

from tests.contracts.executor import ExecutorContract, Scripted, task, trained
from tuning.executors import handle as handles
from tuning.executors.channel import Batch
from tuning.executors.processes import ProcessExecutor
from tuning.training.messages import Finished, Lost, Report


class Deadly(Scripted):
    """Takes its process along where others raise."""

    def fit(self, hp, model, x, **given):
        try:
            return super().fit(hp, model, x, **given)
        except ValueError:
            os._exit(7)


@pytest.fixture
def started():
    made = []

    def start(space, slots=1, size=3):
        made.append(ProcessExecutor(slots, batch=Batch(size)))
        made[-1].load(None, space, space.load_data())
        return made[-1]

    yield start
    for executor in made:
        executor.close()


@pytest.mark.medium
class TestInLanes(ExecutorContract):
    @pytest.fixture
    def executor(self, started):
        return started(Scripted(), slots=2, size=2)


def last_messages(executor, number):
    heard = []
    while len(heard) < number:
        heard += [message for message in trained(executor) if not isinstance(message, Report)]
    return sorted(heard, key=lambda message: message.number)


@pytest.mark.medium
def test_what_is_lost_in_company_is_trained_alone_where_a_loss_counts(started):
    executor = started(Deadly())
    for _ in range(2):
        for number in range(3):
            executor.submit(task(number, epochs=3, raises_at=1 if number == 1 else -1))
        lost = last_messages(executor, 3)
    reason = "its worker process died: exit code 7"
    assert isinstance(lost[0], Finished), "the second time it was trained alone, before the others"
    assert lost[1:] == [Lost(1, reason), Lost(2, reason, counts=False)]
    executor.submit(task(2))
    assert isinstance(last_messages(executor, 1)[0], Finished)


@pytest.mark.medium
def test_a_worker_that_has_grown_gets_no_more_tasks_and_is_replaced_by_a_fresh_one(started, monkeypatch):
    executor = started(Scripted())
    for number in range(3):
        executor.submit(task(number, seconds=0.01))
    slots, pids = [executor.slots], set()
    monkeypatch.setattr(handles, "MAX_GROWTH_BYTES", -1)
    for _ in range(3):
        *reports, _ = trained(executor)
        pids |= {message.metrics["pid"] for message in reports}
        slots.append(executor.slots)
    assert slots == [3, 2, 1, 3] and len(pids) == 1
    executor.submit(task(3))
    assert trained(executor)[0].metrics["pid"] not in pids
