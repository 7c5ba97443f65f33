"""What the options of a study come to, and the engine that is made of them.

Owns what the options leave to the space, what is refused before anything is written, and what a person is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler

from tuning.engines.optuna.engine import OptunaEngine
from tuning.engines.optuna.pruners import Judge, default_warmup, make_pruner
from tuning.engines.optuna.samplers import (
    MAX_MODELLED,
    OURS,
    Request,
    best_model,
    default_startup,
    given_plan,
    make_plan,
    mistakes,
)
from tuning.errors import must, raise_all
from tuning.hyperparameters import Hyperparameter
from tuning.records.constraint import Constraint
from tuning.records.definition import Definition
from tuning.records.lesson import Lesson
from tuning.records.objective import Objective


def settled(definition: Definition, objects: Mapping[str, Any]) -> Definition:
    """Return the definition with what its options leave to the space, and refuse what cannot be searched.

    Args:
        definition: of a study that is about to be searched.
        objects: the sampler and the pruner, where they are given as instances.

    Raises:
        OptionError: names everything that does not fit.
    """
    options = dict(definition.options)
    several = len(definition.objectives) > 1
    is_divided = definition.is_divided
    wrong: list[str] = []
    for name, kind in (("sampler", BaseSampler), ("pruner", BasePruner)):
        if name in objects and not isinstance(objects[name], kind):
            wrong.append(must(name, f"be a name or an optuna.{name}s.{kind.__name__}", objects[name]))
        elif name not in objects and str(options[name]).startswith("instance of "):
            wrong.append(
                f"`{name}` must be given again, because the study was searched with an {options[name]}, which is not "
                f"stored: tuning.search(..., options={{'{name}': ...}})."
            )
    raise_all(wrong)
    if options["pruner"] == "auto":
        options["pruner"] = "none" if several else "wilcoxon" if is_divided else "successive_halving"
    if options["warmup_epochs"] is None:
        options["warmup_epochs"] = default_warmup(options["pruner"], definition.epochs)
    request = _request(definition.hyperparameters, definition.seed, len(definition.objectives), options)
    request = replace(request, lessons=tuple(map(tuple, definition.lessons.values())))
    if options["sampler"] == "auto" and options["model"] is None:
        options["model"] = best_model(request)
    if options["n_startup_trials"] is None:
        startup = default_startup(options["sampler"], options["model"])
        options["n_startup_trials"], request = startup, replace(request, n_startup_trials=startup)
    if "sampler" not in objects:
        wrong += mistakes(options["sampler"], options["model"], request)
    if options["pruner"] != "none" and several:
        wrong.append(
            f"`pruner` must be none for several objectives, because no pruner can weigh them, but got "
            f"{options['pruner']!r}."
        )
    if options["pruner"] == "wilcoxon" and not is_divided:
        wrong.append(
            "`pruner` must be one that judges epochs, but 'wilcoxon' compares the scores of folds or repeats and "
            "there are none. Search with cv=5, say, or use pruner=median."
        )
    if options["pruner"] == "threshold" and options["lower"] is None and options["upper"] is None:
        wrong.append("`lower` or `upper` must be given for pruner=threshold: the values that end a trial.")
    raise_all(wrong)
    return replace(definition, options=options)


def remark(definition: Definition) -> str:
    """Return what a person should know about the search of a settled definition; empty when there is nothing."""
    options, said = definition.options, []
    request = _request(definition.hyperparameters, definition.seed, len(definition.objectives), options)
    if options["sampler"] == "auto":
        later = f"; TPE after {MAX_MODELLED} trials, or where a proposal would take more than a tenth of a trial's time"
        model = {"tpe": "TPE", "gp": "Optuna's Gaussian process", OURS: f"a Gaussian process{later}"}[options["model"]]
        said.append(
            f"sampler auto: the default values, then quasi-random points up to {options['n_startup_trials']} trials, "
            f"then {model}"
        )
    if options["sampler"] == "cmaes":
        unordered = dict.fromkeys([*request.categories, *(h.name for h in request.varying if h.conditions)])
        if unordered:
            said.append(f"cmaes draws at random what has no order or is not always there: {', '.join(unordered)}")
    return "; ".join(said)


def _request(space: Sequence[Hyperparameter], seed: int, n_objectives: int, options: Mapping[str, Any]) -> Request:
    startup = options["n_startup_trials"]
    return Request(tuple(space), seed, n_objectives, 0 if startup is None else startup, options["population_size"])


def make(
    space: Sequence[Hyperparameter],
    objectives: Sequence[Objective],
    seed: int,
    epochs: int,
    max_trials: int | None,
    constraints: Sequence[Constraint] = (),
    lessons: Sequence[Sequence[Lesson]] = (),
    **options: Any,
) -> OptunaEngine:
    """Make the engine of a settled definition.

    References:
        T. Akiba et al., "Optuna: A Next-generation Hyperparameter Optimization Framework", KDD 2019.
    """
    sampler, pruner = options["sampler"], options["pruner"]
    request = _request(space, seed, len(objectives), options)
    request = replace(request, is_constrained=bool(constraints), lessons=tuple(map(tuple, lessons)))
    is_name = isinstance(sampler, str)
    plan = make_plan(sampler, options["model"], request) if is_name else given_plan(sampler, seed)
    warmup = 0
    if isinstance(pruner, str):
        warmup, pruner = options["warmup_epochs"], make_pruner(pruner, options, epochs)
    judge = None if pruner is None else Judge(pruner, objectives[0], warmup)
    return OptunaEngine(space, objectives, seed, epochs, max_trials, plan, judge, constraints)
