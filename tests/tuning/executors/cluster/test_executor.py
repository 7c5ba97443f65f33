"""The executor on a cluster of dask.distributed, whose scheduler and workers are processes as a user starts them."""

import os

import pytest

from tests.contracts.executor import ExecutorContract, Scripted, task, trained
from tests.dask_cluster import dask_cluster
from tuning.executors.cluster.executor import ClusterExecutor


@pytest.fixture(scope="module")
def cluster():
    with dask_cluster(1, 2) as made:
        yield made


@pytest.fixture
def executor(cluster):
    made = started(cluster)
    yield made
    made.close()


def started(cluster, space=None, slots=3, **options):
    space = Scripted() if space is None else space
    made = ClusterExecutor(cluster.address, **options)
    try:
        made.load(None, space, space.load_data())
        while made.slots < slots:
            made.poll(lambda message: None)
    except BaseException:
        made.close()
        raise
    return made


@pytest.mark.medium
class TestClusterExecutor(ExecutorContract):
    pass


@pytest.mark.medium
def test_it_trains_elsewhere_and_says_where(executor):
    worker = executor.submit(task())
    assert worker.rpartition(":")[0] == os.uname().nodename
    assert trained(executor)[0].metrics["pid"] != os.getpid()
