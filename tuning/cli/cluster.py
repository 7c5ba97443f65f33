"""`tune cluster check`: what a cluster has to offer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from tuning.cli.app import app
from tuning.cli.console import print_json, remarks, results
from tuning.cli.options import JSON, LOGS

if TYPE_CHECKING:
    from tuning.executors.cluster.look import Found

cluster = typer.Typer(
    no_args_is_help=True,
    help="Machines of a cluster of dask.distributed.",
    epilog="Example: [bold]tune cluster check tcp://10.0.0.5:8786[/bold]",
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(cluster, name="cluster")


@cluster.callback()
def _group() -> None:
    pass


@cluster.command(epilog="Example: [bold]tune cluster check tcp://10.0.0.5:8786[/bold]")
def check(
    address: str = typer.Argument(..., help="Of the scheduler, such as tcp://host:8786, or its scheduler file."),
    logs: Path = LOGS,
    as_json: bool = JSON,
) -> None:
    """List the machines of a cluster: slots, GPUs, versions, and whether they see the folder of studies."""
    from tuning.errors import OptionError, must

    try:
        from tuning.executors.cluster.look import look
    except ImportError as error:
        advice = "It is an extra: pip install 'keras-tuning[cluster]'."
        raise OptionError(must("tune cluster", "have dask.distributed", str(error), advice)) from error
    found = look(address, logs.absolute() / "study")
    if as_json:
        print_json([vars(one) for one in found])
        return
    _show(found, logs, address)


def _show(found: list[Found], logs: Path, address: str) -> None:
    from rich.table import Table

    if not found:
        results().print(f"no worker has joined {address} yet; a search waits for one", markup=False)
        return
    table = Table("worker", "host", "slots", "GPUs", f"sees {logs}", box=None, pad_edge=False)
    for one in found:
        table.add_row(one.address, one.host, str(one.slots), str(one.gpus), "yes" if one.sees else "no")
    results().print(table)
    for text, names in _kinds(found).items():
        results().print(f"{', '.join(sorted(names))}: {text}", markup=False)
    usable = [one for one in found if not one.refused]
    hosts = len({one.host for one in usable})
    results().print(f"{sum(one.slots for one in usable)} slots on {hosts} machine{'' if hosts == 1 else 's'}")
    for one in found:
        for text in one.refused:
            remarks().print(f"not used: {one.address} {text}", markup=False)
        for text in one.remarks:
            remarks().print(f"remark: {one.address} {text}", markup=False)


def _kinds(found: list[Found]) -> dict[str, set[str]]:
    """Return the hosts of each kind of machine, by what it is and has installed."""
    kinds: dict[str, set[str]] = {}
    for one in found:
        if one.host:
            versions = ", ".join(f"{name} {version}" for name, version in one.versions.items())
            kinds.setdefault(f"{one.kind}; {versions}", set()).add(one.host)
    return kinds
