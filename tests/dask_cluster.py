"""A cluster of dask.distributed, started as its users do, on loopback: `dask scheduler`, `dask worker`."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from tests.conftest import ROOT

KERAS_SPACE = """
import keras, numpy as np
from tuning import Data, SearchSpace

class Small(SearchSpace):
    objective = "val_loss"

    def build(self, hp):
        keras.utils.set_random_seed(hp.Int("seed", 0, 99))
        model = keras.Sequential([keras.layers.Dense(hp.Int("units", 1, 8)), keras.layers.Dense(1)])
        model.compile("adam", "mse")
        print("built", flush=True)
        return model

    def load_data(self):
        x = np.linspace(0, 1, 64, dtype="float32").reshape(-1, 1)
        return Data(x, x**2, (x, x**2))
"""
"""The file of a space whose models are made anew from a seed and say so: for workers that cannot import it."""


ELSEWHERE = f"{socket.gethostname()}-elsewhere"
"""What workers of Dask's take for the name of their machine, so that it is another one than the driver's."""


class DaskCluster:
    """A scheduler and its workers, in processes that can be stopped and killed.

    Args:
        env: of all processes.
        protocol, host: of the scheduler.
        elsewhere: whether the workers take themselves for another machine than the driver's.
    """

    def __init__(self, env=(), protocol="tcp", host="127.0.0.1", elsewhere=True):
        pytest.importorskip("distributed", reason="needs pip install 'keras-tuning[cluster]'")
        self.folder = Path(tempfile.mkdtemp(prefix="dask-"))
        self.file = self.folder / "scheduler.json"
        self.env, self.protocol, self.host, self.workers = dict(env), protocol, host, []
        self.preload = ["--preload", f"import socket; socket.gethostname = lambda: {ELSEWHERE!r}"] if elsewhere else []
        self.start_scheduler()

    def start_scheduler(self):
        self.file.unlink(missing_ok=True)
        options = ["--port", "0", "--scheduler-file", str(self.file), "--no-dashboard", "--no-show"]
        where = ["--host", self.host, "--protocol", self.protocol]
        self.scheduler = self._start("scheduler", *where, *options)
        self._wait_for(lambda: self.address)

    @property
    def address(self):
        with contextlib.suppress(OSError, ValueError):
            return json.loads(self.file.read_text())["address"]
        return ""

    def start_worker(self, *options, threads=1, nanny=False, env=(), waits=True, machine=()):
        """Start a `dask worker`; return its process.

        Args:
            machine: an address, and the command by which programs are started where it is; default: here.
        """
        host, *command = machine or (self.host,)
        name = f"w{len(self.workers)}-{time.monotonic_ns()}"
        options = ["--nthreads", str(threads), "--nanny" if nanny else "--no-nanny", *self.preload, *options]
        options += ["--local-directory", str(self.folder / name), "--name", name, "--no-dashboard"]
        options += ["--host", host, "--protocol", self.protocol]
        process = self._start("worker", self.address, *options, env=env, command=command)
        self.workers.append(process)
        if waits:
            self.wait_for_worker(process)
        return process

    def wait_for_worker(self, process):
        self._wait_for(lambda: "Registered to" in self.output(process))

    def output(self, process):
        return Path(process.log).read_text()

    def _start(self, *arguments, env=(), command=()):
        log = tempfile.mkstemp(prefix=f"{arguments[0]}-", suffix=".txt", dir=self.folder)[1]
        variables = {**os.environ, "PYTHONPATH": str(ROOT), **self.env, **dict(env)}
        with open(log, "w") as file:
            process = subprocess.Popen(
                [*command, sys.executable, "-m", "dask", *arguments],
                stdout=file, stderr=file, env=variables, cwd=self.folder,
            )  # fmt: skip
        process.log = log
        return process

    def _wait_for(self, condition, seconds=60):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError("; ".join(path.read_text() for path in self.folder.glob("*.txt")))
            time.sleep(0.02)

    def close(self):
        for process in [*self.workers, self.scheduler]:
            kill_tree(process.pid)
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def kill_tree(pid, number=signal.SIGKILL):
    """Send a signal to a process and all that stem from it; return them."""
    try:
        top = psutil.Process(pid)
        found = [top, *top.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
    for process in found:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)
    return found


@contextlib.contextmanager
def dask_cluster(*threads, **options):
    """Run a cluster with a worker of so many threads each."""
    cluster = DaskCluster(**options)
    try:
        for process in [cluster.start_worker(threads=count, waits=False) for count in threads]:
            cluster.wait_for_worker(process)
        yield cluster
    finally:
        cluster.close()
