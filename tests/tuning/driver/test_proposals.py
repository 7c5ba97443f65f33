"""Proposals in a thread: answers do not wait for them, and they stay what they are."""

import sys
import threading

import pytest

import tuning
from tests.conftest import SPACES
from tests.processes import outcome
from tuning.driver import proposals
from tuning.driver.proposals import Proposals
from tuning.engines.base import Done
from tuning.training.messages import Finished, Report

CURVE = str(SPACES / "curve.py")


class Slow:
    thinks_long = True

    def __init__(self):
        self.goes_on = threading.Event()

    def ask(self):
        self.interval = sys.getswitchinterval()
        assert self.goes_on.wait(10)
        return Done("enough")


def finished(number):
    return Finished(number, {}, (), 0, 1.0)


def test_while_it_thinks_ends_wait_and_reports_do_not():
    engine, interval = Slow(), sys.getswitchinterval()
    made = Proposals(engine)
    assert made.ask(proposals.MANY_TRIALS, proposals.MANY_SLOTS + 1) is None and made.is_busy
    assert not made.holds(Report(1, 0, {})) and made.holds(finished(1)) and made.holds(finished(2))
    assert list(made.released()) == []
    engine.goes_on.set()
    while (answer := made.ask(proposals.MANY_TRIALS, proposals.MANY_SLOTS + 1)) is None:
        pass
    assert answer == Done("enough") and not made.is_busy
    assert engine.interval < interval == sys.getswitchinterval()
    assert not made.holds(finished(3))
    assert [message.number for message in made.released()] == [1, 2]
    made.close()


def test_what_it_thinks_of_when_the_search_stops_is_forgotten():
    engine = Slow()
    made = Proposals(engine)
    made.ask(proposals.MANY_TRIALS, proposals.MANY_SLOTS + 1)
    assert made.holds(finished(1))
    engine.goes_on.set()
    made.drop()
    assert not made.is_busy and [message.number for message in made.released()] == [1]
    made.close()


@pytest.mark.parametrize(("trials", "slots"), [(proposals.MANY_TRIALS - 1, 99), (10**6, proposals.MANY_SLOTS)])
def test_few_trials_or_slots_need_no_thread(trials, slots):
    engine = Slow()
    engine.goes_on.set()
    assert Proposals(engine).ask(trials, slots) == Done("enough")


@pytest.mark.medium
@pytest.mark.parametrize("sampler", ["tpe", "auto"])
def test_a_search_is_the_same_with_a_thread(tmp_path, monkeypatch, sampler):
    given = {
        "engine": "optuna",
        "options": {"sampler": sampler},
        "trials": 14,
        "epochs": 3,
        "seed": 0,
        "logs": tmp_path,
    }
    expected = tuning.search(CURVE, study="without", **given)
    monkeypatch.setattr(proposals, "MANY_TRIALS", 0)
    monkeypatch.setattr(proposals, "MANY_SLOTS", 0)
    assert outcome(tuning.search(CURVE, study="with", **given)) == outcome(expected)
