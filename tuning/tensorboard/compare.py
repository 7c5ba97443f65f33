"""Several studies in one TensorBoard: a folder with one common record and links to everybody's trials.

Owns the union of the studies' records. TensorBoard knows one record for each folder that it shows: with two, an
arbitrary one wins and the other study loses its columns. So the studies' own records are not linked.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

from tensorboard.plugins.hparams import api_pb2

from tuning.errors import OptionError, StudyError, must
from tuning.tensorboard import hparams
from tuning.tensorboard.columns import VISIBLE, Column, of_info
from tuning.tensorboard.layout import EXPERIMENT, Layout, remove_ours
from tuning.tensorboard.writer import write_once

_OWN = (hparams.STUDY, hparams.ENGINE, hparams.TRIAL_STATE, hparams.TRIAL)


def join(folders: Sequence[Path], into: Path) -> None:
    """Make `into` show the studies side by side; call it again to take in what has been added since.

    Args:
        folders: the studies' `tensorboard/` folders.
        into: where the common record and the links go.

    Raises:
        OptionError: two studies have the same name.
        StudyError: a study has no record, or links cannot be made here.
    """
    layouts = [Layout(folder) for folder in folders]
    studies = [_record_of(layout) for layout in layouts]
    names = [study.name for study in studies]
    if len(set(names)) < len(names):
        advice = "TensorBoard would take trials of the same study and number for one trial."
        raise OptionError(must("studies", "have different names to be shown together", ", ".join(names), advice))
    engines = sorted({engine for layout in layouts if (engine := _engine_of(layout))})
    record = union(studies, engines)
    if hparams.experiments_in(into / EXPERIMENT) != [record]:
        remove_ours(into / EXPERIMENT)
        write_once(into / EXPERIMENT / str(time.time_ns()), [hparams.experiment_event(record, time.time())])
    for layout, name in zip(layouts, names, strict=True):
        _link(layout, into / name)


def union(studies: Sequence[api_pb2.Experiment], engines: Sequence[str] = ()) -> api_pb2.Experiment:
    """Return one record with the columns and metrics of all `studies`."""
    columns, labels = _columns(studies)
    names = [study.name for study in studies]
    columns[hparams.STUDY] = Column(hparams.STUDY, "string", tuple(names), description="the study's name")
    columns[hparams.ENGINE] = Column(hparams.ENGINE, "string", tuple(engines), description="what proposed the trial")
    shared = set.intersection(*({info.name for info in s.hparam_infos if info.differs} for s in studies))
    chosen = [hparams.STUDY, *(name for name in columns if name in shared and name not in _OWN)]
    first = [*chosen, *_OWN[1:]][:VISIBLE]
    infos = []
    for name, column in columns.items():
        infos.append(column.info(differs=name in first))
        infos[-1].display_name = labels.get(name, name)
    return api_pb2.Experiment(name=" + ".join(names), hparam_infos=infos, metric_infos=_metrics(studies))


def _columns(studies: Sequence[api_pb2.Experiment]) -> tuple[dict[str, Column], dict[str, str]]:
    """Return the columns and their titles; none for a name whose values are of different types."""
    columns: dict[str, Column] = {}
    labels: dict[str, str] = {}
    mixed = set()
    for info in (info for study in studies for info in study.hparam_infos):
        column = of_info(info)
        known = columns.get(info.name, column)
        if known.kind != column.kind:
            mixed.add(info.name)  # TensorBoard answers with an error when it sorts by such a column
        columns[info.name] = known.merged(column)
        labels.setdefault(info.name, info.display_name)
    return {name: column for name, column in columns.items() if name not in mixed}, labels


def _metrics(studies: Sequence[api_pb2.Experiment]) -> list[api_pb2.MetricInfo]:
    """Return the metrics: first those that come first in every study, then the rest."""
    known: dict[tuple[str, str], api_pb2.MetricInfo] = {}
    for info in (info for study in studies for info in study.metric_infos):
        key = info.name.group, info.name.tag
        if key not in known:
            known[key] = api_pb2.MetricInfo()
            known[key].CopyFrom(info)
        elif info.description not in known[key].description:
            known[key].description += f"; or {info.description}"
    shared = set.intersection(*({(i.name.group, i.name.tag) for i in s.metric_infos[:VISIBLE]} for s in studies))
    first = [info for key, info in known.items() if key in shared]
    # One metric too few, and one that some trials lack would be shown: better leave the others out.
    return first + [info for key, info in known.items() if key not in shared and len(first) >= VISIBLE]


def _record_of(layout: Layout) -> api_pb2.Experiment:
    records = hparams.experiments_in(layout.experiment)
    if len(records) != 1:
        raise StudyError(
            f"'{layout.root}' must hold one study's record for TensorBoard, but got {len(records)}. "
            "Run `tune run` on the study again: it writes what is missing."
        )
    return records[0]


def _engine_of(layout: Layout) -> str:
    """Return the engine's name as the first trial to be found gives it; an empty string without trials."""
    for _, folder in layout.links():
        for start in hparams.session_starts_in(folder):
            return str(start.hparams[hparams.ENGINE].string_value)
    return ""


def _link(layout: Layout, into: Path) -> None:
    """Make `into` a folder of links to the trials that there are now."""
    try:
        into.mkdir(parents=True, exist_ok=True)
        trials = {name: folder.resolve() for name, folder in layout.links()}
        for link in into.iterdir():
            if link.is_symlink() and link.name not in trials:
                link.unlink()
        for name, folder in trials.items():
            if not (into / name).is_symlink():
                os.symlink(folder, into / name, target_is_directory=True)
    except OSError as error:
        raise StudyError(f"'{into}' must be able to hold links to show several studies, but got: {error}.") from error
