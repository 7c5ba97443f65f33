"""What this machine offers to worker processes: cores, memory, GPUs, and each worker's share of them.

Owns the reading of the machine. Nothing here imports TensorFlow, which would take a GPU for itself.
"""

from __future__ import annotations

import logging
import math
import multiprocessing
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tuning import programs

BYTES_A_WORKER = 1_200_000_000
"""Memory that a worker with TensorFlow and a small model needs."""

SECRETS = ("TUNE_STORAGE",)
"""Variables that workers do not get: only the driver talks to the database."""

_CGROUP, _OWN_CGROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
_CPU_2, _CPU_1 = ("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")
"""Of control groups of version 2 and 1: where the share of the processors is."""
_MEMORY_2 = ("memory.max", "memory.current", "inactive_file")
_MEMORY_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
"""Of control groups of version 2 and 1: the files with limit and use, and the word for what is cached."""


_log = logging.getLogger("tuning")


def default_workers(max_trials: int | None) -> int:
    """Return how many workers this machine can hold: one a GPU where there are any, else one a core with memory."""
    gpus = len(visible_gpus())
    room = gpus or min(n_cores(), free_bytes() // BYTES_A_WORKER)
    return int(max(1, min(room, max_trials or room)))


def worker_name(slot: int) -> str:
    """Return the name of a worker on this machine, by its place among them."""
    return f"{socket.gethostname()}:{slot}"


def n_cores() -> int:
    """Return the number of cores that this process may use, joblib's or a container's share."""
    cores = [len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1]
    for names, folders in ((_CPU_2, _groups("")), (_CPU_1, _groups("cpu"))):
        cores += [share for folder in folders if (share := _cores_of(folder, names)) is not None]
    return max(1, min(*cores, share_of_joblib() or cores[0]))


def share_of_joblib() -> int | None:
    """Return the number of cores that joblib leaves to this process, one of its workers; None for any other."""
    threads = os.environ.get("OMP_NUM_THREADS", "")  # which it sets for each of its workers
    is_one = multiprocessing.current_process().name.startswith("LokyProcess")
    return max(1, int(threads)) if is_one and threads.isdigit() else None


def shared(workers: int) -> int:
    """Return how many workers a search may have: no more, in a process of joblib's, than it leaves cores to it."""
    share = share_of_joblib()
    if share is None or not isinstance(workers, int) or workers <= share:
        return workers
    _log.info("%d workers and not %d: joblib leaves this process as many cores", share, workers)
    return share


def take_share() -> None:
    """Let TensorFlow or JAX, where it is not loaded yet, take no more threads than joblib leaves to this process."""
    share = share_of_joblib()
    if share is not None:
        for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "NPROC"):
            os.environ.setdefault(name, str(share))


def free_bytes() -> int:
    """Return the memory that can be had: of the machine, or of the container where it has less."""
    import psutil

    frees = [int(psutil.virtual_memory().available)]
    for names, folders in ((_MEMORY_2, _groups("")), (_MEMORY_1, _groups("memory"))):
        frees += [free for folder in folders if (free := _free_of(folder, *names)) is not None]
    return max(0, min(frees))


def _cores_of(folder: Path, names: Sequence[str]) -> int | None:
    """Return the cores that a control group may use, rounded up; None for one without a limit."""
    try:
        quota, period = (int(word) for name in names for word in (folder / name).read_text().split())
        return math.ceil(quota / period) if quota > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None


def _free_of(folder: Path, limit: str, used: str, cached: str) -> int | None:
    """Return the memory that is left to a control group; None for one without a limit."""
    try:
        left = int((folder / limit).read_text()) - int((folder / used).read_text())
        kept = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        return left + int(kept.get(cached, 0))  # files that are cached give way
    except (OSError, ValueError):
        return None


def _groups(controller: str) -> list[Path]:
    """Return the folders of this process's control group and of those above it, whose limits all hold.

    Args:
        controller: of version 1; an empty text for version 2, which has one tree for all.
    """
    root = _CGROUP / controller
    try:
        lines = [line.split(":", 2) for line in _OWN_CGROUPS.read_text().splitlines()]
    except OSError:
        return [root]
    paths = [path.strip("/") for _, names, path in lines if controller in names.split(",")]
    if not paths or ".." in Path(paths[0]).parts:  # it is outside what this container sees
        return [root]
    own = root / paths[0]
    return [own, *(folder for folder in own.parents if folder == root or root in folder.parents)]


def visible_gpus() -> list[str]:
    """Return the ids of the GPUs that may be used; empty when there are none."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [device for device in chosen.split(",") if device.strip() not in ("", "-1")]
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return [str(index) for index, line in enumerate(line for line in listed.splitlines() if line.startswith("GPU "))]


def users_variables() -> dict[str, str]:
    """Return the environment of this process, with the backend that it runs on."""
    if "keras" not in sys.modules:
        return dict(os.environ)
    # It may have been chosen in a program, or in its file of settings.
    return {**os.environ, "KERAS_BACKEND": sys.modules["keras"].config.backend()}


@dataclass(frozen=True)
class Share:
    """What an executor's workers may take of a machine that they share with those of others.

    Attributes:
        slots: number of all workers on the machine.
        first: place of the executor's first worker among them, from 0.
        devices: ids of GPUs to share out.
        variables: the user's environment; None for that of this process.
    """

    slots: int
    first: int = 0
    devices: Sequence[str] = ()
    variables: Mapping[str, str] | None = None


def environment(
    slot: int, slots: int, devices: Sequence[str] = (), variables: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the environment of one worker.

    What the user has set stays, except for the choice of the GPU.

    Args:
        slot: place of the worker, from 0.
        slots: number of workers, which share the cores.
        devices: ids of GPUs to share out; with fewer than two the choice is left to TensorFlow.
        variables: what the user has set; None for the environment of this process.
    """
    threads = str(max(1, n_cores() // slots))
    shares = {
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TF_NUM_INTRAOP_THREADS": threads,
        "TF_NUM_INTEROP_THREADS": threads,
        "OMP_NUM_THREADS": threads,
        "NPROC": threads,  # which is what JAX goes by
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }
    given = users_variables() if variables is None else variables
    mine = {name: value for name, value in given.items() if name not in SECRETS}
    environment = {**shares, **mine, **_device(slot, devices)}
    return environment | programs.variables(environment)


def _device(slot: int, devices: Sequence[str]) -> Mapping[str, str]:
    return {"CUDA_VISIBLE_DEVICES": devices[slot % len(devices)]} if len(devices) > 1 else {}
