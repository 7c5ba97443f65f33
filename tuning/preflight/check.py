"""Looks at a search with its default configuration, and says whether it can work.

Owns what is known of a space once a batch has gone through build, fit and validation: hyperparameters, metrics, the
objective.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tuning.data import Data, fold
from tuning.errors import DataError, ObjectiveError, guess
from tuning.hyperparameters import Hyperparameter
from tuning.preflight.labels import accuracy_mistakes
from tuning.preflight.scout import Scout, with_fixed
from tuning.preflight.verdict import CHECKS, Verdict
from tuning.records.objective import Objective
from tuning.space import SearchSpace
from tuning.space.imports import backend, import_keras
from tuning.training.seeding import generators_kept


@dataclass(frozen=True)
class Findings:
    """What preflight learned.

    Attributes:
        hyperparameters: every hyperparameter found, parents before children; fixed ones have kind "fixed".
        metrics: names of the metrics that training reports.
        uses_keras: whether `build` returns Keras models.
        objective: what will be optimised, its direction found out where it was not given.
        outputs: names of the model's outputs, if it has several.
        model: the fingerprint of the default model and of the code that trains it.
        remarks: what is odd, and no proof that the search can only waste time.
        backend: what Keras computes with.
    """

    hyperparameters: tuple[Hyperparameter, ...]
    metrics: tuple[str, ...]
    uses_keras: bool
    objective: Objective
    outputs: tuple[str, ...] = ()
    model: Mapping[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    backend: str = "tensorflow"


def check(
    space: SearchSpace,
    data: Data,
    objective: str | Objective,
    fixed: Mapping[str, Any],
    fit_options: Mapping[str, Any],
    anneal: bool = False,
    checks: str = CHECKS[0],
) -> Findings:
    """Find the hyperparameters and refuse a search that cannot work.

    Args:
        space: what will be searched.
        data: what it will be trained and validated on; a batch is used, labels are read in full.
        objective: what will be optimised, as `Objective.parse` reads it.
        fixed: hyperparameters that are not searched, with their values.
        fit_options: further keyword arguments of `fit`.
        anneal: whether the learning rate will be annealed.
        checks: "refuse", or "warn" to turn every refusal into a remark.

    Raises:
        OptionError: the learning rate cannot be annealed.
        DataError: data holds NaN, or does not fit the loss or the outputs.
        ObjectiveError: training does not report the objective, or its direction is not known.
        SpaceError: building or training raises, or a fixed hyperparameter does not exist or fit.
    """
    data = fold(data, 0)  # where there are folds, the first shows all there is to see
    name, _ = Objective.split(objective)
    verdict = Verdict(checks)
    scout = Scout(space, data, name, fixed, fit_options, verdict, anneal)
    with generators_kept():
        scout.explore()
        if scout.metrics and name not in scout.metrics:
            scout.try_callbacks()
    watched = () if scout.watch is None else scout.watch.outputs
    outputs = tuple(output.name for output in watched) if len(watched) > 1 else ()
    verdict.refuse(_objective_mistakes(name, scout, data, outputs), ObjectiveError)
    if scout.watch is not None:
        for measured, text in accuracy_mistakes(scout.watch, data, scout.metrics).items():
            decides = measured == name.removeprefix("val_")
            verdict.refuse([text], DataError) if decides else verdict.remark(text)
    return Findings(
        with_fixed(scout.space, fixed),
        tuple(scout.metrics),
        scout.uses_keras,
        Objective.parse(objective, outputs),
        outputs,
        scout.fingerprint,
        tuple(verdict.remarks),
        backend() if scout.uses_keras else "tensorflow",
    )


def hyperparameters_of(space: SearchSpace) -> tuple[Hyperparameter, ...]:
    """Return the hyperparameters of a space; those that only `fit` asks for, where the space has data.

    Raises:
        SpaceError: building raises.
    """
    if "keras" in space.imports:
        import_keras()
    try:
        data = space.load_data()
    except DataError:
        data = Data(None)
    scout = Scout(space, data, Objective.split(space.objective)[0], {}, {}, Verdict(), trains=data.x is not None)
    with generators_kept():
        scout.explore()
    return tuple(scout.space)


def _objective_mistakes(name: str, scout: Scout, data: Data, outputs: tuple[str, ...]) -> list[str]:
    """Find an objective that is no number of those that training reports."""
    metrics = scout.metrics
    if name in scout.several:
        return [
            f"`objective` must be one number an epoch, but '{name}' has a value a class. Keras averages them, such as "
            "with keras.metrics.F1Score(average='macro')."
        ]
    if not metrics or name in metrics:
        return []
    text = (
        f"`objective` must be a metric that training reports, but got '{name}'; "
        f"training reports {', '.join(sorted(metrics))}."
    )
    if name.startswith("val_") and data.validation is None and name.removeprefix("val_") in metrics:
        return [f"{text} There are no validation data: pass validation_data=(x, y) or validation_split."]
    of_outputs = [m for m in metrics for output in outputs if m.replace(f"{output}_", "", 1) == name]
    meant = f"Did you mean '{of_outputs[0]}'?" if of_outputs else guess(name, metrics)
    return [f"{text} {meant}".rstrip()]
