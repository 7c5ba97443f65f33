"""Machines that share nothing but a network: each has a network namespace, a host name, and its own view of files."""

import contextlib
import os
import subprocess
import time

import pytest

import tuning
from tests.conftest import SPACES
from tests.dask_cluster import KERAS_SPACE, DaskCluster
from tests.processes import Driver, are_gone, finished, outcome, records, wait_until, workers_of
from tuning.records.trial import State
from tuning.storage.folder import CHECKPOINTS

ENTER = 'hostname "$0" && mount -t tmpfs none "$1" && shift && exec "$@"'
"""What a program is started by on a machine: its host name, and a folder that it does not see."""


class Machine:
    """A machine of its own; nothing of `hidden` is seen there."""

    def __init__(self, number, hidden):
        self.name, self.hidden, self.number = f"tune{os.getpid()}-{number}", hidden, number
        self.cable, self.gate, self.address = f"tc{os.getpid()}-{number}", f"10.213.{number}.1", f"10.213.{number}.2"

    def build(self):
        there = ("netns", "exec", self.name, "ip")
        _ip("netns", "add", self.name)
        _ip("link", "add", self.cable, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        _ip("addr", "add", f"{self.gate}/24", "dev", self.cable)
        _ip("link", "set", self.cable, "up")
        _ip(*there, "addr", "add", f"{self.address}/24", "dev", "eth0")
        _ip(*there, "link", "set", "lo", "up")
        _ip(*there, "link", "set", "eth0", "up")
        _ip(*there, "route", "add", "default", "via", self.gate)
        subprocess.run([*self.command, "true"], check=True, capture_output=True, text=True)

    @property
    def command(self):
        return ["ip", "netns", "exec", self.name, "unshare", "--uts", "sh", "-c", ENTER, self.name, str(self.hidden)]

    def pull_the_cable(self):
        _ip("link", "set", self.cable, "down")

    def remove(self):
        for what in (("link", "del", self.cable), ("netns", "del", self.name)):
            with contextlib.suppress(subprocess.CalledProcessError):
                _ip(*what)


def _ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


@pytest.fixture
def apart(tmp_path):
    """Two machines that see nothing of the test's folder, with a worker each, and their cluster."""
    machines, made = [Machine(number, tmp_path) for number in (1, 2)], []
    try:
        try:
            for machine in machines:
                machine.build()
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"no network namespaces may be made here: {getattr(error, 'stderr', '') or error}")
        made.append(DaskCluster(env={"CURVE_EPOCH_SECONDS": "0.1"}, host=machines[0].gate, elsewhere=False))
        for machine in machines:
            made[0].start_worker(machine=(machine.address, *machine.command))
        yield made[0], machines
    finally:
        for cluster in made:
            cluster.close()
        for machine in machines:
            machine.remove()


def promoted(study):
    """Return the scores of the trials that were gone on with, by their values."""
    return {tuple(sorted(t.values.items())): t.score for t in study.trials if len(t.runs) > 1}


@pytest.mark.slow
def test_hyperband_promotes_across_machines_as_on_one(apart, tmp_path):
    cluster, machines = apart
    (tmp_path / "small.py").write_text(KERAS_SPACE)
    space = str(tmp_path / "small.py")
    given = {"engine": "hyperband", "epochs": 4, "trials": 10, "options": {"factor": 2}, "seed": 0, "logs": tmp_path}
    given |= {"workers": 2, "verbose": 0}
    study = tuning.search(space, study="apart", cluster=cluster.address, **given)
    alone = tuning.search(space, study="alone", **given)
    here, there = promoted(alone), promoted(study)
    assert len(here.keys() & there.keys()) >= 2
    for values in here.keys() & there.keys():
        assert there[values] == pytest.approx(here[values], rel=1e-5)
    trained = {worker.rpartition(":")[0] for t in study.trials for worker in t.workers}
    assert trained == {machine.name for machine in machines}
    assert not any(training.restarted for t in study.trials for training in t.trainings)
    assert {path.name.split(".")[1] for path in (tmp_path / "apart" / CHECKPOINTS).iterdir()} == {"best"}
    assert study.best_model() is not None


@pytest.mark.slow
def test_a_cable_that_is_pulled_costs_no_trial(apart, tmp_path):
    cluster, machines = apart
    given = {"engine": "random", "trials": 12, "epochs": 10, "seed": 0, "logs": str(tmp_path), "verbose": 0}
    space = str(SPACES / "curve.py")
    driver = Driver(space=space, cluster=cluster.address, study="cut", **given)
    wait_until(lambda: len(finished(records(tmp_path / "cut" / "trials.db"))) >= 2)
    children = [child for worker in cluster.workers for child in workers_of(worker.pid)]
    cut_off = [child for child in children if _address_of(child) == machines[1].address]
    machines[1].pull_the_cable()
    pulled = time.monotonic()
    assert driver.wait(120) == ""
    assert are_gone(cut_off, 45 - (time.monotonic() - pulled))
    assert cut_off
    study = tuning.load(tmp_path / "cut")
    assert [t.state for t in study.trials] == [State.COMPLETED] * 12
    assert sorted(outcome(study)) == sorted(outcome(tuning.search(space, study="calm", **given)))


def _address_of(process):
    """Return the address of the machine on which a process runs: that of its network namespace."""
    shown = subprocess.run(
        ["nsenter", "-t", str(process.pid), "-n", "ip", "-brief", "addr", "show", "eth0"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return shown.stdout.split()[2].partition("/")[0] if shown.stdout else ""
