"""`finalize`: the best values trained afresh on all but the test split, and scored there once.

Owns the order that keeps the test score honest: everything that can be refused is refused before training, all
choices (values, epochs, the seed of the model that is saved) are made before the test split is read, and that it has
been evaluated is stored before anything is shown.
"""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from tuning.compiled.naming import numbered_afresh
from tuning.data import Data, n_samples, with_validation
from tuning.driver.seeds import seed_of_trial
from tuning.errors import (
    DataError,
    OptionError,
    SpaceError,
    StudyError,
    TuningError,
    briefly,
    one_line,
    raise_all,
    whole_number,
)
from tuning.files import digest, replaced, write_text
from tuning.final.card import CARD, model_card
from tuning.final.inputs import Inputs
from tuning.final.record import Final
from tuning.records.schedule import Piece, schedule_of
from tuning.records.trial import Trial
from tuning.space import HyperParameters
from tuning.space.imports import backend, import_keras
from tuning.storage.folder import CALLBACKS, FINAL_MODEL, MODEL_FILE
from tuning.storage.lock import locked
from tuning.storage.store import Store
from tuning.study import Study, checked
from tuning.study.models import untrained
from tuning.training import export
from tuning.training.fit import assembled, fit_space
from tuning.training.messages import Decision
from tuning.training.models import fixed_batch, go_on_from, is_keras_model, one_batch
from tuning.training.options import TrainingOptions
from tuning.training.outcome import is_number
from tuning.training.seeding import generators_kept, seed_keras
from tuning.training.shapes import shapes_of
from tuning.training.vocabularies import vocabularies_of

Listener = Callable[[int, int, Mapping[str, float]], None]
"""Told of each epoch that ended: which training (from 0), which epoch (from 0), its metrics."""

_NOT_REPEATED = ("patience", "anneal", "validation_split", "epochs", "initial_epoch")
"""Arguments of a trial's `fit` that a final training has no use for."""


@briefly
def finalize(
    study: Study,
    *,
    seeds: int = 1,
    again: bool = False,
    anneal: bool | None = None,
    test_data: Any = None,
    storage: str | None = None,
    listener: Listener | None = None,
    **fit_options: Any,
) -> Final:
    """Train the best values on training and validation data, and evaluate once on the test split.

    Training goes up to the best trial's best epoch; with folds or repeats, that of their mean curve. What the space's
    `fit` learns from its training data, such as the statistics of a Normalization layer, it learns anew from the
    joined data; what `load_data` has done to all splits stays as it is.

    With several seeds the model that is saved is that of the first one: a choice made before any test score is known,
    so its score is no better than chance would have it. The others show the spread.

    Args:
        study: a study with a scored trial.
        seeds: number of trainings, each with initial weights and an order of samples of its own.
        again: evaluate on the test split although that was done before.
        anneal: let the learning rate fall to nearly zero over the training, along half a cosine; default: as in the
            search. A search compares best epochs, of which a training at a constant rate has good and bad ones by
            chance; it ends on one of them, an annealed one near the best.
        test_data: (x, y), or a dataset or sequence of both, as the model takes them: a `fit` that prepares its data is
            not asked to prepare these. Default: the test split of the space's data.
        storage: URL of the study's database, where it is not the file in its folder.
        listener: told of each epoch.
        **fit_options: further keyword arguments of the space's `fit`; default: those of the search.

    Returns:
        What is known about the model; `study.final_model()` loads it.

    Raises:
        StudyError: no trial has a score, the test split was evaluated before, or another process drives the study.
        DataError: there is no test split, or the data cannot be joined or have changed since the search.
        SpaceError: the training raises, or the space's models are not Keras's, or cannot be saved or evaluated.
    """
    raise_all(whole_number("seeds", seeds, 1))
    anneal = checked(study).definition.anneal if anneal is None else anneal
    with locked(study.folder):
        store = Store.of(study.folder, storage, exclusive=True)
        try:
            store.claim()
            earlier = _earlier(study, store.final(), again)
            trial = _best(study)
            options = _fit_options(study, fit_options)
            test = _load_test(study, test_data)
            _refuse_other_data(study)
            data = with_validation(study.data.fresh())
            n_training = n_samples(data.x)
            metric = _metric(study, trial)
            started = time.perf_counter()
            models, drawn = [], tuple(seed_of_trial(study.definition.seed, -1 - i) for i in range(seeds))
            for index, seed in enumerate(drawn):
                tell = _teller(listener, index)
                folder = study.folder / CALLBACKS / f"final_{index}"
                models.append(_trained(study, trial, data, seed, tell, options, folder, anneal))
            seconds = time.perf_counter() - started
            found = test()
            x, y = found if isinstance(found, tuple) else (found, None)
            scores = tuple(_evaluated(study, model, x, y, study.batch_size(trial), metric) for model in models)
            final = Final(
                study=study.name,
                trial=trial.number,
                values=dict(trial.values),
                epochs=_epochs(trial),
                annealed=anneal,
                validation_score=_score(trial),
                metric=metric,
                seeds=drawn,
                scores=scores,
                n_training=n_training,
                n_test=n_samples(x),
                seconds=round(seconds, 3),
                inputs=None if (inputs := Inputs.of(data.x)) is None else inputs.to_json(),
                classes=data.target_names,
                versions=_versions(),
                created_at=time.time(),
                earlier=earlier,
                shapes=shapes_of(models[0]),
                is_whole=vocabularies_of(models[0]) is not None,
            )
            final = _keep(study, store, models[0], final)
        finally:
            store.close()
    return final


# Before training ----------------------------------------------------------------------------------------


def _earlier(study: Study, stored: Mapping[str, Any] | None, again: bool) -> tuple[float, ...]:
    """Return the earlier scores on the test split, which must not be any unless `again`."""
    if stored is None:
        return ()
    before = Final.from_json(stored)
    if not again:
        raise StudyError(
            f"the test split was evaluated for study '{study.name}' already: {before.metric} {before.score:.4f}. A "
            "score on data that has been looked at before tells less with each look, since choices come to depend on "
            "it. --again (again=True) does it all the same, and the model card will say so."
        )
    return (*before.earlier, before.score)


def _best(study: Study) -> Trial:
    if study.best is None:
        n = len(study.trials)
        raise StudyError(f"study '{study.name}' must have a trial with a score, but it has none of {n}.")
    return study.best


def _epochs(trial: Trial) -> int:
    return 1 if trial.best_epoch is None else trial.best_epoch + 1


def _score(trial: Trial) -> float:
    return math.nan if trial.score is None else trial.score


def _fit_options(study: Study, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `fit`: the given ones, and those of the search."""
    values, texts = study.fit_options()
    unknown = {name: text for name, text in texts.items() if name not in given and text != "[]"}
    if unknown:
        listed = ", ".join(f"{name}={text}" for name, text in unknown.items())
        raise OptionError(
            f"study '{study.name}' was trained with {listed}, which cannot be made again from their names. Pass them "
            f"to tuning.finalize(study, {next(iter(unknown))}=...); callbacks=[] trains without."
        )
    return {**{k: v for k, v in values.items() if k not in _NOT_REPEATED and v is not None}, **given}


def _load_test(study: Study, given: Any) -> Callable[[], Any]:
    """Return what loads the test split; it is not read yet."""
    if given is not None:
        return lambda: given
    if study.data.load_test is None:
        raise DataError(
            f"the data of study '{study.name}' must have a test split to be finalized, but have none. Let load_data "
            "return Data(..., load_test=function), or call tuning.finalize(study, test_data=(x, y))."
        )
    return study.data.load_test


def _refuse_other_data(study: Study) -> None:
    """Refuse data that are not those the study was searched on."""
    data = study.data if study.definition.cv is None else with_validation(study.data)  # folds divide both together
    now, then = data.fingerprint(), study.definition.data
    changed = [name for name in {**then, **now} if now.get(name) != then.get(name)]
    if changed:
        name = changed[0]
        is_now, was = now.get(name, "absent"), then.get(name, "absent")
        raise DataError(
            f"the data of study '{study.name}' must be those it was searched on, but {name} is {is_now}, in the study "
            f"{was}."
        )


def _metric(study: Study, trial: Trial) -> str:
    """Return the objective as `evaluate` calls it, found on a few samples with fresh weights.

    What a `fit` of the space's own does to the samples is not known, so that only training can tell there.
    """
    name = study.objective.name.removeprefix("val_")
    model = untrained(study, trial.values)
    if not is_keras_model(model):
        raise SpaceError(f"space '{study.definition.space}' must build Keras models to be finalized, but does not.")
    model.run_eagerly = True
    export.refuse_unsavable(model)
    try:
        known = model.evaluate(**one_batch(study.data.fresh(), fixed_batch(model) or 1), verbose=0, return_dict=True)
    except Exception as error:
        if study.space.has_own_fit:
            return name
        raise _unevaluated(study, error) from error
    _refuse_unknown(study, name, known)
    return name


def _refuse_unknown(study: Study, name: str, known: Mapping[str, Any]) -> None:
    if name not in known:
        raise StudyError(
            f"the objective of study '{study.name}' must be a metric that model.evaluate gives, but '{name}' is none "
            f"of {', '.join(known)}: only the space's own fit reports it, so a test split cannot be scored by it."
        )


def _unevaluated(study: Study, error: Exception) -> SpaceError:
    return SpaceError(
        f"the models of study '{study.name}' must be such that model.evaluate scores them on a test split, but it "
        f"raised {one_line(error)} Where `fit` prepares its data, give test_data as "
        "the model takes them; a model with a train_step of its own needs a test_step."
    )


# Training and evaluation --------------------------------------------------------------------------------


def _trained(
    study: Study,
    trial: Trial,
    data: Data,
    seed: int,
    tell: Callable[..., Decision],
    options: Mapping[str, Any],
    folder: Path,
    anneal: bool,
) -> Any:
    """Return a model of the trial's values, trained from scratch; its callbacks may write into `folder`."""
    import_keras()

    with generators_kept(), numbered_afresh():
        seed_keras(seed)
        model, epochs = None, _epochs(trial)
        told = TrainingOptions(anneal=epochs if anneal else None, fit_options=options)
        try:
            for piece in _pieces(study, trial, epochs):
                hp, before = HyperParameters(piece.values), model
                model = study.space.build(hp)
                if before is not None:
                    go_on_from(model, before, data.x)
                arguments = assembled(study.space, model, told, tell, folder)
                start, stop = piece.start, piece.stop
                fit_space(study.space, hp, model, data, epochs=stop, initial_epoch=start, **arguments)
        except TuningError:
            raise
        except Exception as error:
            raise SpaceError(
                f"the final training of study '{study.name}' raised {type(error).__name__}: "
                f"{' '.join(str(error).split())[:500]}"
            ) from error
    vars(model).pop("fit", None)  # put there by fit_space
    return model


def _pieces(study: Study, trial: Trial, epochs: int) -> tuple[Piece, ...]:
    """Return the schedule of a trial whose values have changed while it was trained, or its values for all epochs."""
    pieces = schedule_of(trial, study.trials, epochs)
    return pieces if len(pieces) > 1 else (Piece(0, epochs, trial.values),)


def _teller(listener: Listener | None, index: int) -> Callable[[Mapping[str, Any]], Decision]:
    """Return what takes each epoch's metrics; it refuses those of a training that diverged."""
    epoch = -1

    def tell(logs: Mapping[str, Any]) -> Decision:
        nonlocal epoch
        epoch += 1
        metrics = {name: float(value) for name, value in logs.items() if is_number(value)}
        if any(math.isnan(value) for value in metrics.values()):
            raise StudyError(
                f"training {index} diverged: {', '.join(f'{k} {v}' for k, v in metrics.items())} in epoch {epoch}. The "
                "test split has not been touched. Take another trial's values, or search lower learning rates."
            )
        if listener is not None:
            listener(index, epoch, metrics)
        return Decision.GO

    return tell


def _evaluated(study: Study, model: Any, x: Any, y: Any, batch_size: int | None, metric: str) -> dict[str, float]:
    try:
        scores = model.evaluate(x, y, batch_size=batch_size or fixed_batch(model), verbose=0, return_dict=True)
    except Exception as error:
        raise _unevaluated(study, error) from error
    _refuse_unknown(study, metric, scores)
    return {name: float(value) for name, value in scores.items() if is_number(value)}


def _keep(study: Study, store: Store, model: Any, final: Final) -> Final:
    """Save model, record and card; return the record, which names the model by its digest.

    An earlier model stays until the new record is stored; one that dies just then leaves a model that is refused.
    """
    folder = study.folder / FINAL_MODEL
    with replaced(folder / MODEL_FILE) as draft:
        export.save(model, draft)
        final = replace(final, digest=digest(draft))
        store.save_final(final.to_json())
    study.final = final.to_json()
    write_text(folder / CARD, model_card(study, final))
    return final


def _versions() -> dict[str, str]:
    named = {name: import_module(name).__version__ for name in ("tuning", "keras", backend(), "numpy")}
    return {"python": platform.python_version(), **named}
