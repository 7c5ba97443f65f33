"""The schedule of a trial: which values its weights were trained with, epoch by epoch.

Owns how it follows from the runs, where these have values of their own and may begin with the weights of another trial.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tuning.records.trial import Trial, Values


@dataclass(frozen=True)
class Piece:
    """The epochs from `start` to before `stop`, with one set of values."""

    start: int
    stop: int
    values: Values


def schedule_of(trial: Trial, trials: Iterable[Trial], epochs: int | None = None) -> tuple[Piece, ...]:
    """Return the pieces that a trial's weights have been through, those of trials that it took over included.

    Args:
        trial: one of `trials`.
        trials: all of the study's.
        epochs: how many of them; default: all.
    """
    pieces = _pieces(trial.number, len(trial.runs), {t.number: t for t in trials})
    joined: list[Piece] = []
    for piece in pieces:
        stop = piece.stop if epochs is None else min(piece.stop, epochs)
        if stop <= piece.start:
            continue
        if joined and joined[-1].values == piece.values:
            joined[-1] = Piece(joined[-1].start, stop, piece.values)
        else:
            joined.append(Piece(piece.start, stop, piece.values))
    return tuple(joined)


def changed_values(pieces: Iterable[Piece]) -> dict[str, list[Any]]:
    """Return the value in each piece of those hyperparameters that change."""
    pieces = list(pieces)
    names = dict.fromkeys(name for piece in pieces for name in piece.values)
    found = {name: [piece.values.get(name) for piece in pieces] for name in names}
    return {name: values for name, values in found.items() if any(value != values[0] for value in values)}


def _pieces(number: int, n_runs: int, trials: Mapping[int, Trial]) -> list[Piece]:
    """Return a piece for each of the first runs of a trial; before a run with another's weights, those of that one."""
    trial, pieces = trials[number], list[Piece]()
    for index, run in enumerate(trial.runs[:n_runs]):
        if run.source is not None and run.source in trials:
            pieces = _pieces(run.source, index, trials)
        pieces.append(Piece(run.start, trial.epochs if run.until is None else run.until, run.values))
    return pieces
