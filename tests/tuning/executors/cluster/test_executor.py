"""The executor on a cluster of dask.distributed, whose scheduler and workers are processes as a user starts them."""

import contextlib
import os

import pytest

from tests.contracts.executor import ExecutorContract, Scripted, task, trained
from tests.dask_cluster import ELSEWHERE, dask_cluster
from tuning.executors.cluster.executor import ClusterExecutor
from tuning.training.messages import Finished, Report


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


class Visible(Scripted):
    """Says which GPU its process was given."""

    def fit(self, hp, model, x, *, epochs, callbacks=(), **_):
        callbacks[0].on_epoch_end(0, {"score": float(os.environ["CUDA_VISIBLE_DEVICES"])})


@pytest.mark.medium
def test_gpus_of_a_machine_are_shared_out_to_its_slots(cluster):
    with dask_cluster() as made:
        made.start_worker(threads=2, env={"CUDA_VISIBLE_DEVICES": "4,7"})
        with contextlib.closing(started(made, Visible(), slots=2)) as executor:
            for number in (0, 1):
                executor.submit(task(number))
            heard = trained(executor)
            while sum(isinstance(message, Finished) for message in heard) < 2:
                heard += trained(executor)
    assert {message.metrics["score"] for message in heard if isinstance(message, Report)} == {4.0, 7.0}


@pytest.mark.medium
def test_it_trains_elsewhere_and_says_where(executor):
    worker = executor.submit(task())
    assert worker.rpartition(":")[0] == ELSEWHERE
    assert trained(executor)[0].metrics["pid"] != os.getpid()
