"""What must hold on a cluster when processes are stopped, come late, or are killed at random; and who is let in."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import time

import pytest

import tuning
from tests.conftest import SPACES
from tests.dask_cluster import DaskCluster, dask_cluster, kill_tree
from tests.processes import Driver, are_gone, finished, outcome, records, tune, wait_until, workers_of
from tuning.errors import OptionError, Remark
from tuning.executors.cluster import link, versions
from tuning.records.trial import State

CURVE = str(SPACES / "curve.py")


@pytest.fixture
def drive(tmp_path):
    def call(cluster, **arguments):
        given = {"engine": "random", "trials": 6, "epochs": 10, "seed": 0, "logs": str(tmp_path), **arguments}
        return Driver(cluster=cluster.address, study="s", verbose=0, **given)

    return call


@pytest.fixture
def expected(tmp_path):
    def call(trials=6, **arguments):
        given = {"engine": "random", "epochs": 10, "seed": 0, "logs": tmp_path / "calm", "verbose": 0, **arguments}
        return sorted(outcome(tuning.search(CURVE, trials=trials, **given)))

    return call


def n_finished(tmp_path):
    return len(finished(records(tmp_path / "s" / "trials.db")))


def has_rows(tmp_path):
    return bool(records(tmp_path / "s" / "trials.db"))


@pytest.mark.slow
def test_a_search_waits_for_machines_and_takes_those_that_come_late(start, drive, expected, tmp_path):
    cluster = start()
    driver = drive(cluster)
    time.sleep(1)
    assert driver.process.is_alive() and not has_rows(tmp_path)
    cluster.start_worker()
    wait_until(lambda: n_finished(tmp_path) >= 1)
    first = workers_of(cluster.workers[0].pid)
    for child in first:  # that it does not end the search before the second machine is there
        child.send_signal(signal.SIGSTOP)
    cluster.start_worker()
    wait_until(lambda: n_finished(tmp_path) >= 3)
    for child in first:
        child.send_signal(signal.SIGCONT)
    assert driver.wait(60) == ""
    study = tuning.load(tmp_path / "s")
    assert sorted(outcome(study)) == expected()
    assert len({worker for trial in study.trials for worker in trial.workers}) == 2


@pytest.mark.slow
def test_a_machine_whose_time_is_up_costs_no_trial(start, drive, expected, tmp_path):
    cluster = start()
    driver = drive(cluster, trials=20)
    cluster.start_worker("--lifetime", "6s", nanny=True)
    cluster.start_worker("--lifetime", "30s", nanny=True)
    assert driver.wait(90) == ""
    assert sorted(outcome(tuning.load(tmp_path / "s"))) == expected(20)


@pytest.mark.slow
@pytest.mark.parametrize("what", ["worker", "child"])
def test_what_is_stopped_is_given_up_after_the_limit(start, drive, expected, tmp_path, what):
    cluster = start(1, 1)
    driver = drive(cluster, silence_limit=2.0)
    wait_until(lambda: n_finished(tmp_path) >= 1)
    worker = cluster.workers[0]
    stopped = worker.pid if what == "worker" else workers_of(worker.pid)[0].pid
    os.kill(stopped, signal.SIGSTOP)
    assert driver.wait(60) == ""
    assert sorted(outcome(tuning.load(tmp_path / "s"))) == expected()


@pytest.mark.slow
def test_a_scheduler_that_is_stopped_ends_the_search_with_a_limit(start, drive, tmp_path):
    cluster = start(1)
    driver = drive(cluster, silence_limit=2.0, trials=50)
    wait_until(lambda: n_finished(tmp_path) >= 1)
    cluster.scheduler.send_signal(signal.SIGSTOP)
    assert "StudyError: the scheduler at tcp://" in driver.wait(60)


@pytest.mark.slow
def test_a_driver_that_is_stopped_for_a_while_goes_on(start, drive, expected, tmp_path):
    cluster = start(1, 1)
    driver = drive(cluster)
    wait_until(lambda: n_finished(tmp_path) >= 1)
    driver.send(signal.SIGSTOP)
    time.sleep(8)
    driver.send(signal.SIGCONT)
    assert driver.wait(60) == ""
    assert sorted(outcome(tuning.load(tmp_path / "s"))) == expected()


@pytest.mark.slow
def test_a_worker_that_is_killed_with_its_nanny_leaves_no_child(start, drive, expected, tmp_path):
    cluster = start(1, nanny=True)
    cluster.start_worker(nanny=True)
    driver = drive(cluster)
    wait_until(lambda: n_finished(tmp_path) >= 1)
    children = workers_of(cluster.workers[0].pid)
    kill_tree(cluster.workers[0].pid)
    assert are_gone(children, 5)
    assert driver.wait(60) == ""
    assert sorted(outcome(tuning.load(tmp_path / "s"))) == expected()


@pytest.mark.slow
def test_14_random_kills_change_nothing_in_30_trials(start, drive, expected, tmp_path):
    cluster, moment = start(1, 1, 1), random.Random(7)
    driver, kills = drive(cluster, trials=30, retries=20), []
    while len(kills) < 14 and (driver.process.is_alive() or driver.wait(1) == ""):
        wait_until(lambda: has_rows(tmp_path))
        time.sleep(moment.uniform(0.1, 0.6))
        what = moment.choice(["child", "child", "worker", "worker", "term", "driver"])
        kills.append(what)
        if what == "driver":
            children = [child for worker in cluster.workers for child in workers_of(worker.pid)]
            driver.kill()
            assert are_gone(children, 5)
            driver = drive(cluster, trials=30, retries=20)
        elif what == "child":
            for child in [child for worker in cluster.workers for child in workers_of(worker.pid)][:1]:
                child.kill()
        else:
            leaving = cluster.workers.pop(moment.randrange(len(cluster.workers)))
            children = workers_of(leaving.pid)
            leaving.send_signal(signal.SIGTERM if what == "term" else signal.SIGKILL)
            assert are_gone(children, 5)
            leaving.wait()
            cluster.start_worker(waits=False)
    assert driver.wait(120) == "" and len(kills) == 14
    study = tuning.load(tmp_path / "s")
    assert [t.state for t in study.trials] == [State.COMPLETED] * 30
    assert sorted(outcome(study)) == expected(30)


# Who is let in ------------------------------------------------------------------------------------------


PARTS = ("cert", "key")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make certificates with")
    folder = tmp_path_factory.mktemp("certificates")
    for whose in ("", "other-"):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test"]
            + ["-keyout", folder / f"{whose}key.pem", "-out", folder / f"{whose}cert.pem"],
            check=True, capture_output=True,
        )  # fmt: skip
    return folder


@pytest.mark.medium
def test_a_client_without_a_certificate_is_refused(certificates, tmp_path, monkeypatch):
    import dask

    monkeypatch.setattr(link, "CONNECT_SECONDS", 1)
    parts = {"ca-file": "cert.pem"}
    parts |= {f"{who}.{what}": f"{what}.pem" for who in ("scheduler", "worker", "client") for what in PARTS}
    config = {f"distributed.comm.tls.{name}": str(certificates / file) for name, file in parts.items()}
    config["distributed.comm.require-encryption"] = True
    env = {f"DASK_{name.replace('.', '__').replace('-', '_').upper()}": str(value) for name, value in config.items()}
    cluster = DaskCluster(env=env, protocol="tls")
    given = {"engine": "random", "trials": 2, "epochs": 2, "logs": tmp_path, "verbose": 0}
    try:
        cluster.start_worker()
        assert cluster.address.startswith("tls://")
        command = ["run", CURVE, "--cluster", cluster.address, "--engine", "random", "--trials", "2", "--epochs", "2"]
        without = tune(*command, "--study", "refused", cwd=tmp_path)
        with_them = tune(*command, "--study", "let_in", cwd=tmp_path, env=env)  # Dask's own configuration
        with pytest.raises(OptionError, match="`cluster` must be reached with certificates"):
            tuning.search(CURVE, cluster=cluster.address, study="refused", **given)
        foreign = {f"distributed.comm.tls.client.{what}": str(certificates / f"other-{what}.pem") for what in PARTS}
        for address, known in ((cluster.address.replace("tls", "tcp"), {}), (cluster.address, {**config, **foreign})):
            with (
                dask.config.set(known),
                pytest.raises(OptionError, match="`cluster` must be that of a scheduler that answers"),
            ):
                tuning.search(CURVE, cluster=address, study="refused", **given)
        said = " ".join(without.communicate(timeout=60)[1].split())
        assert without.returncode == 1 and "`cluster` must be reached with certificates" in said
        assert not (tmp_path / "refused").exists() and not (tmp_path / "logs" / "refused").exists()
        assert with_them.communicate(timeout=60) and with_them.returncode == 0
        assert {t.state for t in tuning.load(tmp_path / "logs" / "let_in").trials} == {State.COMPLETED}
    finally:
        cluster.close()


@pytest.mark.medium
def test_another_version_is_not_used_and_the_command_says_what_is_there(tmp_path, monkeypatch):
    with dask_cluster(2) as cluster:
        shown = tune("cluster", "check", cluster.address, cwd=tmp_path)
        said, remarks = shown.communicate(timeout=60)
        assert shown.returncode == 0, remarks
        assert "2 slots on 1 machine" in said and "yes" in said and "keras" in said
        mine = versions.installed()
        monkeypatch.setattr(versions, "installed", lambda: {**mine, "keras-tuning": "9.9.9"})
        with pytest.warns(Remark, match="is not used: it has keras-tuning 0.1.0 instead of 9.9.9"):
            assert slots_within(30, cluster, refused=True) == 0


OTHER = """
import socket
from tuning.executors.cluster import agent
socket.gethostname = lambda: "other"
agent._kind = lambda: "64 x Other, 8 GPUs"
"""


@pytest.mark.medium
def test_times_are_compared_on_like_machines_only():
    with dask_cluster(1) as cluster:
        cluster.start_worker("--preload", OTHER)
        with pytest.warns(Remark, match=r"is not used: it has .* instead of .*, and times are compared"):
            assert slots_within(30, cluster, wanted=2, refused=True, alike=True) <= 1


@pytest.mark.medium
def test_machines_that_cannot_be_used_do_not_take_the_place_of_others():
    old = "from tuning.executors.cluster import versions\nversions.installed = lambda: {'Python': '2.7.18'}"
    with dask_cluster() as cluster:
        for _ in range(2):
            cluster.start_worker("--preload", old)
        with pytest.warns(Remark, match=r"it has Python 2\.7\.18 instead of 3\."):
            assert slots_within(30, cluster, wanted=1, before=cluster.start_worker, most=1) == 1


def slots_within(seconds, cluster, wanted=1, before=lambda: None, refused=False, **options):
    """Return the slots that an executor has once there are enough, or one is `refused`, or after some seconds."""
    from tuning.executors.cluster.executor import ClusterExecutor

    space = tuning.SearchSpace("nothing")
    with contextlib.closing(ClusterExecutor(cluster.address, **options)) as executor:
        executor.load(None, space, tuning.Data([1.0]))
        before()
        end = time.monotonic() + seconds
        while executor.slots < wanted and time.monotonic() < end and not (refused and executor._remarks):
            executor.poll(lambda message: None)
        return executor.slots
