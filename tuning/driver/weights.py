"""Which weights of a search stay on disk: those of the best trials, and those that a later run starts from.

Owns that decision, kept up to date with each run that begins and ends, so that it costs the same however many trials
there are. `tuning.training.checkpoints` owns the files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from tuning.records.definition import Definition
from tuning.records.ranking import Front, Ranking
from tuning.records.trial import Trial
from tuning.training import checkpoints
from tuning.training.messages import Key


class Weights:
    """The checkpoints of a search.

    Args:
        definition: of the study.
        folder: where they lie; need not exist.
        keep: number of best trials whose weights are kept; those of the Pareto set are kept besides.
        may_continue: tells whether a trial may have another run.
    """

    def __init__(self, definition: Definition, folder: Path, keep: int, may_continue: Callable[[int], bool]) -> None:
        self._definition, self._folder, self._keep, self._may_continue = definition, folder, keep, may_continue
        self._trials: Mapping[int, Trial] = {}
        self._ranking = Ranking(definition.objective)
        self._front = Front(definition.several)
        self._kept: set[int] = set()
        self._epochs: dict[Key, set[int]] = {}  # after which there may be files of a training's last epoch

    def take_up(self, trials: Iterable[Trial], by_number: Mapping[int, Trial]) -> None:
        """Take in all trials of a search that goes on, and delete what nobody needs.

        Args:
            trials: as they are now.
            by_number: the same, looked at again whenever something happens.
        """
        self._trials = by_number
        for trial in trials:
            self._rank(trial)
            for index, training in enumerate(trial.trainings):
                self.written(trial.number, index, training.checkpoint)
        self.tidy()

    def tidy(self) -> None:
        """Look at all files, and delete what nobody needs."""
        self._kept = self._wanted()
        checkpoints.prune(self._folder, self._kept, self._goes_on_from)

    def written(self, number: int, index: int, epochs: int) -> None:
        """Take note of a checkpoint after so many epochs of a training; 0 is none."""
        if epochs:
            self._epochs.setdefault((number, index), set()).add(epochs)

    def take_over(self, trial: Trial, source: Trial) -> None:
        """Let the next run of a trial begin with what another one has learned; nothing where no weights are kept."""
        for index, (mine, other) in enumerate(zip(trial.trainings, source.trainings, strict=True)):
            if mine.checkpoint and other.checkpoint:
                stems = [checkpoints.stem(n, index, self._definition.is_divided) for n in (source.number, trial.number)]
                checkpoints.take_over(self._folder, stems[0], other.checkpoint, stems[1], mine.checkpoint)

    def run_began(self, trial: Trial) -> None:
        """Take note that a trial is trained, and so not among the best for now."""
        self._rank(trial)
        self._kept = self._wanted()

    def run_ended(self, trial: Trial) -> None:
        """Delete what nobody needs any more, now that a trial rests or is finished."""
        self._rank(trial)
        before, self._kept = self._kept, self._wanted()
        for number in {trial.number} | (before - self._kept):
            self._delete(number)

    def _rank(self, trial: Trial) -> None:
        self._ranking.update(trial, counts=not trial.is_training)
        self._front.update(trial)

    def _wanted(self) -> set[int]:
        return {*self._ranking.first(self._keep), *self._front.numbers}

    def _delete(self, number: int) -> None:
        """Delete the files of a trial that are not needed, by their names: looking for them would take its time."""
        for index in range(len(self._trials[number].trainings)):
            start = self._goes_on_from(number, index)
            epochs = self._epochs.pop((number, index), set())
            old = {n for n in epochs if start is None or n < start}
            stem = checkpoints.stem(number, index, self._definition.is_divided)
            checkpoints.delete(self._folder, stem, old, best=start is None and number not in self._kept)
            if epochs - old:
                self._epochs[number, index] = epochs - old

    def _goes_on_from(self, number: int, index: int) -> int | None:
        """Return the epochs in the checkpoint that a training would go on from; None when its trial is finished."""
        trial = self._trials.get(number)
        if trial is None or (trial.state.is_finished and not self._may_continue(number)):
            return None
        return trial.trainings[index].checkpoint
