"""Trials, runs and curves: what is known about one configuration, as frozen records.

Owns the vocabulary that engines, executors, store and observers exchange. Knows nothing of databases,
models or files. Epochs count from 0, as in Keras and TensorBoard.
"""

from __future__ import annotations

import enum
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tuning.records.epochs import PackedEpochs, packed
from tuning.records.objective import Objective

Values = Mapping[str, Any]
"""The hyperparameters of one trial by name: bool, int, float or str."""


class State(str, enum.Enum):
    """What has become of a trial."""

    RUNNING = "RUNNING"  # being trained, or resting between two runs
    COMPLETED = "COMPLETED"  # trained for all the epochs its engine asked for
    PRUNED = "PRUNED"  # stopped by its engine in the middle of a run
    FAILED = "FAILED"  # raised, lost its worker twice, or its objective was not finite

    @property
    def is_finished(self) -> bool:
        return self is not State.RUNNING


RETURNED = "fit_returned"
"""The name of a metric: the objective as `fit` returned it, where that is not what Keras reported."""


@dataclass(frozen=True)
class Curve:
    """Metrics of each epoch; entry i belongs to epoch i."""

    epochs: Sequence[Mapping[str, float]] = ()

    def __len__(self) -> int:
        return len(self.epochs)

    def values(self, metric: str) -> list[float]:
        """Return one value an epoch; NaN where the epoch did not report `metric`."""
        if isinstance(self.epochs, PackedEpochs):
            return self.epochs.values(metric)
        return [epoch.get(metric, float("nan")) for epoch in self.epochs]

    def best(self, objective: Objective, first: int = 0, until: int | None = None) -> tuple[int, float] | None:
        """Return (epoch, score) of the best of the epochs from `first` to `until`; None when none has a score.

        Epochs count from `first`. What `fit` returned at the end of a run stands for all epochs up to there.
        """
        values = self.values(objective.name)[first:until]
        returned = self.values(RETURNED)[first:until]
        for last in reversed(range(len(values))):
            if not math.isnan(returned[last]):
                values = [math.nan] * last + [returned[last]] + values[last + 1 :]
                break
        return objective.best(values)

    def extended(self, metrics: Mapping[str, float]) -> Curve:
        """Return a curve that is one epoch longer."""
        return Curve((*self.epochs, dict(metrics)))

    def until(self, epoch: int) -> Curve:
        """Return the first `epoch` epochs."""
        return Curve(self.epochs[:epoch])

    def packed(self) -> Curve:
        """Return the same curve in less memory: one that does not grow for now."""
        return Curve(packed(self.epochs))


@dataclass(frozen=True)
class Run:
    """One uninterrupted piece of training that an engine asks for.

    Attributes:
        number: the trial's number; a new trial when the engine has not used it before.
        values: the trial's hyperparameters, all active ones.
        start: first epoch. A continued trial goes on where its last run ended.
        stop: epoch before which training ends; the trial's total budget so far.
        note: the engine's own remark about the run (JSON), handed back to it on resume.
        asked, ended: places of the run's beginning and end in the study's order of events; None until then.
        until: epochs the trial had trained when the run ended; None until then.
        source: the trial whose weights and optimizer state it begins with, as they were after as many runs; None for
            its own.
    """

    number: int
    values: Values
    start: int
    stop: int
    note: Mapping[str, Any] = field(default_factory=dict)
    asked: int | None = None
    ended: int | None = None
    until: int | None = None
    source: int | None = None


@dataclass(frozen=True)
class Training:
    """One training of a trial: on all data or one fold of them, with one of its seeds.

    Attributes:
        curve: metrics of every epoch trained so far, over all runs.
        score: the objective at `best_epoch`; None until an epoch has ended.
        best_epoch: epoch of the score, from 0.
        seconds: wall time, over all runs, in seconds.
        checkpoint: epochs trained by the weights that a later run can start from; 0 for none.
        lost: workers that died during the last run.
        untils: epochs it had trained at the end of each of the trial's runs that it has been through.
        restarted: why it last began at epoch 0 again, although it should have gone on from a checkpoint; None mostly.
        worker: where it was trained last, such as "host:3"; None where nobody knows, as in earlier versions.
    """

    curve: Curve = Curve()
    score: float | None = None
    best_epoch: int | None = None
    seconds: float = 0.0
    checkpoint: int = 0
    lost: int = 0
    untils: tuple[int, ...] = ()
    worker: str | None = None
    restarted: str | None = None


@dataclass(frozen=True, repr=False)
class Trial:
    """Everything known about one configuration.

    A trial is trained once, or, in a study with folds or repeats, once a fold and repeat. What these trainings come to
    together is `joint`, and the trial's own curve, score, best epoch and seconds are those of `joint`, or else of its
    only training; see `tuning.records.trainings`.

    Attributes:
        number: counts from 0 within the study.
        values: hyperparameters that building and training really used.
        state: see `State`.
        trainings: how each of its trainings goes; one, or one a fold and repeat.
        joint: what the trainings of a study with folds or repeats come to; None in any other study.
        scoring: the rule by which several trainings come to one score.
        counted: (epoch, value) of what each of several trainings gives to the score; None for one that has no value.
        error: one line; None unless FAILED.
        traceback: the whole text behind `error`, where there is one.
        compiled: whether an epoch ran as one program; None when nothing was trained.
        compiled_reason: why not, or why XLA did not compile that program, or in what company it was run.
        runs: the runs so far, oldest first; the last may be under way.
        found: hyperparameters (JSON) that this trial met first, unknown before it.
        started_at, ended_at: Unix time in seconds.
        scores: one value an objective, where there are several: metrics of training at the best epoch; () otherwise.
        resources: what the trained model costs, by the name of the resource metric.
        limited: the values that the study's constraints limit, by name, as of the last run's end.
        is_feasible: whether it keeps all constraints, as far as its runs have shown.
    """

    number: int
    values: Values
    state: State = State.RUNNING
    trainings: tuple[Training, ...] = (Training(),)
    joint: Training | None = None
    scoring: str = "common"
    counted: tuple[tuple[int | None, float] | None, ...] = ()
    error: str | None = None
    traceback: str | None = None
    compiled: bool | None = None
    compiled_reason: str | None = None
    runs: tuple[Run, ...] = ()
    found: tuple[Mapping[str, Any], ...] = ()
    started_at: float | None = None
    ended_at: float | None = None
    scores: tuple[float | None, ...] = ()
    resources: Mapping[str, float] = field(default_factory=dict)
    limited: Mapping[str, float] = field(default_factory=dict)
    is_feasible: bool = True

    def __repr__(self) -> str:
        from tuning.records.shown import text

        return text(self)

    def _repr_html_(self) -> str:
        from tuning.records.shown import html

        return html(self)

    @property
    def is_divided(self) -> bool:
        """Whether it is one of a study with folds or repeats."""
        return self.joint is not None

    @property
    def parts(self) -> tuple[Training, ...]:
        """An earlier name: the trainings of a study with folds or repeats, () in any other study."""
        return self.trainings if self.is_divided else ()

    @property
    def _whole(self) -> Training:
        return self.trainings[0] if self.joint is None else self.joint

    @property
    def workers(self) -> tuple[str, ...]:
        """Where its trainings were trained last, each place once, in their order."""
        return tuple(dict.fromkeys(t.worker for t in self.trainings if t.worker is not None))

    @property
    def hosts(self) -> tuple[str, ...]:
        """The machines of its `workers`, each once."""
        return tuple(dict.fromkeys(worker.rpartition(":")[0] for worker in self.workers))

    @property
    def curve(self) -> Curve:
        """Metrics of every epoch trained so far, over all runs; of several trainings their mean."""
        return self._whole.curve

    @property
    def score(self) -> float | None:
        """The objective at the best epoch; of several trainings the mean of `part_scores`, None until each has one."""
        return self._whole.score

    @property
    def best_epoch(self) -> int | None:
        """Epoch of the score, from 0; of several trainings that of their mean curve."""
        return self._whole.best_epoch

    @property
    def seconds(self) -> float:
        """Wall time of all training, in seconds."""
        return self._whole.seconds

    @property
    def is_training(self) -> bool:
        """Whether the last run has not ended; a RUNNING trial that is not training rests."""
        return self.state is State.RUNNING and bool(self.runs) and self.run.ended is None

    @property
    def epochs(self) -> int:
        """Number of epochs trained."""
        return len(self.curve)

    @property
    def trained_epochs(self) -> int:
        """Number of epochs that all its trainings have been trained for, one for each fold and repeat."""
        return sum(len(training.curve) for training in self.trainings)

    @property
    def run(self) -> Run:
        """The last run."""
        return self.runs[-1]

    @property
    def part_scores(self) -> tuple[float | None, ...]:
        """What each training gives to the score, in order; with folds or repeats None until that training has ended.

        Their mean is the score.
        """
        if not self.counted:
            return self.part_bests
        return tuple(
            c[1] if c is not None and t.untils else None for c, t in zip(self.counted, self.trainings, strict=True)
        )

    @property
    def part_bests(self) -> tuple[float | None, ...]:
        """The objective of each training at its own best epoch; with folds or repeats None until it has ended."""
        return tuple(t.score if t.untils or not self.is_divided else None for t in self.trainings)

    @property
    def score_std(self) -> float | None:
        """Standard deviation (of the population) over folds and repeats; None unless all have ended, or without."""
        scores = [score for score in self.part_scores if score is not None]
        return statistics.pstdev(scores) if self.is_divided and len(scores) == len(self.trainings) else None

    def to_json(self) -> dict[str, Any]:
        """Return the record that `--json` prints."""
        parts = {"part_scores": list(self.part_scores), "part_bests": list(self.part_bests)}
        divided = {"score_std": self.score_std, **parts} if self.is_divided else {}
        return {
            "number": self.number,
            "state": self.state.value,
            "score": self.score,
            **divided,
            **({"scores": list(self.scores), "resources": dict(self.resources)} if self.scores else {}),
            **({"feasible": self.is_feasible, "limited": dict(self.limited)} if self.limited else {}),
            "best_epoch": self.best_epoch,
            "epochs": self.epochs,
            "values": dict(self.values),
            "seconds": round(self.seconds, 3),
            "compiled": self.compiled,
            "workers": list(self.workers),
            **({"restarted": restarts} if (restarts := [t.restarted for t in self.trainings if t.restarted]) else {}),
            "error": self.error,
        }
