"""The executor that trains in the very process."""

import os

import pytest

from tests.contracts.executor import ExecutorContract, Scripted, task, trained
from tuning.executors.in_process import InProcessExecutor


@pytest.fixture
def executor():
    space = Scripted()
    made = InProcessExecutor()
    made.load(None, space, space.load_data())
    yield made
    made.close()


class TestInProcessExecutor(ExecutorContract):
    pass


def test_it_trains_here(executor):
    executor.submit(task())
    assert trained(executor)[0].metrics["pid"] == os.getpid()
