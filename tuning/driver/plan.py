"""From what was asked for to what will be searched: pure functions, which read and write nothing.

Owns the defaults, what is taken from a study that is continued, and the definition that comes of both and of what
preflight found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tuning.driver.request import Request
from tuning.engines.first import completed
from tuning.engines.registry import engine_kind, read_options, settle, stored_options
from tuning.errors import ObjectiveError, OptionError, StudyError, guess, must, raise_all
from tuning.preflight import Findings
from tuning.records.arguments import remembered
from tuning.records.constraint import KNOWN_EARLY, Constraint
from tuning.records.constraint import mistakes as constraint_mistakes
from tuning.records.definition import Definition
from tuning.records.objective import RESOURCES, Objective
from tuning.training.options import TrainingOptions

EPOCHS = 10
"""Budget of one trial, in epochs, where neither the call nor the study nor the space says any."""


def continued(request: Request, stored: Definition | None, drawn_seed: int) -> Request:
    """Return the request with what it leaves open: as in the study that it continues, else the space's, else ours.

    `cv` and `patience` may stay None: no folds, and runs that never end early.

    Args:
        request: what was asked for.
        stored: the definition of the study; None for a new one.
        drawn_seed: the seed of a new study that was given none.

    Raises:
        OptionError: an option of the engine does not fit.
    """
    space, kind = request.space, engine_kind(request.engine)
    if stored is None:
        anneal = bool(request.anneal)
        patience = None if anneal or kind.changes else space.patience  # members wait for each other
        is_validated = request.data is not None and request.data.validation is not None
        cv = None if is_validated else kind.folds
        seed, repeats = drawn_seed, None
        epochs = EPOCHS if space.epochs is None else space.epochs
    else:
        anneal = stored.anneal if request.anneal is None else request.anneal
        patience = stored.patience
        # A splitter that a study was made with must be given again.
        cv = stored.cv["folds"] if stored.cv is not None and stored.cv["is_number"] else None
        seed, repeats, epochs = stored.seed, stored.repeats, stored.epochs
    tries, constraints = ((), ()) if stored is None else (stored.tries, stored.constraints)
    warm_start = {} if stored is None else stored.warm_start
    known = stored.options if stored is not None and stored.engine == request.engine else {}
    wanted = repeats if request.repeats is None else request.repeats
    return replace(
        request,
        anneal=anneal,
        patience=(patience if request.patience is None else request.patience) or None,  # 0 is never
        cv=cv if request.cv is None else None if is_one(request.cv) else request.cv,
        seed=seed if request.seed is None else request.seed,
        epochs=epochs if request.epochs is None else request.epochs,
        repeats=None if wanted == 1 else wanted,
        tries=tries if request.tries is None else request.tries,
        warm_start=warm_start if request.warm_start is None else request.warm_start,
        constraints=constraints if request.constraints is None else request.constraints,
        options=read_options(request.engine, {**known, **request.options}),
    )


def is_one(cv: Any) -> bool:
    """Tell whether `cv` asks for a single training, on all training data: no folds."""
    return isinstance(cv, int) and not isinstance(cv, bool) and cv == 1


def plan(
    request: Request,
    stored: Definition | None,
    findings: Findings,
    fingerprint: Mapping[str, Any],
    division: Mapping[str, Any] | None,
) -> Definition:
    """Return what will be searched.

    Args:
        request: a `continued` one, with what it takes from other studies.
        stored: the definition of the study that is continued; None for a new one.
        findings: what preflight found.
        fingerprint: of the data.
        division: how they are divided into folds; None without.

    Raises:
        OptionError, SpaceError, ObjectiveError: what was asked for does not fit what was found.
        StudyError: the study exists and is another search.
    """
    if request.log and not findings.uses_keras:
        raise OptionError("`log` must be left out for this space: it builds no Keras model to log anything about.")
    unknown = request.log.unknown_to(findings.backend)
    if unknown:
        left = "histograms or a profile" if findings.backend == "jax" else "histograms"
        raise OptionError(must("log", f"be {left} where Keras runs on {findings.backend}", ", ".join(unknown)))
    raise_all(constraint_mistakes(request.constraints or (), findings.metrics, findings.uses_keras))
    options, objects = stored_options(request.options)
    definition = Definition(
        study=request.path.name,
        space=request.space.name,
        space_source=request.source,
        hyperparameters=findings.hyperparameters,
        objective=findings.objective,
        engine=request.engine,
        options=options,
        seed=_known(request.seed),
        epochs=_known(request.epochs),
        data=fingerprint,
        fit=_remembered(request),
        cv=division,
        repeats=request.repeats,
        several=_objectives(request.goals, findings),
        tries=completed(findings.hyperparameters, request.tries or ()),
        model=findings.model,
        warm_start=request.warm_start or {},
        lessons=request.lessons,
        constraints=request.constraints or (),
        told=request.told,
        backend=findings.backend,
        **({} if stored is None else {"scoring": stored.scoring}),
    )
    definition = settle(definition, objects)
    refuse_differences(definition, stored)
    return definition


def training_options(request: Request, definition: Definition, findings: Findings) -> TrainingOptions:
    """Return how all runs of a planned search are trained."""
    wanted: tuple[Objective | Constraint, ...] = (*definition.several, *definition.constraints)
    return TrainingOptions(
        compiled=request.compiled,
        uses_keras=findings.uses_keras,
        patience=request.patience,
        anneal=definition.epochs if request.anneal else None,
        resources=tuple(dict.fromkeys(one.name for one in wanted if one.is_resource)),
        limits=tuple(one for one in definition.constraints if one.name in KNOWN_EARLY),
        fit_options=request.fit_options,
        log=request.log,
    )


def refuse_differences(definition: Definition, stored: Definition | None) -> None:
    """Refuse to continue a study that is another search.

    Raises:
        StudyError: names what differs.
    """
    differences = [] if stored is None else definition.differences(stored)
    if differences:
        raise StudyError(
            f"study '{definition.study}' exists and is another search: {'; '.join(differences)}. Use the same "
            "arguments to continue it, another study name to keep both, or overwrite=True (--overwrite) to start "
            "afresh."
        )


def _known(number: int | None) -> int:
    if number is None:
        raise TypeError("the request must have been continued before it is planned")
    return number


def _remembered(request: Request) -> dict[str, Any]:
    """Return what a study keeps of how its trials are trained."""
    options = {**request.fit_options, "patience": request.patience, **({"anneal": True} if request.anneal else {})}
    return {name: remembered(value) for name, value in options.items()}


def _objectives(given: Sequence[str | Objective], findings: Findings) -> tuple[Objective, ...]:
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
