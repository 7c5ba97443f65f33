"""Trials as data frames of pandas.

Owns their columns: one row a trial, or one row an epoch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tuning.records.trial import Trial

if TYPE_CHECKING:
    import pandas

TIMES = ("started_at", "ended_at")

_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def of_trials(trials: Sequence[Trial]) -> pandas.DataFrame:
    """Return one row a trial: what `Trial.to_json` says, its times, and its metrics at the best epoch."""
    import pandas

    frame = pandas.json_normalize(
        [{**t.to_json(), **{name: getattr(t, name) for name in TIMES}, "metrics": _at_best(t)} for t in trials]
    )
    for name in TIMES if len(trials) else ():
        frame[name] = pandas.to_datetime(frame[name].astype(float), unit="s", utc=True)
    return frame


def of_epochs(trials: Sequence[Trial]) -> pandas.DataFrame:
    """Return one row an epoch: the trial's number, the epoch from 0, and every metric that it reported."""
    import pandas

    rows = [{"trial": t.number, "epoch": epoch, **of} for t in trials for epoch, of in enumerate(t.curve.epochs)]
    return pandas.DataFrame(rows) if rows else pandas.DataFrame(columns=["trial", "epoch"])


def csv_of(frame: pandas.DataFrame, **options: Any) -> str:
    """Return a frame as CSV in which no cell is a formula to a program that opens it.

    Text that begins like one gets an apostrophe before it, unless it is a number.

    Args:
        frame: one row a line.
        **options: further arguments of pandas's `to_csv`.
    """
    texts = frame.map(_harmless)
    return str(texts.rename(columns=_harmless).to_csv(index=False, **options))


def _harmless(cell: Any) -> Any:
    if not isinstance(cell, str) or not cell.startswith(_FORMULAS):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell


def _at_best(trial: Trial) -> Mapping[str, float]:
    return {} if trial.best_epoch is None else dict(trial.curve.epochs[trial.best_epoch])
