"""The record of a final model: how it was trained, and its scores on the test split.

Owns the record and its JSON form, which the store keeps.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from tuning.storage.reading import checked, understood


@dataclass(frozen=True)
class Final:
    """A final model.

    Attributes:
        study: the study's name.
        trial: number of the trial whose values were trained.
        values: its hyperparameters.
        epochs: epochs of each training: up to the trial's best epoch.
        validation_score: the trial's score in the search.
        metric: the objective as `evaluate` calls it.
        seeds: one for each training; the saved model is that of the first.
        scores: all metrics on the test split, one mapping for each seed.
        n_training: samples trained on, validation samples included.
        n_test: samples of the test split.
        seconds: wall time of all trainings, in seconds.
        inputs: what a sample looks like; see `tuning.final.inputs`. None where samples are no arrays.
        classes: names of the classes or targets, where the data have them.
        versions: of the packages that trained it.
        created_at: Unix time in seconds.
        annealed: whether the learning rate fell to nearly zero over the training.
        earlier: scores of the saved models of earlier evaluations on the same test split, oldest first.
        digest: SHA-256 of the model's file; None in records of earlier versions.
        shapes: what the model was built for; see `tuning.training.shapes`. None in records of earlier versions.
        is_whole: whether the model has to be loaded as a whole, since its layers have learned more than weights.
    """

    study: str
    trial: int
    values: Mapping[str, Any]
    epochs: int
    validation_score: float
    metric: str
    seeds: tuple[int, ...]
    scores: tuple[Mapping[str, float], ...]
    n_training: int
    n_test: int
    seconds: float
    inputs: Mapping[str, Any] | None
    classes: tuple[str, ...] | None
    versions: Mapping[str, str]
    created_at: float
    annealed: bool = False
    earlier: tuple[float, ...] = ()
    digest: str | None = None
    shapes: str | None = None
    is_whole: bool = False

    @property
    def score(self) -> float:
        """The objective of the saved model on the test split."""
        return self.scores[0][self.metric]

    @property
    def mean(self) -> float:
        """The mean of the objective over the seeds."""
        return statistics.fmean(self._all)

    @property
    def spread(self) -> float | None:
        """The standard deviation of the objective over the seeds; None for one seed."""
        return statistics.stdev(self._all) if len(self.scores) > 1 else None

    @property
    def _all(self) -> list[float]:
        return [scores[self.metric] for scores in self.scores]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object; `from_json` reads it."""
        return {**asdict(self), "score": self.score, "mean": self.mean, "spread": self.spread}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Final:
        """Read what `to_json` wrote, after a round trip through JSON text.

        Raises:
            StudyError: it is damaged.
        """
        known = {f.name for f in fields(cls)}
        with understood(str(record.get("study"))):
            values: dict[str, Any] = {
                k: tuple(v) if isinstance(v, list) else v for k, v in record.items() if k in known
            }
            read = checked(cls(**values))
            math.fsum((read.score, read.mean, read.spread or 0.0))
        return read
