"""What driver and executors say to each other: a task, and the messages about it.

Owns the words. Knows neither how a run is trained nor where, and loads nothing that does, so that whoever passes
messages on stays light.
"""

from __future__ import annotations

import enum
import traceback as traceback_module
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tuning.errors import StudyError, one_line, writable
from tuning.records.objective import Objective
from tuning.records.trial import Run
from tuning.training import checkpoints
from tuning.training.options import TrainingOptions

Key = tuple[int, int]
"""The number of a task's trial, and which of the trial's trainings it is."""

MAX_TRACEBACK = 20_000
"""Most characters of a traceback that are kept: its beginning and its end."""


class Decision(enum.Enum):
    """The answer to a report."""

    GO = "go"
    STOP = "stop"
    PAUSE = "pause"  # stop, and keep what is needed to go on later


@dataclass(frozen=True)
class Task:
    """All that a worker is told about a run.

    Attributes:
        run: what to train; training starts at epoch `trained`, whatever `run.start` says.
        seed: seeds initial weights, shuffling and dropout; the same for all runs of a trial.
        objective: decides which epoch is best.
        folder: where checkpoints are read and written; None for none.
        trained: epochs in the checkpoint to start from; 0 for fresh weights.
        best, best_epoch: the trial's score so far and its epoch; only a better epoch is kept.
        resumable: whether the last epoch must be kept for a later run.
        changes: whether values have changed since the checkpoint, so that the learning rate in it does not count.
        options: what all runs of the search have in common.
        training: which of the trial's trainings this is.
        is_divided: whether the study has folds or repeats, so that files are named after the training.
        fold: the fold of the data to train on; None for all of them.
        files: the trial's own folder, for what callbacks write; None where there are no callbacks.
        log_folder: where to write what `options.log` asks for; None for nowhere.
        output: the file for what is printed in a worker process; None for none.
    """

    run: Run
    seed: int
    objective: Objective
    folder: str | None = None
    trained: int = 0
    best: float | None = None
    best_epoch: int | None = None
    resumable: bool = False
    changes: bool = False
    options: TrainingOptions = TrainingOptions()
    training: int = 0
    is_divided: bool = False
    fold: int | None = None
    files: str | None = None
    log_folder: str | None = None
    output: str | None = None

    @property
    def key(self) -> Key:
        """What tells this task from all others that are under way, and is found in all messages about it."""
        return self.run.number, self.training

    @property
    def stem(self) -> str:
        """What the names of its checkpoints begin with."""
        return checkpoints.stem(*self.key, self.is_divided)


@dataclass(frozen=True)
class Report:
    """An epoch has ended. `checkpoint`: the epochs so far are on disk. `amends`: it has been reported before."""

    number: int
    epoch: int
    metrics: Mapping[str, float]
    checkpoint: bool = False
    training: int = 0
    amends: bool = False


@dataclass(frozen=True)
class Finished:
    """A run ended in the ordinary way.

    `is_refused`: it was not trained, because the model breaks a constraint. `restarted`: why it was trained from epoch
    0 on, although it should have gone on from a checkpoint.
    """

    number: int
    values: Mapping[str, Any]
    space: tuple[Mapping[str, Any], ...]
    checkpoint: int
    seconds: float
    compiled: bool | None = None
    reason: str | None = None
    training: int = 0
    resources: Mapping[str, float] = field(default_factory=dict)
    is_refused: bool = False
    restarted: str | None = None


@dataclass(frozen=True)
class Failed:
    """A run raised.

    `is_fatal`: the fault is not the trial's, and every other trial would have it. `has_lost`: a process of the trial's
    own ended meanwhile; `by_signal`: it was killed, and that is why the run raised.
    """

    number: int
    error: str
    traceback: str
    seconds: float
    is_fatal: bool = False
    training: int = 0
    has_lost: bool = False
    by_signal: bool = False


@dataclass(frozen=True)
class Lost:
    """The process that trained the run is gone. `counts`: that may be the trial's fault; a machine's leaving is not."""

    number: int
    reason: str
    training: int = 0
    counts: bool = True


Message = Report | Finished | Failed | Lost
Reporter = Callable[[Report], Decision]


def failure(key: Key, error: BaseException, seconds: float = 0.0) -> Failed:
    """Return the message that the task of that key has raised `error`."""
    number, training = key
    text = writable("".join(_formatted(error)))
    if len(text) > MAX_TRACEBACK:
        text = f"{text[: MAX_TRACEBACK // 2]}\n...\n{text[-MAX_TRACEBACK // 2 :]}"
    if isinstance(error, StudyError):  # a disk that is full is not the trial's fault
        return Failed(number, str(error), text, seconds, is_fatal=True, training=training)
    return Failed(number, one_line(error), text, seconds, training=training)


def _formatted(error: BaseException) -> list[str]:
    try:
        return traceback_module.format_exception(error)
    except Exception:  # the class is the user's, and so is what it does when it is shown
        return [
            "Traceback (most recent call last):\n",
            *traceback_module.format_tb(error.__traceback__),
            one_line(error),
        ]
