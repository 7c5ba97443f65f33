"""Whole searches on a cluster of dask.distributed, with and without a shared folder, whatever is killed."""

import os
import signal
import time

import numpy as np
import pytest

import tuning
from tests.conftest import SPACES
from tests.dask_cluster import ELSEWHERE, KERAS_SPACE, dask_cluster
from tests.processes import Driver, are_gone, outcome, wait_until, workers_of
from tuning.errors import OptionError
from tuning.executors.cluster import transfer
from tuning.records.trial import State
from tuning.storage.folder import CHECKPOINTS, outputs

CURVE = str(SPACES / "curve.py")


@pytest.fixture(scope="module")
def cluster():
    with dask_cluster(1, 1) as made:
        yield made


@pytest.fixture
def search(tmp_path, cluster):
    def call(space=CURVE, name="s", **arguments):
        given = {"engine": "random", "trials": 6, "epochs": 3, "seed": 0, "logs": tmp_path, "verbose": 0, **arguments}
        return tuning.search(space, study=name, **given)

    return call


@pytest.mark.medium
@pytest.mark.parametrize("engine", ["random", "hyperband"])
def test_a_search_on_a_cluster_is_that_of_one_machine(search, cluster, engine):
    alone = search(name="alone", engine=engine)
    study = search(name="together", engine=engine, cluster=cluster.address)
    assert sorted(outcome(study)) == sorted(outcome(alone)) or engine == "hyperband"
    assert {t.state for t in study.trials} == {State.COMPLETED} or engine == "hyperband"
    assert {worker.rpartition(":")[0] for t in study.trials for worker in t.workers} == {ELSEWHERE}
    assert {worker.rpartition(":")[2] for t in study.trials for worker in t.workers} == {"0", "1"}


@pytest.mark.medium
def test_a_scheduler_file_and_a_client_do_as_well(search, cluster):
    import distributed

    study = search(name="file", cluster=str(cluster.file), trials=2)
    assert len(study.trials) == 2
    with distributed.Client(cluster.address, set_as_default=False) as client:
        assert len(search(name="client", cluster=client, trials=2).trials) == 2
        assert client.status == "running", "it is still its owner's"


@pytest.mark.medium
def test_a_cluster_that_grows_by_demand_grows_to_what_is_wanted_and_shrinks(search):
    import distributed

    settings = {"target_duration": "500ms", "interval": "100ms", "wait_count": 3}
    with distributed.LocalCluster(n_workers=0, threads_per_worker=1, dashboard_address=":0") as cluster:
        cluster.adapt(minimum=0, maximum=3, **settings)
        study = search(cluster=cluster.scheduler_address, workers=2, trials=12, epochs=10)
        assert {worker.rpartition(":")[2] for t in study.trials for worker in t.workers} == {"0", "1"}
        assert len(cluster.scheduler.workers) <= 2
        wait_until(lambda: not cluster.scheduler.workers)


def test_what_is_no_scheduler_is_refused_in_a_line(search, tmp_path):
    with pytest.raises(OptionError, match="`cluster` must be an existing scheduler file, but got 'nowhere.json'"):
        search(cluster="nowhere.json")
    for address in ("foo", "http://127.0.0.1:8786", "tcp://127.0.0.1", "tcp://:8786", "tcp://a:b"):
        with pytest.raises(OptionError, match=f"`cluster` must be an address such as .*, but got '{address}'"):
            search(cluster=address)
    with pytest.raises(OptionError, match="`cluster` must be reached with certificates, but got 'tls://a:8786'"):
        search(cluster="tls://a:8786")
    for text in ("", "[]", '{"id": 3}'):
        (tmp_path / "file.json").write_text(text)
        with pytest.raises(OptionError, match="`cluster` must be a scheduler file, but got '.*file.json'"):
            search(cluster=str(tmp_path / "file.json"))
    with pytest.raises(OptionError, match="`cluster` must be an address, a scheduler file, or a connected client"):
        search(cluster=object())
    with pytest.raises(OptionError, match="`in_process` must be False with a cluster"):
        search(cluster="tcp://127.0.0.1:1", in_process=True)
    assert not (tmp_path / "s").exists()


def build_model(hp):
    import keras

    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.layers.Dense(hp.Int("units", 1, 4)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


SAYS_WHO_LOADS = """
import os
from pathlib import Path
from tuning import Data, SearchSpace

class SaysWhoLoads(SearchSpace):
    objective = "score:max"

    def build(self, hp):
        return hp.Float("a", 0, 1)

    def fit(self, hp, model, x, *, epochs, callbacks=(), **_):
        return {"score": model}

    def load_data(self):
        with open(Path(__file__).with_name("log.txt"), "a") as file:
            print(os.getpid(), file=file)
        return Data([[1.0], [2.0]])
"""


@pytest.mark.medium
def test_workers_on_the_drivers_machine_read_what_the_driver_has(search, tmp_path):
    space = tmp_path / "says_who_loads.py"
    space.write_text(SAYS_WHO_LOADS)
    with dask_cluster(2, elsewhere=False) as made:
        study = search(str(space), cluster=made.address)
    assert [t.state for t in study.trials] == [State.COMPLETED] * 6
    assert (tmp_path / "log.txt").read_text().split() == [str(os.getpid())], "none has loaded it again"


@pytest.mark.slow
def test_arrays_are_sent_or_read_where_all_see_them(search, cluster, tmp_path):
    x = np.linspace(0, 1, 600_000, dtype="float32").reshape(-1, 2)
    path, log = tmp_path / "x.npy", tmp_path / "log.txt"
    np.save(path, x[:512])
    mapped = np.load(path, mmap_mode="r")

    def read():
        import os

        import numpy as np

        import tuning

        with open(log, "a") as file:
            print(os.getpid(), file=file)
        there = np.load(path, mmap_mode="r")
        return tuning.Data(there, there[:, :1], (there[:64], there[:64, :1]))

    ways = {
        "sent": {"x": x[:512], "y": x[:512, :1], "validation_data": (x[:64], x[:64, :1])},
        "mapped": {"x": mapped, "y": mapped[:, :1], "validation_data": (mapped[:64], mapped[:64, :1])},
        "read": {"x": read},
    }
    given = {"objective": "val_loss", "trials": 2, "epochs": 1, "cluster": cluster.address}
    studies = {way: search(build_model, name=way, **given, **data) for way, data in ways.items()}
    for study in studies.values():
        assert [t.state for t in study.trials] == [State.COMPLETED] * 2
        assert sorted(outcome(study)) == sorted(outcome(studies["sent"]))
    assert set(map(int, log.read_text().split())) - {os.getpid()}, "worker processes have read the file"
    assert studies["sent"].best_model() is not None


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.py"
    path.write_text(KERAS_SPACE)
    return str(path)


@pytest.mark.slow
def test_without_a_shared_folder_checkpoints_travel(search, cluster, small, monkeypatch, tmp_path):
    given = {"engine": "hyperband", "epochs": 4, "trials": 8, "options": {"factor": 2}}
    alone = search(small, name="alone", **given)
    monkeypatch.setattr(transfer, "probe_of", lambda path: None)
    study = search(small, name="apart", cluster=cluster.address, workers=2, **given)
    assert any(len(t.runs) > 1 for t in study.trials), "some were promoted"
    scores = [{tuple(sorted(t.values.items())): t.score for t in s.trials if len(t.runs) > 1} for s in (alone, study)]
    for values in scores[0].keys() & scores[1].keys():
        assert scores[1][values] == pytest.approx(scores[0][values], rel=1e-5)
    assert scores[0].keys() & scores[1].keys()
    assert not any(training.restarted for t in study.trials for training in t.trainings)
    kept = sorted(path.name for path in (tmp_path / "apart" / CHECKPOINTS).iterdir())
    assert len(kept) == 3 and all(".best." in name for name in kept)
    assert study.best_model() is not None
    assert all("built" in path.read_text() and os.uname().nodename in path.read_text() for path in outputs(study.path))
    assert len(outputs(study.path)) == len(study.trials)
    assert not list(tmp_path.glob(".tuning-probe*"))


@pytest.mark.slow
def test_a_promotion_without_its_checkpoint_says_that_it_began_again(search, cluster, small, monkeypatch):
    monkeypatch.setattr(transfer, "probe_of", lambda path: None)
    monkeypatch.setattr(transfer.Transfer, "_puts", lambda self, paths: iter(()))
    given = {"engine": "hyperband", "epochs": 4, "trials": 6, "options": {"factor": 2}, "workers": 2}
    study = search(small, cluster=cluster.address, **given)
    restarted = [t for t in study.trials if any(training.restarted for training in t.trainings)]
    assert restarted and all("could not be read" in t.to_json()["restarted"][0] for t in restarted)


# Killed -------------------------------------------------------------------------------------------------


def driven(cluster, tmp_path, **arguments):
    given = {"engine": "random", "trials": 8, "epochs": 10, "seed": 0, "logs": str(tmp_path), **arguments}
    return Driver(cluster=cluster.address, study="killed", verbose=0, **given)


def expected(tmp_path, **arguments):
    given = {"engine": "random", "trials": 8, "epochs": 10, "seed": 0, "logs": tmp_path, "study": "calm", **arguments}
    return sorted(outcome(tuning.search(CURVE, verbose=0, **given)))


def has_begun(tmp_path, trials=1):
    from tests.processes import finished, records

    return len(finished(records(tmp_path / "killed" / "trials.db"))) >= trials


@pytest.mark.slow
def test_machines_that_leave_cost_no_trial(start, tmp_path):
    cluster = start(1, 1)
    driver = driven(cluster, tmp_path)
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):  # more than a trial's retries
        wait_until(lambda: has_begun(tmp_path))
        time.sleep(0.3)
        leaving = cluster.workers.pop(0)
        children = workers_of(leaving.pid)
        leaving.send_signal(number)
        assert are_gone(children, 5)
        cluster.start_worker(waits=False)
    assert driver.wait(60) == ""
    study = tuning.load(tmp_path / "killed")
    assert sorted(outcome(study)) == expected(tmp_path)


@pytest.mark.slow
def test_a_training_process_that_dies_counts(start, tmp_path):
    cluster = start(1)
    driver = driven(cluster, tmp_path, trials=3, retries=0)
    wait_until(lambda: has_begun(tmp_path))
    wait_until(lambda: len(tuning.load(tmp_path / "killed").trials) > 1)
    time.sleep(0.2)  # of the half a second of the next one: what is killed is a trial, and no worker between two
    (child,) = workers_of(cluster.workers[0].pid)
    child.kill()
    assert driver.wait(60) == ""
    states = [t.state for t in tuning.load(tmp_path / "killed").trials]
    assert states.count(State.FAILED) == 1 and states.count(State.COMPLETED) == 2


@pytest.mark.slow
def test_the_scheduler_is_killed_and_another_one_goes_on(start, tmp_path):
    cluster = start(1, 1)
    driver = driven(cluster, tmp_path)
    wait_until(lambda: has_begun(tmp_path))
    children = [child for worker in cluster.workers for child in workers_of(worker.pid)]
    cluster.scheduler.kill()
    cluster.scheduler.wait()
    error = driver.wait(20)
    assert error.startswith("StudyError: the scheduler at tcp://") and "the same command goes on" in error
    assert children and are_gone(children, 5)
    cluster.start_scheduler()
    cluster.start_worker()
    assert driven(cluster, tmp_path).wait(60) == ""
    assert sorted(outcome(tuning.load(tmp_path / "killed"))) == expected(tmp_path)


@pytest.mark.slow
def test_the_driver_is_killed_and_every_child_ends_within_5_seconds(start, tmp_path):
    cluster = start(2)
    driver = driven(cluster, tmp_path, trials=5)
    wait_until(lambda: has_begun(tmp_path))
    children = [child for worker in cluster.workers for child in workers_of(worker.pid)]
    driver.kill()
    assert len(children) == 2 and are_gone(children, 5)
    assert driven(cluster, tmp_path, trials=5).wait(60) == ""
    assert sorted(outcome(tuning.load(tmp_path / "killed"))) == expected(tmp_path, trials=5)
