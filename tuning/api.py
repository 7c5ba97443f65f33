"""`search`: what a person gives, checked and put together; then the loop.

Owns the defaults and the order of the checks: everything that was given is checked, preflight has looked at
the data, and a stored study has been compared, before anything is written or deleted.
"""

from __future__ import annotations

import contextlib
import random
import re
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tuning.data import Data, with_folds
from tuning.driver.loop import Search
from tuning.driver.observer import Observer
from tuning.engines.first import completed
from tuning.engines.registry import (
    ENGINES,
    engine_kind,
    make_engine,
    read_options,
    settle,
    stored_options,
)
from tuning.errors import ObjectiveError, OptionError, StudyError, guess, must, raise_all
from tuning.executors.base import Executor
from tuning.executors.in_process import InProcessExecutor
from tuning.executors.processes import ProcessExecutor, visible_gpus
from tuning.preflight import Findings, check
from tuning.records.arguments import remembered
from tuning.records.definition import Definition
from tuning.records.objective import RESOURCES, Objective, listed, primary
from tuning.space import as_space, resolve
from tuning.storage.folder import DATABASE, TENSORBOARD, study_files
from tuning.storage.lock import locked, refuse_if_locked
from tuning.storage.store import Store
from tuning.study import Study
from tuning.tensorboard import TensorBoardObserver
from tuning.training import callbacks
from tuning.training.options import TrainingOptions
from tuning.training.summaries import Log

EPOCHS = 10
STUDY_NAME = re.compile(r"[A-Za-z0-9._-]*[A-Za-z0-9][A-Za-z0-9._-]*")


def search(
    space: Any,
    x: Any = None,
    y: Any = None,
    *,
    validation_data: Any = None,
    objective: str | Objective | Sequence[str | Objective] | None = None,
    engine: str = "hyperband",
    trials: int | None = None,
    epochs: int | None = None,
    options: Mapping[str, Any] | None = None,
    fix: Mapping[str, Any] | None = None,
    tries: Sequence[Mapping[str, Any]] | None = None,
    study: str | None = None,
    logs: str | Path = "logs",
    storage: str | None = None,
    seed: int | None = None,
    overwrite: bool = False,
    patience: int | None = None,
    anneal: bool | None = None,
    compiled: bool = True,
    keep: int = 3,
    workers: int = 1,
    in_process: bool | None = None,
    time_limit: float | None = None,
    silence_limit: float | None = None,
    cv: Any = None,
    repeats: int | None = None,
    observers: Sequence[Observer] = (),
    log: Sequence[str] = (),
    **fit_options: Any,
) -> Study:
    """Search a space; go on with the study when it exists.

    Args:
        space: a `SearchSpace`, a KerasTuner `HyperModel`, a `build_model(hp)` function, or the name of a
            bundled space, a module or a .py file.
        x, y, validation_data: as for `model.fit`; default: the space's own data.
        objective: such as "val_accuracy" or "val_rmse:min", or a list of several, among which may be what a model
            costs: "n_params", "model_bytes", "seconds_per_epoch", "predict_ms"; default: the space's own.
        engine: "random", "hyperband", "bayesian", "optuna" or "grid".
        trials: number of trials in all, those of a resumed study included; default: the engine's.
        epochs: budget of one trial, in epochs; default: the space's own, or 10.
        options: options of the engine; see `tune engines`.
        fix: hyperparameters that are not searched, with their values.
        tries: configurations that are tried first; what they leave open has its default. Default: the stored ones.
        study: name of the study and of its folder; default: space-engine.
        logs: folder of all studies.
        storage: URL of a database for the trials, such as "postgresql://..."; default: a file in the study's folder.
        seed: seeds proposals, weights and shuffling; default: drawn, or the stored one.
        overwrite: delete the study if it exists, and start afresh.
        patience: epochs without a better objective after which a run ends early, 0 for never; default: the space's
            own, with `anneal` never.
        anneal: let the learning rate of each trial fall to nearly zero over its epochs, along half a cosine; default:
            as the study does, or not.
        compiled: run epochs as compiled programs where possible.
        keep: number of best trials whose weights are kept.
        workers: number of trials that are trained at once, each in a process of its own; 1 trains in this process.
        in_process: whether to train in this process; default: with one worker. TensorFlow never frees what it has
            compiled, so a search of hundreds of architectures should have a worker process, which is replaced
            when it has grown, even if it is a single one.
        time_limit: seconds after which running trials end their epoch and the search pauses.
        silence_limit: seconds without an ended epoch after which a worker is taken for dead, infinity for never;
            default: ten times the longest epoch that was seen, and at least five minutes.
        cv: train each configuration on folds of the data, training and validation data joined, and score it by
            the mean: a number of folds, a splitter of scikit-learn's, or a list of (training rows, validation rows).
        repeats: train each configuration so often, with different seeds, and score it by the mean.
        observers: told what happens; see `tuning.Observer`.
        log: what to write for TensorBoard besides: "graph", "histograms", "summaries", "profile=3,5".
        **fit_options: further keyword arguments of the space's `fit`, such as `batch_size`. `callbacks` are a list,
            of which each trial has copies of its own, or a function that gets the trial's own folder and returns one.

    Returns:
        The study. Interrupted or killed, the same call goes on where it was.

    Raises:
        TuningError: something given does not fit, preflight refuses, or every trial failed.
    """
    problem = as_space(resolve(space) if isinstance(space, str) else space)
    name = study if study is not None else f"{problem.name}-{engine}"
    _check_arguments(
        name,
        engine,
        x,
        validation_data,
        cv is not None or (engine in ENGINES and ENGINES[engine].folds is not None),
        in_process,
        trials=trials,
        epochs=epochs,
        seed=seed,
        keep=keep,
        patience=patience,
        workers=workers,
        time_limit=time_limit,
        silence_limit=silence_limit,
        repeats=repeats,
    )
    wanted = Log.read(log)
    raise_all(callbacks.mistakes(fit_options.get("callbacks")))
    raise_all(callbacks.mistakes(problem.callbacks))
    goals = listed(objective if objective is not None else problem.objective)
    goal = primary(goals)
    path = Path(logs) / name
    refuse_if_locked(path)
    stored = None if overwrite else stored_definition(path, storage)
    anneal = bool(anneal) if anneal is not None or stored is None else stored.anneal
    patience = _patience(patience, stored, None if anneal else problem.patience)
    known = stored.options if stored is not None and stored.engine == engine else {}
    engine_options, objects = stored_options(read_options(engine, {**known, **(options or {})}))
    source = space if isinstance(space, str) else None
    deadline = None if time_limit is None else time.monotonic() + time_limit
    with contextlib.ExitStack() as resources:
        executor: Executor
        if workers == 1 if in_process is None else in_process:
            executor = InProcessExecutor(problem.imports)
        else:
            executor = ProcessExecutor(workers, problem.imports, silence_limit, visible_gpus())
        resources.callback(executor.close)
        engine_kind(engine).load()
        data = Data(x, y, validation_data) if x is not None else problem.load_data()
        seed = _first(seed, None if stored is None else stored.seed, random.SystemRandom().randrange(2**31))
        cv, division = _folds_wanted(cv, stored, engine), None
        if cv is not None:
            data, division = with_folds(data, cv, seed)
        executor.load(source, problem, data)
        findings = executor.call(check, goal, fix or {}, fit_options, anneal)
        if wanted and not findings.uses_keras:
            raise OptionError("`log` must be left out for this space: it builds no Keras model to log anything about.")
        several = _several(goals, findings)
        first = _as_list(tries) if tries is not None else () if stored is None else stored.tries
        definition = Definition(
            study=name,
            space=problem.name,
            space_source=source,
            hyperparameters=findings.hyperparameters,
            objective=findings.objective,
            engine=engine,
            options=engine_options,
            seed=seed,
            epochs=_first(epochs, None if stored is None else stored.epochs, problem.epochs, EPOCHS),
            data=data.fingerprint(),
            fit=_remembered(fit_options, patience, anneal),
            cv=division,
            repeats=_repeats_wanted(repeats, stored),
            several=several,
            tries=completed(findings.hyperparameters, first),
        )
        definition = settle(definition, objects)
        _refuse_differences(definition, stored)
        proposing = make_engine(definition, trials if trials is not None else engine_kind(engine).trials, objects)
        resources.enter_context(locked(path))
        store = _opened(path, storage, definition, overwrite)
        resources.callback(store.close)
        Search(
            definition=definition,
            engine=proposing,
            executor=executor,
            store=store,
            path=path,
            observers=[TensorBoardObserver(path / TENSORBOARD), *observers],
            keep=keep,
            deadline=deadline,
            training=TrainingOptions(
                compiled=compiled,
                uses_keras=findings.uses_keras,
                patience=patience,
                anneal=definition.epochs if anneal else None,
                resources=tuple(o.name for o in several if o.is_resource),
                fit_options=fit_options,
                log=wanted,
            ),
        ).run()
    return Study(path, problem, data, storage)


def _opened(path: Path, storage: str | None, definition: Definition, overwrite: bool) -> Store:
    """Open the store of a study for its one driver, and create the study when it is new.

    Args:
        path, storage: where the study is; its folder is locked.
        definition: of the search that is about to begin.
        overwrite: delete the study first, if it exists.
    """
    if overwrite and storage is None:
        _delete_files(path)
    store = Store.of(path, storage, exclusive=True)
    try:
        if overwrite and storage is not None:
            store.delete()
            _delete_files(path)
        stored = store.definition()
        if stored is None:
            _refuse_leftovers(path, storage)
            store.create(definition)
        else:
            _refuse_differences(definition, stored)
        store.claim()
    except BaseException:
        store.close()
        raise
    return store


def _refuse_leftovers(path: Path, storage: str | None) -> None:
    """Refuse a new study in a folder with files of one that is in another database: they would be mixed up."""
    left = [name for name in study_files(path) if storage is not None or not name.startswith(DATABASE)]
    if left:
        raise StudyError(
            f"`study` must be a new name or a study of this database, but the database has no '{path.name}' and "
            f"{path} holds {', '.join(left)}. Give the storage that they belong to, choose another study name, or "
            "overwrite them to start afresh."
        )


def _delete_files(path: Path) -> None:
    """Delete everything that a study has written into its folder, and nothing else there."""
    for name in study_files(path):
        target = path / name
        if target.is_dir():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)


def _check_arguments(
    study: str, engine: str, x: Any, validation_data: Any, has_folds: bool, in_process: bool | None, **numbers: Any
) -> None:
    mistakes = []
    if engine not in ENGINES:
        mistakes.append(must("engine", f"be one of {', '.join(ENGINES)}", engine, guess(engine, ENGINES)))
    least_of = {"trials": 1, "epochs": 1, "seed": 0, "keep": 0, "patience": 0, "workers": 1, "repeats": 1}
    for name, least in least_of.items():
        value = numbers[name]
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
            mistakes.append(must(name, f"be a whole number >= {least}", value))
    for name in ("time_limit", "silence_limit"):
        value = numbers[name]
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0):
            mistakes.append(must(name, "be a number of seconds > 0", value))
    if not STUDY_NAME.fullmatch(study):
        mistakes.append(must("study", "be made of letters, digits, '.', '_' and '-', because it names a folder", study))
    if in_process and numbers["workers"] != 1:
        mistakes.append("`in_process` must be False with several workers.")
    if x is None and validation_data is not None:
        mistakes.append("`validation_data` must come with x and y, but x is None.")
    if has_folds and validation_data is not None:
        mistakes.append("`validation_data` must be None with folds: each validates on a part of x and y.")
    raise_all(mistakes)


def stored_definition(path: Path, storage: str | None) -> Definition | None:
    """Return the definition of a study; None when there is no such study.

    Raises:
        StudyError: the database cannot be opened, or another driver holds the study in it.
    """
    if storage is None and not (path / DATABASE).is_file():
        return None
    with contextlib.closing(Store.of(path, storage, exclusive=storage is not None)) as store:
        return store.definition()


def _refuse_differences(definition: Definition, stored: Definition | None) -> None:
    differences = [] if stored is None else definition.differences(stored)
    if differences:
        raise StudyError(
            f"study '{definition.study}' exists and is another search: {'; '.join(differences)}. Use the same "
            "arguments to continue it, another study name to keep both, or overwrite it to start afresh."
        )


def _folds_wanted(cv: Any, stored: Definition | None, engine: str) -> Any:
    """Return `cv`, or that of the study where none is given, or the engine's.

    A splitter that a study was made with must be given again.
    """
    if cv is not None:
        return cv
    if stored is None:
        return engine_kind(engine).folds
    return stored.cv["folds"] if stored.cv is not None and stored.cv["is_number"] else None


def _repeats_wanted(repeats: int | None, stored: Definition | None) -> int | None:
    """Return the repeats, or those of the study where none are given; once is no repeat."""
    wanted = repeats if repeats is not None or stored is None else stored.repeats
    return None if wanted == 1 else wanted


def _several(given: Sequence[str | Objective], findings: Findings) -> tuple[Objective, ...]:
    """Return the objectives where there are several, and refuse those that nothing will report."""
    if len(given) == 1:
        return ()
    objectives = tuple(Objective.parse(one, findings.outputs) for one in given)
    wrong = []
    for objective in objectives:
        if objective.is_resource and not findings.uses_keras:
            wrong.append(must("objective", "be a metric of training where models are not Keras's", objective.name))
        elif not objective.is_resource and findings.metrics and objective.name not in findings.metrics:
            known = (*findings.metrics, *RESOURCES)
            rule = f"be a metric that training reports ({', '.join(sorted(findings.metrics))}) or a model's cost"
            wrong.append(must("objective", rule, objective.name, guess(objective.name, known)))
    raise_all(wrong, ObjectiveError)
    return objectives


def _as_list(tries: Any) -> Sequence[Mapping[str, Any]]:
    if isinstance(tries, Mapping) or not all(isinstance(values, Mapping) for values in tries):
        raise OptionError(must("tries", "be a list of configurations, such as [{'units': 64}]", tries))
    return list(tries)


def _first(*values: int | None) -> int:
    """Return the first value that is not None; the last never is."""
    return next(value for value in values if value is not None)


def _patience(given: int | None, stored: Definition | None, own: int | None) -> int | None:
    """Return the patience of a search: the given one, else that of the study, else the space's own; None for never."""
    if given is None and stored is not None:
        return stored.patience
    return (own if given is None else given) or None


def _remembered(fit_options: Mapping[str, Any], patience: int | None, anneal: bool) -> dict[str, Any]:
    """Return what a study keeps of how its trials are trained."""
    options = {**fit_options, "patience": patience, **({"anneal": True} if anneal else {})}
    return {name: remembered(value) for name, value in options.items()}
