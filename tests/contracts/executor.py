"""What every executor must do. An executor's tests subclass `ExecutorContract` and say how it is made."""

import os
import threading
import time

import numpy as np
import pytest

from tests.processes import workers_of
from tuning import Data, Objective, SearchSpace
from tuning.errors import OptionError
from tuning.records.trial import Run
from tuning.training.messages import Decision, Failed, Finished, Report, Task
from tuning.training.options import TrainingOptions


class Unpicklable:
    """A model that cannot leave its process, as models of Keras cannot for certain."""

    def __init__(self):
        self.lock = threading.Lock()


class Scripted(SearchSpace):
    """Does what the hyperparameters say; its metrics tell the process it ran in."""

    name, objective = "scripted", "score:max"

    def build(self, hp):
        self.raises_at = hp.Int("raises_at", -1, 100)
        self.exits = hp.Boolean("exits")
        self.seconds = hp.Float("seconds", 0, 100)
        if self.exits:
            raise SystemExit("the space has had enough")
        return Unpicklable()

    def fit(self, hp, model, x, *, epochs, initial_epoch=0, callbacks=(), **_):
        assert isinstance(model, Unpicklable)
        for epoch in range(initial_epoch, epochs):
            if epoch == self.raises_at:
                raise ValueError(f"epoch {epoch} cannot be trained")
            time.sleep(self.seconds)
            metrics = {"score": float(x[epoch % len(x)]), "pid": os.getpid()}
            if any(callback.on_epoch_end(epoch, metrics) for callback in callbacks):
                break

    def load_data(self):
        return Data(np.arange(10.0))


def task(number=0, epochs=3, training=0, **values):
    values = {"raises_at": -1, "exits": False, "seconds": 0.0, **values}
    run = Run(number, values, 0, epochs)
    return Task(
        run, seed=0, objective=Objective("score", "max"), options=TrainingOptions(uses_keras=False), training=training
    )


def trained(executor, answer=lambda message: Decision.GO):
    """Poll until the last message of one task; return all messages."""
    heard = []

    def handle(message):
        heard.append(message)
        return answer(message) if isinstance(message, Report) else Decision.GO

    end = time.monotonic() + 60
    while not any(not isinstance(message, Report) for message in heard):
        assert time.monotonic() < end, f"only heard {heard}"
        executor.poll(handle)
    return heard


def looked_at(space, data, *arguments):
    return type(space).__name__, data.x.tolist(), arguments


def refuses(space, data):
    raise OptionError("the space is refused")


class ExecutorContract:
    """Subclass it with a fixture `executor`: one that has loaded `Scripted()`, and is closed at the end."""

    def test_a_call_gets_what_was_loaded(self, executor):
        arguments = ({"class_weight": {0: 1.0}}, None)
        assert executor.call(looked_at, *arguments) == ("Scripted", [float(i) for i in range(10)], arguments)

    def test_what_a_call_raises_is_raised_here_and_the_executor_goes_on(self, executor):
        with pytest.raises(OptionError, match="^the space is refused$"):
            executor.call(refuses)
        assert executor.call(looked_at)[0] == "Scripted"
        executor.submit(task())
        assert isinstance(trained(executor)[-1], Finished)

    def test_slots_are_a_whole_number(self, executor):
        assert isinstance(executor.slots, int) and executor.slots >= 1

    def test_reports_come_in_order_and_then_one_last_message(self, executor):
        executor.submit(task(7, epochs=4))
        *reports, last = trained(executor)
        assert [(r.number, r.epoch, r.metrics["score"]) for r in reports] == [(7, e, float(e)) for e in range(4)]
        assert isinstance(last, Finished) and last.number == 7 and last.seconds > 0 and last.checkpoint == 0
        assert last.values == {"raises_at": -1, "exits": False, "seconds": 0.0}
        assert {record["name"] for record in last.space} == {"raises_at", "exits", "seconds"}

    @pytest.mark.parametrize("decision", [Decision.STOP, Decision.PAUSE])
    def test_an_answer_ends_training_at_that_epoch(self, executor, decision):
        executor.submit(task(epochs=50))
        *reports, last = trained(executor, lambda report: decision if report.epoch == 2 else Decision.GO)
        assert [r.epoch for r in reports] == [0, 1, 2] and isinstance(last, Finished)

    def test_what_the_space_raises_is_the_last_message(self, executor):
        executor.submit(task(3, raises_at=1))
        report, last = trained(executor)
        assert report.epoch == 0
        assert isinstance(last, Failed) and last.number == 3 and not last.is_fatal
        assert last.error == "ValueError: epoch 1 cannot be trained"
        assert last.traceback.startswith("Traceback") and 'raise ValueError(f"epoch' in last.traceback

    def test_a_space_that_exits_has_failed(self, executor):
        executor.submit(task(exits=True))
        (last,) = trained(executor)
        assert isinstance(last, Failed) and last.error == "SystemExit: the space has had enough"
        executor.submit(task())
        assert isinstance(trained(executor)[-1], Finished)

    def test_many_tasks_one_after_the_other(self, executor):
        for number in range(12):
            executor.submit(task(number, epochs=2, raises_at=1 if number % 3 == 0 else -1))
            last = trained(executor)[-1]
            assert last.number == number and isinstance(last, Failed if number % 3 == 0 else Finished)

    def test_as_many_tasks_at_once_as_there_are_slots(self, executor):
        for number in range(executor.slots):
            executor.submit(task(number, epochs=5, seconds=0.02))
        heard = []
        while sum(isinstance(message, Finished) for message in heard) < executor.slots:
            heard += trained(executor)
        for number in range(executor.slots):
            assert [m.epoch for m in heard if isinstance(m, Report) and m.number == number] == list(range(5))

    def test_parts_of_one_trial_are_told_apart(self, executor):
        for part in range(executor.slots):
            executor.submit(task(5, epochs=2 + part, training=part, seconds=0.01, raises_at=1 if part == 1 else -1))
        heard = []
        while sum(not isinstance(message, Report) for message in heard) < executor.slots:
            heard += trained(executor)
        assert {message.number for message in heard} == {5}
        for part in range(executor.slots):
            *reports, last = [message for message in heard if message.training == part]
            assert [m.epoch for m in reports] == list(range(1 if part == 1 else 2 + part))
            assert isinstance(last, Failed if part == 1 else Finished)

    def test_what_goes_wrong_in_the_handler_is_raised_by_poll(self, executor):
        def broken(message):
            raise KeyError("ours")

        executor.submit(task(epochs=50))
        with pytest.raises(KeyError, match="ours"):
            while True:
                executor.poll(broken)

    def test_close_ends_everything_within_5_seconds(self, executor):
        executor.submit(task(epochs=1))
        trained(executor)
        started = time.monotonic()
        executor.close()
        assert time.monotonic() - started < 5
        assert not workers_of()
        executor.close()
