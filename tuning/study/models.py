"""The models of a study's trials, made again from their values and checkpoints.

Owns building, restoring, evaluating and saving them, and what is said where that cannot be. `Study` has the methods
that people call.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuning.compiled.naming import numbered_afresh
from tuning.data import Data, with_folds
from tuning.data import fold as data_of_fold
from tuning.errors import DataError, StudyError, users_line
from tuning.files import digest
from tuning.records.trial import Trial
from tuning.space import HyperParameters
from tuning.space.imports import import_keras
from tuning.storage.folder import CHECKPOINTS, FINAL_MODEL, MODEL_FILE
from tuning.training import checkpoints, export
from tuning.training.models import ensure_built, fixed_batch
from tuning.training.shapes import build

if TYPE_CHECKING:
    from tuning.study.study import Study


def only(study: Study, trial: Trial) -> Any:
    """Return the model of a trial; of one that has several the best one's, and say so."""
    if not trial.is_divided:
        return restored(study, trial, 0)
    training = best_training(study, trial)
    warnings.warn(
        f"trial {trial.number} has {len(trial.trainings)} models, of {_division(study)}: this is that of "
        f"{study.definition.training_names[training]}, the best one. study.models({trial.number}) returns them all, "
        "and `tune finalize` trains one model of its values.",
        stacklevel=users_line(),
    )
    return restored(study, trial, training)


def best_training(study: Study, trial: Trial) -> int:
    """Return which of a trial's trainings has the best score.

    Raises:
        StudyError: none has one.
    """
    scores = [math.nan if score is None else score for score in trial.part_scores]
    best = study.objective.best(scores)
    if best is None:
        raise StudyError(f"trial {trial.number} must have a training with a score, but none of them has ended.")
    return best[0]


def every(study: Study, trial: Trial) -> list[Any]:
    """Return the models of a trial that has several."""
    if not trial.is_divided:
        raise StudyError(f"trial {trial.number} has one model: study.model({trial.number}) returns it.")
    return [restored(study, trial, training) for training in range(len(trial.trainings))]


def checkpoint(study: Study, trial: Trial, training: int) -> Path | None:
    """Return the file with the weights of the best epoch of a training; None when they were not kept."""
    folder, stem = study.folder / CHECKPOINTS, checkpoints.stem(trial.number, training, study.definition.is_divided)
    if not trial.state.is_finished:  # a better epoch may have been written that is not recorded
        return checkpoints.recorded_best(folder, stem, trial.trainings[training].best_epoch)
    path = checkpoints.best_path(folder, stem)
    return path if path.is_file() else None


def restored(study: Study, trial: Trial, training: int) -> Any:
    """Return the model of one of a trial's trainings with the weights of its best epoch."""
    path = checkpoint(study, trial, training)
    if path is None:
        kept = checkpoints.kept_trials(study.folder / CHECKPOINTS)
        raise StudyError(
            f"the weights of trial {trial.number} are not kept; kept are those of trials {kept}. "
            "Search again with a larger keep=, or train the trial's values again."
        )
    whole = checkpoints.whole_path(path)
    if not study.has_space and whole.is_file():
        import_keras()
        return export.load(whole, None)
    model = untrained(study, trial.values)
    if checkpoints.shapes_in(path) is None:
        ensure_built(model, study.data.fresh().x)
    checkpoints.restore(model, path)
    return model


def built(study: Study, values: Mapping[str, Any]) -> Any:
    """Return the model of a configuration, compiled, with fresh weights."""
    model = untrained(study, values)
    if not getattr(model, "built", True):
        ensure_built(model, study.data.fresh().x)
    return model


def untrained(study: Study, values: Mapping[str, Any]) -> Any:
    """Return what the space builds of a configuration, which need not have weights yet."""
    import_keras()
    with numbered_afresh():  # the metrics have the names that the trial has reported
        return study.space.build(HyperParameters(values))


def final(study: Study) -> Any:
    """Return the model that was trained at the end."""
    path = study.folder / FINAL_MODEL / MODEL_FILE
    if study.final is None or not path.is_file():
        what = "has none" if study.final is None else f"its file {path} is missing"
        raise StudyError(f"study '{study.name}' must have a final model, but {what}. `tune finalize` makes one.")
    if study.final.get("digest") not in (None, digest(path)):
        raise StudyError(
            f"the final model of study '{study.name}' must be the one that its record names, but {path} is another: "
            "`tune finalize` was killed before it was in place. `tune finalize --again` makes it anew."
        )
    if study.final.get("is_whole"):
        import_keras()
        return export.load(path, None)
    shapes = study.final.get("shapes")
    if shapes is None:  # a record of an earlier version
        return export.load_weights(path, built(study, study.final["values"]))
    model = untrained(study, study.final["values"])
    build(model, shapes)
    return export.load_weights(path, model)


def evaluated(study: Study, trial: Trial, model: Any = None) -> dict[str, float]:
    """Return the metrics of a model, by default the trial's, on the validation data, in batches of the trial's size."""
    d, fold = study.definition, None
    if model is None:
        model = only(study, trial)
        fold = None if d.cv is None else d.fold_and_repeat(best_training(study, trial))[0]
    options = study.fit_options()[0]
    data = study.data.fresh() if fold is None else data_of(study, fold)
    validation = _validation(data, options.get("validation_split"))
    if validation is None:
        raise DataError(f"study '{study.name}' must have validation data to evaluate on, but has none.")
    given = validation if isinstance(validation, tuple) else (validation,)
    named = dict(zip(("x", "y", "sample_weight"), given, strict=False))
    if named.get("y") is not None:
        named["y"] = study.space.targets(model, named["x"], named["y"])
    steps = options.get("validation_steps")
    if hasattr(validation, "__next__") and steps is None:
        raise DataError(f"the validation data of study '{study.name}' are a generator: say validation_steps=N.")
    comes_in_batches = len(given) == 1 and not hasattr(validation, "shape") and not isinstance(validation, tuple)
    size = options.get("validation_batch_size", study.batch_size(trial)) or fixed_batch(model)
    size = None if comes_in_batches else size
    metrics: dict[str, float] = model.evaluate(**named, batch_size=size, steps=steps, verbose=0, return_dict=True)
    return metrics


def _validation(data: Data, split: Any) -> Any:
    """Return what trials are validated on: data of their own, or the part that Keras splits off."""
    if data.validation is not None or not split:
        return data.validation
    from tuning.compiled.arrays import split as split_off

    return split_off(data.x, data.y, data.sample_weight, split)[1]


def saved(study: Study, trial: Trial, path: str | Path) -> Path:
    """Save a trial's model in the format that the name stands for; return where it is."""
    needs_inputs, target = export.format_of(path) == "saved_model", Path(path).absolute()
    export.save(only(study, trial), target, study.data.fresh().x if needs_inputs else None)
    return Path(path)


def data_of(study: Study, fold: int) -> Data:
    """Return the training and validation data of a fold."""
    description, data = study.definition.cv, study.data
    if description is None:
        raise StudyError(f"study '{study.name}' must be one with folds (cv=K), but it has none.")
    if data.folds is None and description["is_number"]:
        divided, found = with_folds(data, description["folds"], study.definition.seed)
        data = divided if found == description else data
    if data.folds is None:
        raise StudyError(f"the folds of study '{study.name}' cannot be made again: its data or splitter were given.")
    return data_of_fold(data, fold)


def _division(study: Study) -> str:
    d = study.definition
    words = [f"{n} {what}" for n, what in ((d.n_folds, "folds"), (d.repeats, "repeats")) if n is not None]
    return " x ".join(words)
