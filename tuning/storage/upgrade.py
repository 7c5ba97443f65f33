"""What a study stores, as of the version that wrote it: earlier records are converted, later ones refused.

Owns what the versions were. A record says its version, the definition and each trial its own, because a study that an
earlier version began and this one goes on with holds both kinds. Nothing is converted in the database before it is
written again.

Versions:
    1: arguments of `fit` were remembered as text; a trial with folds or repeats had `parts` beside fields of its own,
        which a trial that was trained once had alone; a run named its `parent`, and nobody read it.
    2: arguments of `fit` are remembered by value; a trial has `trainings`, one in the ordinary case, and with folds
        or repeats what they come to as `joint`. A score of several was the mean of their own best epochs.
    3: a definition and its trials say by which rule several trainings come to a score (`scoring`), and the trials what
        each gives to it (`counted`); the engine grid has an option for it.
    4: a definition has the fingerprint of the default model and of the code that trains it (`model`). Studies of
        earlier versions have none, and are gone on with whatever the model is.
    5: a training says where it was trained last (`worker`), and why it did not go on from its checkpoint (`restarted`).
    6: the numbers of a curve are packed (`records.epochs`), and a run leaves out values that are the trial's. Earlier
        forms of both are read as they are: a curve whose epochs have different metrics still has the earlier one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from tuning.errors import StudyError
from tuning.records import arguments
from tuning.records.definition import VERSION, Definition

OWN = "own"
"""The rule of scoring before version 3."""

_TRAINING = ("curve", "score", "best_epoch", "seconds", "checkpoint", "lost")


def definition(record: Mapping[str, Any], study: str) -> Mapping[str, Any]:
    """Return the record of a study's definition as this version writes it.

    Raises:
        StudyError: a later version wrote it.
    """
    version = _check(record, study)
    unknown = sorted(record.keys() - {f.name for f in fields(Definition)} - {"version"})
    if unknown:
        raise StudyError(
            f"study '{study}' must be one that this version can read, but its definition has {', '.join(unknown)}, "
            "which this version does not know. Use the version that wrote it."
        )
    if version == 1:
        read = {name: arguments.from_text(text) for name, text in record.get("fit", {}).items()}
        record = {**record, "fit": read}
    if version <= 2:
        options = {**record["options"], **({"score": OWN} if "search" in record["options"] else {})}
        is_divided = record.get("cv") is not None or record.get("repeats") is not None
        record = {**record, "options": options, **({"scoring": OWN} if is_divided else {})}
    return {**record, "version": VERSION}


def trial(record: Mapping[str, Any], study: str) -> Mapping[str, Any]:
    """Return the record of a trial as this version writes it.

    Raises:
        StudyError: a later version wrote it.
    """
    version = _check(record, study)
    record = _from_1(record) if version == 1 else record
    return _from_2(record) if version <= 2 else record


def _check(record: Mapping[str, Any], study: str) -> int:
    version = record.get("version", 1)
    if version > VERSION:
        raise StudyError(
            f"study '{study}' must be of version {VERSION} or earlier, but it is of version {version}. "
            "Install the version of keras-tuning that wrote it, or a later one."
        )
    return int(version)


def _from_1(record: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in record.items() if name not in (*_TRAINING, "parts")}
    kept["runs"] = [{name: value for name, value in run.items() if name != "parent"} for run in record["runs"]]
    whole = {name: record[name] for name in _TRAINING}
    if record.get("parts"):
        return {**kept, "trainings": record["parts"], "joint": {**whole, "untils": []}}
    untils = [run["until"] for run in record["runs"] if run["ended"] is not None]
    if record["state"] in ("PRUNED", "FAILED"):
        untils = untils[: len(record["runs"]) - 1]  # the training was cut in its last run
    return {**kept, "trainings": [{**whole, "untils": untils}], "joint": None}


def _from_2(record: Mapping[str, Any]) -> dict[str, Any]:
    trainings = [] if record["joint"] is None else record["trainings"]
    counted = [None if t["score"] is None else (t["best_epoch"], t["score"]) for t in trainings]
    return {**record, "scoring": OWN, "counted": counted}
