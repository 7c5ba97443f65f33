"""Where compiled programs are kept for other processes and later commands, and how long.

Owns the folder and its bounds. TensorFlow and JAX write and read the files themselves, by what they have been told to
compile; a folder of its own for each machine, release and number of threads holds what else a program depends on. Knows
neither of the two, so that it can be asked before they are loaded.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import os
import platform
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

VARIABLE = "TUNE_CACHE"
"""Of the environment: the folder; "off" for none."""
MOST_BYTES = 2**30
"""What is kept of programs. With less than that free on the disk, nothing is."""

XLA_FLAGS = "--xla_backend_optimization_level=2"
"""Where the user has set none. What XLA's highest level, its default, adds to this one costs a fifth
more time to compile, and no epoch measured got faster by it."""

_FLAG = "--tf_xla_persistent_cache_directory="
_OTHERS = "--tf_xla_persistent_cache_device_types=CPU"
_FIRST, _LAST = (2, 16), (2, 21)
"""Releases of TensorFlow that are known to have these flags: one that does not know a flag ends the process."""
_SETTINGS = ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "NPROC", "TF_ENABLE_ONEDNN_OPTS")
_SPOILT = ("serializ", "less bytes than requested", "no space left", "no such file")
"""Words in TensorFlow's errors about a file of a program, of which it makes one that compiling has failed."""


def root() -> Path | None:
    """Return the folder of all that is kept; None for nothing."""
    given = os.environ.get(VARIABLE, "")
    if given == "off":
        return None
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(given or os.path.join(home, "keras-tuning")).absolute()


def folder(backend: str, release: str, variables: Mapping[str, str]) -> Path | None:
    """Return where a process keeps its programs, made if need be; None where it cannot or is not to keep any.

    Args:
        backend: what compiles them.
        release: of the backend.
        variables: the environment of the process.
    """
    path = root()
    if path is None:
        return None
    path = path / "programs" / f"{backend}-{release}-{_machine(variables)}"
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        # What lies there is run, so nobody else may have put it there.
        is_own = path.stat().st_uid == getattr(os, "getuid", lambda: 0)() and not path.stat().st_mode & 0o022
        if is_own and os.access(path, os.W_OK) and shutil.disk_usage(path).free > MOST_BYTES:
            shrink()
            return path
    except OSError:
        pass
    return None


def variables(given: Mapping[str, str]) -> dict[str, str]:
    """Return what must be in a process's environment besides `given` for TensorFlow to keep its programs."""
    if given.get("KERAS_BACKEND", "tensorflow") != "tensorflow":
        return {}
    flags = [flag for flag in given.get("TF_XLA_FLAGS", "").split() if flag != _OTHERS and not _is_ours(flag)]
    try:
        release = importlib.metadata.version("tensorflow")
    except importlib.metadata.PackageNotFoundError:
        return {}
    is_known = _FIRST <= tuple(map(int, release.split(".")[:2])) <= _LAST
    if not is_known or any(flag.startswith(_FLAG) for flag in flags):  # the user keeps them elsewhere
        return {}
    path = folder("tensorflow", f"{release}-{hashlib.sha256(' '.join(flags).encode()).hexdigest()[:8]}", given)
    if path is None or len(str(path).split()) > 1:  # flags are divided by blanks
        return {}
    return {"TF_XLA_FLAGS": " ".join([*flags, f"{_FLAG}{path}", _OTHERS])}


def _is_ours(flag: str) -> bool:
    return flag.startswith(f"{_FLAG}{root()}{os.sep}")


@functools.cache
def prepare() -> None:
    """Let this process keep its programs, if TensorFlow has computed nothing yet; what the user has set stays.

    TensorFlow reads its environment once, when it first runs a function, so a second call does nothing.
    """
    os.environ.update(variables(os.environ))


def forgotten(error: str) -> bool:
    """Delete what this process's TensorFlow keeps if an error speaks of it; tell whether that was so.

    Args:
        error: what compiling ended with.
    """
    mine = [flag.removeprefix(_FLAG) for flag in os.environ.get("TF_XLA_FLAGS", "").split() if _is_ours(flag)]
    if not mine or not any(word in error.lower() for word in _SPOILT):
        return False
    for file in Path(mine[0]).glob("*.pb"):
        with suppress(OSError):
            file.unlink()
    return True


def kept() -> list[Path]:
    """Return the files of all programs that are kept, the oldest first."""
    path = root()
    found = [] if path is None else [file for file in (path / "programs").rglob("*") if file.is_file()]
    return sorted(found, key=_written_at)


def n_bytes(files: list[Path]) -> int:
    """Return how large files are; one that is gone meanwhile has none."""
    total = 0
    for file in files:
        with suppress(OSError):
            total += file.stat().st_size
    return total


def shrink(most: int = MOST_BYTES) -> None:
    """Delete the oldest programs until the others are no larger than `most` bytes."""
    files = kept()
    total = n_bytes(files)
    for file in files:
        if total <= most:
            return
        if file.suffix == ".tmp" and time.time() - _written_at(file) < 3600:  # somebody is writing it
            continue
        total -= n_bytes([file])
        with suppress(OSError):
            file.unlink()


def _written_at(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0


def _machine(variables: Mapping[str, str]) -> str:
    """Return a key of what a program depends on besides what it was compiled of: processor, cores, settings."""
    processor, told = platform.machine() + platform.processor(), []
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        told = sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))})
    # Where it is not known what the processor can do, no other machine's program is run.
    processor += "".join(told) or platform.node()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    said = (processor, cores, variables.get("XLA_FLAGS", XLA_FLAGS), *(variables.get(name) for name in _SETTINGS))
    return hashlib.sha256(repr(said).encode()).hexdigest()[:16]
