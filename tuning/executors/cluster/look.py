"""A look at the machines of a cluster, before or beside a search.

Owns what is found out of each worker of Dask's. Nothing is started there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuning.errors import one_line
from tuning.executors.cluster import agent, versions
from tuning.executors.cluster.link import connected
from tuning.executors.cluster.transfer import probe_of


@dataclass(frozen=True)
class Found:
    """A worker of Dask's.

    Attributes:
        address: its own.
        slots: its threads, each of which can train a trial.
        host: name of its machine; empty where it cannot be used.
        gpus: of its machine.
        versions: of what is installed there, by name.
        sees: whether it sees the folder that was asked for.
        kind: processor and GPUs in words.
        refused: why it would not be used; empty where it would.
        remarks: what else differs from this machine.
    """

    address: str
    slots: int
    host: str = ""
    gpus: int = 0
    versions: Mapping[str, str] = field(default_factory=dict)
    sees: bool = False
    kind: str = ""
    refused: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def look(cluster: Any, path: Path) -> list[Found]:
    """Return what there is of a cluster, by address.

    Args:
        cluster: as of `Link`.
        path: of a study, which need not exist.

    Raises:
        OptionError: there is no scheduler that answers.
    """
    probe = probe_of(path)
    client = connected(cluster)
    try:
        workers = client.scheduler_info(n_workers=-1)["workers"]
        said = client.run(_said, probe, on_error="return")
    finally:
        with contextlib.suppress(Exception):
            client.close()
        if probe is not None:
            Path(probe[0]).unlink(missing_ok=True)
    return [_found(address, workers[address]["nthreads"], said.get(address)) for address in sorted(workers)]


def _found(address: str, slots: int, said: Any) -> Found:
    if not isinstance(said, Mapping):
        error = one_line(said) if isinstance(said, BaseException) else "it does not answer"
        return Found(address, slots, refused=(error,))
    mine, theirs = versions.installed(), said["versions"]
    return Found(
        address,
        slots,
        said["host"],
        said["gpus"],
        theirs,
        said["sees"],
        said["kind"],
        tuple(versions.refused(mine, theirs)),
        tuple(versions.differing(mine, theirs)),
    )


def _said(probe: tuple[str, str] | None, dask_worker: Any) -> Mapping[str, Any]:
    return agent.hello(Path(dask_worker.local_directory), probe)
