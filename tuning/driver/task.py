"""What a worker is told of a run, put together from what the search knows.

Owns where the files of a training lie, and which seed and fold are its.
"""

from __future__ import annotations

from pathlib import Path

from tuning.driver.seeds import seed_of_trial
from tuning.records.definition import Definition
from tuning.records.trial import Trial
from tuning.storage.folder import CALLBACKS, CHECKPOINTS, TENSORBOARD, output_path
from tuning.tensorboard.layout import Layout
from tuning.training.messages import Task
from tuning.training.options import TrainingOptions


def task_of(
    definition: Definition, trial: Trial, index: int, path: Path, resumable: bool, options: TrainingOptions
) -> Task:
    """Return the task to train the last run of a trial, in one of its trainings.

    Args:
        definition: of the study.
        trial: its training goes on from the checkpoint that it names.
        index: of the training.
        path: the study's folder.
        resumable: whether a later run may follow.
        options: what all runs of the search have in common.
    """
    training, name = trial.trainings[index], definition.training_names[index]
    changes = len(trial.runs) > 1 and trial.run.values != trial.runs[-2].values
    fold, repeat = definition.fold_and_repeat(index)
    return Task(
        run=trial.run,
        seed=seed_of_trial(definition.seed, trial.number, repeat),
        objective=definition.objective,
        folder=str(path / CHECKPOINTS),
        trained=training.checkpoint,
        best=training.score,
        best_epoch=training.best_epoch,
        resumable=resumable,
        changes=changes and training.checkpoint == (training.untils or (0,))[-1],
        options=options,
        training=index,
        is_divided=definition.is_divided,
        fold=fold,
        files=str(path / CALLBACKS / f"trial_{trial.number:04d}" / name),
        output=str(output_path(path, trial.number, name)),
        log_folder=str(Layout(path / TENSORBOARD).log(trial.number, name)),
    )
