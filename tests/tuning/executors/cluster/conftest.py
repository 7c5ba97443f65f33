"""Clusters of their own for tests that kill what belongs to them."""

import pytest

from tests.dask_cluster import DaskCluster


@pytest.fixture
def start():
    """Return a function that starts a cluster of workers with so many threads each, whose epochs take their time."""
    made = []

    def call(*threads, env=(), **options):
        cluster = DaskCluster(env={"CURVE_EPOCH_SECONDS": "0.05", **dict(env)})
        made.append(cluster)
        for count in threads:
            cluster.start_worker(threads=count, **options)
        return cluster

    yield call
    for cluster in made:
        cluster.close()
