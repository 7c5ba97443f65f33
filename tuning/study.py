"""A study as its user sees it: trials, the best of them, its model.

Owns reading. Everything comes from the store and the checkpoints; nothing is trained or changed here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tuning import checkpoints
from tuning.data import Data
from tuning.definition import Definition
from tuning.errors import SpaceError, StudyError
from tuning.naming import numbered_afresh
from tuning.objective import Objective
from tuning.space import HyperParameters, SearchSpace, resolve
from tuning.store import Store, without_password
from tuning.trial import State, Trial
from tuning.worker import ensure_built

CHECKPOINTS = "checkpoints"
TENSORBOARD = "tensorboard"
CALLBACKS = "callbacks"


def ranked(trials: Sequence[Trial], objective: Objective) -> list[Trial]:
    """Return the trials that have a score, best first; failed ones never count."""
    scored = [
        (objective.sort_key(t.score), t.number, t)
        for t in trials
        if t.score is not None and t.state is not State.FAILED
    ]
    return [trial for _, _, trial in sorted(scored, key=lambda entry: entry[:2])]


class Study:
    """A study in a folder.

    Args:
        path: the study's folder, such as `logs/fashion_mnist-hyperband`.
        space: the space it searches; needed for models of a space that was made in a program.
        data: the data of `space`, where they were given to `search`.
        storage: URL of its database; None for the file in the folder.
    """

    def __init__(
        self, path: str | Path, space: SearchSpace | None = None, data: Data | None = None, storage: str | None = None
    ) -> None:
        self.path = Path(path)
        store = Store.of(self.path, storage)
        try:
            definition = store.definition()
            if definition is None:
                where = self.path if storage is None else without_password(storage)
                raise StudyError(f"`study` must be a study, but there is no '{self.path.name}' in {where}.")
            self.definition: Definition = definition
            self.trials: list[Trial] = store.read()[0]
        finally:
            store.close()
        self._space, self._data = space, data

    def __repr__(self) -> str:
        best = self.best
        return (
            f"<Study {self.name}: {len(self.trials)} trials, best {self.objective.name} {best.score if best else None}>"
        )

    @property
    def name(self) -> str:
        return self.definition.study

    @property
    def objective(self) -> Objective:
        return self.definition.objective

    @property
    def best(self) -> Trial | None:
        """The trial with the best score; None while no trial has one."""
        return next(iter(ranked(self.trials, self.objective)), None)

    @property
    def best_values(self) -> dict[str, Any]:
        """The hyperparameters of the best trial."""
        return dict(self._best().values)

    def _best(self) -> Trial:
        best = self.best
        if best is None:
            raise StudyError(
                f"study '{self.name}' must have a trial with a score, but it has none of {len(self.trials)}."
            )
        return best

    @property
    def space(self) -> SearchSpace:
        """The space, found again by its source where it was not given."""
        if self._space is None:
            if self.definition.space_source is None:
                raise SpaceError(
                    f"the space of study '{self.name}' was made in a program, so it cannot be found again. "
                    "Pass it: tuning.load(path, space=...)."
                )
            self._space = resolve(self.definition.space_source)
        return self._space

    def best_model(self) -> Any:
        """Return the model of the best trial with the weights of its best epoch, compiled.

        Evaluated on the validation data it gives the recorded score.
        """
        return self.model(self._best())

    def model(self, trial: Trial | int) -> Any:
        """Return a trial's model with the weights of its best epoch.

        Raises:
            StudyError: its checkpoint was not kept; only those of the best trials are.
        """
        from tuning.quiet import import_keras

        if isinstance(trial, int):
            trial = self.trials[trial]
        path = checkpoints.best_path(self.path / CHECKPOINTS, trial.number)
        if not path.is_file():
            kept = sorted(int(p.name[6:10]) for p in path.parent.glob(f"trial_*.best{checkpoints.SUFFIX}"))
            raise StudyError(
                f"the weights of trial {trial.number} are not kept; kept are those of trials {kept}. "
                "Search again with a larger keep=, or train the trial's values again."
            )
        import_keras()
        with numbered_afresh():  # the metrics have the names that the trial has reported
            model = self.space.build(HyperParameters(trial.values))
        if not getattr(model, "built", True):
            ensure_built(model, (self._data if self._data is not None else self.space.load_data()).x)
        checkpoints.restore(model, path)
        return model

    def dataframe(self) -> Any:
        """Return one row a trial as a `pandas.DataFrame`; hyperparameters are columns named `values.NAME`."""
        import pandas

        return pandas.json_normalize([trial.to_json() for trial in self.trials])

    def to_json(self) -> dict[str, Any]:
        """Return the object that `tune run --json` and `tune show --json` print."""
        best = self.best
        return {
            "study": self.name,
            "path": str(self.path),
            "space": self.definition.space,
            "engine": self.definition.engine,
            "seed": self.definition.seed,
            "objective": {"name": self.objective.name, "direction": self.objective.direction},
            "best": None if best is None else best.score,
            "trials": [trial.to_json() for trial in self.trials],
        }


def find_studies(logs: str | Path) -> list[Path]:
    """Return the folders of all studies below `logs`, by name."""
    return sorted(path.parent for path in Path(logs).glob("*/trials.db"))


def load(path: str | Path, space: SearchSpace | None = None, storage: str | None = None) -> Study:
    """Open a study by its folder.

    Args:
        path: such as `logs/fashion_mnist-hyperband`.
        space: needed to rebuild models when the study searched a space that was made in a program.
        storage: URL of its database, where it is not the file in the folder.

    Raises:
        StudyError: there is no study.
    """
    return Study(path, space, storage=storage)
