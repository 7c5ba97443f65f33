"""`Study`: trials, the best of them, their models.

Owns what a study holds for its user, and finding the space and data that its models need. Everything comes from the
store and the checkpoints; nothing is trained here, and nothing of the study is changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuning.data import Data
from tuning.driver.command import command
from tuning.engines.registry import engine_kind, engines_that
from tuning.errors import SpaceError, StudyError, brief_methods, raise_all, whole_number
from tuning.records import arguments, words
from tuning.records.definition import Definition
from tuning.records.objective import Objective
from tuning.records.ranking import pareto, ranked
from tuning.records.trial import Trial
from tuning.space import SearchSpace, as_space, bundled_spaces, resolve
from tuning.storage.folder import CHECKPOINTS, SOURCE
from tuning.storage.lock import refuse_if_locked
from tuning.storage.store import Store, without_password
from tuning.study import models, shown, tables
from tuning.study.plots import Plots
from tuning.study.told import told
from tuning.training.fit import data_of

if TYPE_CHECKING:
    import optuna
    import pandas


@brief_methods
class Study:
    """A study in a folder.

    Args:
        path: the study's folder, such as `logs/fashion_mnist-optuna`.
        space: what was searched, or its name: whatever `search` takes; needed for the models of a space that was made
            in a program.
        data: the data of `space`, where they were given to `search`.
        storage: URL of its database; None for the file in the folder.
        trust: run the module or file that a study names as its space, although another user, or another machine, has
            made the study.
        trials: all trials, where they have been read before.

    Attributes:
        folder: `path`, wherever the working folder is by then: a space may change it.
        definition: what was searched and how.
        trials: all trials by number.
        final: the record of the final model, as `tuning.finalize` wrote it; None when there is none.
    """

    def __init__(
        self,
        path: str | Path,
        space: Any = None,
        data: Data | None = None,
        storage: str | None = None,
        trust: bool = False,
        trials: list[Trial] | None = None,
    ) -> None:
        self.path = Path(path)
        self.folder = self.path.absolute()
        store = Store.of(self.path, storage)
        try:
            definition = store.definition()
            if definition is None:
                where = self.path if storage is None else without_password(storage)
                raise StudyError(f"`study` must be a study, but there is no '{self.path.name}' in {where}.")
            self.definition: Definition = definition
            self.trials: list[Trial] = store.read()[0] if trials is None else trials
            self.final: Mapping[str, Any] | None = store.final()
            self._is_trusted = trust or store.is_own(definition)
        finally:
            store.close()
        self._given, self._data = space if space is None or isinstance(space, str) else as_space(space), data

    def __repr__(self) -> str:
        return shown.summary(self, 3)

    @property
    def plot(self) -> Plots:
        """Its pictures, as figures of plotly: `study.plot.history()`, `.curves()`, `.importance()` and others."""
        return Plots(self)

    def _repr_html_(self) -> str:
        return shown.html(self)

    def summary(self, top: int = shown.TOP) -> str:
        """Return what the study is, its best trial, and a line for each of its best trials; print it or look at it."""
        raise_all(whole_number("top", top, 1))
        return shown.summary(self, top)

    def space_summary(self) -> str:
        """Return a line for each hyperparameter: its values, its default, and when it applies."""
        return shown.space_summary(self)

    @property
    def name(self) -> str:
        """The name of its folder, which may have been renamed since the search."""
        return self.path.name

    @property
    def is_live(self) -> bool:
        """Whether a driver is searching it just now."""
        try:
            refuse_if_locked(self.folder)
        except StudyError:
            return True
        return False

    @property
    def objective(self) -> Objective:
        return self.definition.objective

    @property
    def best(self) -> Trial | None:
        """The trial with the best score of those that keep the constraints; None while there is none."""
        return next(iter(ranked(self.trials, self.objective)), None)

    @property
    def pareto(self) -> list[Trial]:
        """The trials that no other beats in every objective; empty for studies of one objective."""
        objectives = self.definition.objectives
        return pareto(self.trials, objectives) if len(objectives) > 1 else []

    def top(self, n: int) -> list[Trial]:
        """Return the `n` best trials that have a score, best first; fewer when there are fewer."""
        raise_all(whole_number("n", n, 1))
        return ranked(self.trials, self.objective)[:n]

    def best_values(self, n: int) -> list[dict[str, Any]]:
        """Return the hyperparameters of the `n` best trials, best first; those of the best are `best.values`."""
        return [dict(trial.values) for trial in self.top(n)]

    def _best(self) -> Trial:
        best = self.best
        if best is None:
            keeps = f" that keeps {words.constraints(self.definition)}" if self.definition.constraints else ""
            raise StudyError(
                f"study '{self.name}' must have a trial with a score{keeps}, but it has none of {len(self.trials)}."
            )
        return best

    @property
    def has_space(self) -> bool:
        """Whether the space can be found: it was given, or the study names it."""
        return self._given is not None or self.definition.space_source is not None

    @property
    def source(self) -> str | None:
        """The text of the function or class that was searched, to be read; None where it has a file of its own."""
        path = self.folder / SOURCE
        return path.read_text(encoding="utf-8") if path.is_file() else None

    @cached_property
    def space(self) -> SearchSpace:
        """The space, found again by its source where it was not given."""
        given = self.definition.space_source if self._given is None else self._given
        if given is None:
            raise SpaceError(
                f"the space of study '{self.name}' was made in a program, so it cannot be found again. "
                "Pass it: tuning.load(path, space=...). Its text is in study.source."
            )
        if self._given is None and not self._is_trusted and given not in bundled_spaces():
            raise SpaceError(
                f"study '{self.name}' names '{given}' as its space, and that code would run; but no search of yours on "
                "this machine has made the study. If you trust it, say so: --trust, or tuning.load(path, trust=True). "
                "A space of your own is given with tuning.load(path, space=...)."
            )
        return resolve(given) if isinstance(given, str) else given

    @property
    def data(self) -> Data:
        """The data that were given, or else the space's own."""
        if self._data is None:
            self._data = data_of(self.space)
        return self._data

    def best_model(self) -> Any:
        """Return the model of the best trial with the weights of its best epoch, compiled.

        Evaluated on the validation data it gives the recorded score: see `evaluate`. Of several models, one a fold or
        repeat, it is the best one, and a warning says which.

        Raises:
            StudyError: its weights were not kept.
        """
        return self.model(self._best())

    def best_models(self, n: int) -> list[Any]:
        """Return the models of the `n` best trials, best first; as many as `search` was told to `keep` are there."""
        return list(map(self.model, self.top(n)))

    def model(self, trial: Trial | int) -> Any:
        """Return a trial's model with the weights of its best epoch; of several the best one, as `best_model` does.

        Raises:
            StudyError: its checkpoint was not kept, only those of the best trials are.
        """
        return models.only(self, self._trial(trial))

    def models(self, trial: Trial | int) -> list[Any]:
        """Return the models of a trial's trainings in order, each with the weights of its best epoch.

        Evaluated on the validation data of its fold, `fold_data(fold)`, each gives its recorded score.

        Raises:
            StudyError: their checkpoints were not kept, or the trial has but one model.
        """
        return models.every(self, self._trial(trial))

    def fold_data(self, fold: int) -> Data:
        """Return the training and validation data of a fold.

        Raises:
            StudyError: the study has no folds, or its data are not to be had again.
        """
        return models.data_of(self, fold)

    def untrained_model(self, trial: Trial | int) -> Any:
        """Return the model of a trial's values, built and compiled, with fresh weights."""
        return models.built(self, self._trial(trial).values)

    def final_model(self) -> Any:
        """Return the model that `tuning.finalize` trained, compiled.

        Raises:
            StudyError: there is none.
        """
        return models.final(self)

    def checkpoint(self, trial: Trial | int, training: int = 0) -> Path | None:
        """Return the file with the weights of the best epoch of a trial's training; None when they were not kept."""
        found = models.checkpoint(self, self._trial(trial), training)
        return None if found is None else self.path / CHECKPOINTS / found.name

    def evaluate(self, trial: Trial | int | None = None, model: Any = None) -> dict[str, float]:
        """Evaluate a trial's model on the validation data, in the batches in which it was validated in the search.

        The result holds the recorded score, under the objective's name without `val_`. Floating-point sums differ
        in their last bits with the order of summation, which compiled epochs and `model.evaluate` each choose for
        themselves: expect equality to 1e-6 of the value, and of a ratio of counts, such as accuracy, to the last bit.

        Args:
            trial: default: the best; of one with folds, the best fold's model on that fold's validation data.
            model: evaluated instead of the trial's own, such as one that was saved and loaded again.

        Raises:
            DataError: there are no validation data.
        """
        trial = self._best() if trial is None else self._trial(trial)
        return models.evaluated(self, trial, model)

    def batch_size(self, trial: Trial) -> int | None:
        """Return the batch size of a trial, as far as it is known: by the hyperparameter or argument of that name."""
        size = trial.values.get("batch_size", self.fit_options()[0].get("batch_size"))
        return size if isinstance(size, int) and not isinstance(size, bool) else None

    def fit_options(self) -> tuple[dict[str, Any], dict[str, str]]:
        """Return the further arguments of `fit`: by value, and in words those that cannot be made again."""
        values, texts = {}, {}
        for name, form in self.definition.fit.items():
            try:
                values[name] = arguments.value_of(form)
            except ValueError:
                texts[name] = arguments.in_words(form)
        return values, texts

    def command(self) -> str | None:
        """Return the `tune run` command that searches the same again; None where no command can say it."""
        return command(self.definition, self.trials)

    def save(self, path: str | Path, trial: Trial | int | None = None) -> Path:
        """Save a trial's model; return where it is.

        Args:
            path: `NAME.keras` for the whole model with its optimizer, `NAME.weights.h5` for weights alone, or a
                folder for a SavedModel of TensorFlow, which answers but cannot be trained.
            trial: default: the best.

        Raises:
            OptionError: the name says none of these.
            StudyError: the weights were not kept, or the file cannot be written.
        """
        return models.saved(self, self._best() if trial is None else self._trial(trial), path)

    def _trial(self, trial: Trial | int) -> Trial:
        if isinstance(trial, Trial):
            return trial
        found = next((one for one in self.trials if one.number == trial), None)
        if found is None:
            raise StudyError(f"`trial` must be one of the {len(self.trials)} trials, counted from 0, but got {trial}.")
        return found

    @cached_property
    def search_(self) -> Any:
        """The search object of scikit-learn's of a study of the engine "grid", as its `fit` leaves it.

        It has `cv_results_`, `best_params_`, `best_score_`, `best_index_` and `n_splits_`; scores of an objective that
        is minimised are negated. It has no `best_estimator_`.

        Raises:
            StudyError: another engine searched, or candidates are still to be trained.
        """
        own_results = engine_kind(self.definition.engine).own_results
        if own_results is None:
            able = " or ".join(engines_that("own_results"))
            raise StudyError(
                f"study '{self.name}' must be of the engine {able}, but it is of {self.definition.engine}."
            )
        return own_results(self.definition, self.trials)

    @property
    def cv_results_(self) -> dict[str, Any]:
        """The `cv_results_` of scikit-learn's search; see `search_`."""
        results: dict[str, Any] = self.search_.cv_results_
        return results

    @property
    def best_params_(self) -> dict[str, Any]:
        """The `best_params_` of scikit-learn's search; see `search_`."""
        params: dict[str, Any] = self.search_.best_params_
        return params

    def dataframe(self) -> pandas.DataFrame:
        """Return one row a trial.

        Hyperparameters are columns named `values.NAME`, all metrics at the best epoch `metrics.NAME`; `started_at` and
        `ended_at` are times in UTC.
        """
        return tables.of_trials(self.trials)

    def curves(self) -> pandas.DataFrame:
        """Return one row an epoch: `trial`, `epoch` from 0, and a column for each metric; with folds, their mean."""
        return tables.of_epochs(self.trials)

    def to_optuna(self) -> optuna.Study:
        """Return a study of Optuna's in memory, for its own tools: metrics with their names, choices by value."""
        return told(self)

    def to_json(self) -> dict[str, Any]:
        """Return the object that `tune run --json` and `tune show --json` print."""
        best = self.best
        return {
            "study": self.name,
            "path": str(self.path),
            **{name: getattr(self.definition, name) for name in ("space", "engine", "seed")},
            "objective": {"name": self.objective.name, "direction": self.objective.direction},
            **({} if self.definition.cv is None else {"cv": dict(self.definition.cv)}),
            **({} if self.definition.repeats is None else {"repeats": self.definition.repeats}),
            **({"constraints": list(map(str, self.definition.constraints))} if self.definition.constraints else {}),
            "best": None if best is None else best.score,
            **self._objectives(),
            "final": self.final,
            "trials": [trial.to_json() for trial in self.trials],
        }

    def _objectives(self) -> dict[str, Any]:
        """Return what is told of a study of several objectives besides."""
        objectives = self.definition.objectives
        if len(objectives) == 1:
            return {}
        return {
            "objectives": [{"name": o.name, "direction": o.direction} for o in objectives],
            "pareto": [trial.number for trial in self.pareto],
        }
