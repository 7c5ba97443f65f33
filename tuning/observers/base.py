"""What is told of a trial to a tracker of experiments, whichever it is.

Owns the words: names of metrics and tags, and what a trial comes to. Nothing here knows a tracker.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from tuning.errors import OptionError
from tuning.records.definition import Definition
from tuning.records.trial import Trial


def required(package: str, extra: str, name: str) -> Any:
    """Return a package that an observer needs.

    Args:
        package: what is imported.
        extra: what installs it.
        name: the observer.

    Raises:
        OptionError: it is not installed.
    """
    try:
        return import_module(package)
    except ImportError as error:
        raise OptionError(
            f"`tuning.observers.{name}` must have the package {package} to write with, but it could not be imported "
            f"({error}). pip install 'keras-tuning[{extra}]' installs it."
        ) from None


def facts(definition: Definition) -> dict[str, Any]:
    """Return what a search is."""
    return {
        "space": definition.space,
        "engine": definition.engine,
        "objective": " and ".join(map(str, definition.objectives)),
        "seed": definition.seed,
        "epochs": definition.epochs,
        **{f"option.{name}": value for name, value in definition.options.items() if value is not None},
    }


def identity(trial: Trial) -> str:
    """Return what tells a trial from every other, also from one of that number in a study that was overwritten."""
    return f"{trial.number}-{0 if trial.started_at is None else round(1000 * trial.started_at)}"


def of_epoch(trial: Trial, epoch: int) -> dict[str, float]:
    """Return the metrics of an epoch that are numbers."""
    return _finite(trial.curve.epochs[epoch])


def outcome(definition: Definition, trial: Trial) -> dict[str, float]:
    """Return what a trial comes to, in numbers; `objective` is the very score that the engine was told."""
    several = {o.name: score for o, score in zip(definition.objectives, trial.scores, strict=False)}
    parts = dict(zip(definition.training_names, trial.part_scores, strict=False)) if trial.is_divided else {}
    found = {
        "objective": trial.score,
        "score_std": trial.score_std,
        "best_epoch": trial.best_epoch,
        "trained_epochs": trial.epochs,
        "seconds": trial.seconds,
        **{f"score.{name}": score for name, score in {**several, **parts}.items()},
        **trial.resources,
    }
    return _finite(found)


def remarks(trial: Trial) -> dict[str, str]:
    """Return what has become of a trial, in words."""
    found = {"trial": str(trial.number), "trial_state": trial.state.value.lower()}
    return found if trial.error is None else {**found, "error": trial.error}


def _finite(values: Mapping[str, float | None]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items() if value is not None and math.isfinite(value)}
