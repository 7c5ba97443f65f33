"""A study as Optuna's own tools read it, in memory.

Owns the translation: the names of the metrics, and the values that were tried, also where an order makes the storage
keep their places.
"""

from __future__ import annotations

import contextlib
import logging
import math
import warnings
from collections.abc import Container, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tuning.hyperparameters import Hyperparameter, Number
from tuning.records.definition import Definition
from tuning.records.trial import State, Trial
from tuning.study.importance import searched

if TYPE_CHECKING:
    import optuna

    from tuning.study.study import Study

_STATES = {State.COMPLETED: "COMPLETE", State.PRUNED: "PRUNED", State.FAILED: "FAIL", State.RUNNING: "RUNNING"}


def told(study: Study, shown: Container[int] | None = None) -> optuna.Study:
    """Return a study of Optuna's in memory, with the names of the metrics and the values that were tried.

    Args:
        study: what is told.
        shown: numbers of the trials whose scores and curves are told of; default: of all.
    """
    import optuna

    with silenced():
        made = optuna.create_study(directions=directions(study.definition), study_name=study.name)
        made.set_metric_names([o.name for o in study.definition.objectives])
        made.add_trials(told_trials(study, shown=shown))
    return made


def directions(definition: Definition) -> list[optuna.study.StudyDirection]:
    """Return whether each objective is to be large or small."""
    from optuna.study import StudyDirection

    kinds = {"max": StudyDirection.MAXIMIZE, "min": StudyDirection.MINIMIZE}
    return [kinds[o.direction] for o in definition.objectives]


def told_trials(study: Study, first_id: int = 0, shown: Container[int] | None = None) -> list[optuna.trial.FrozenTrial]:
    """Return the trials of a study; `first_id` is what Optuna calls the one of number 0, `shown` as for `told`."""
    space = searched(study.definition.hyperparameters, study.trials)
    distributions = {name: _distribution(same) for name, same in space.items()}
    trials = [t if shown is None or t.number in shown else replace(t, state=State.FAILED) for t in study.trials]
    return [_told(trial, space, distributions, study.definition, first_id) for trial in trials]


def _told(
    trial: Trial,
    space: dict[str, list[Hyperparameter]],
    distributions: dict[str, Any],
    definition: Definition,
    first_id: int,
) -> optuna.trial.FrozenTrial:
    from optuna.trial import FrozenTrial, TrialState

    scores = [one for one in (trial.scores or (trial.score,)) if one is not None and math.isfinite(one)]
    state = TrialState[_STATES[trial.state]]
    is_scored = len(scores) == len(definition.objectives)
    if state is TrialState.COMPLETE and not is_scored:
        state = TrialState.FAIL
    applies = [
        name for name, same in space.items()
        if name in trial.values and any(h.contains(trial.values[name]) for h in same)
    ]  # fmt: skip
    ended = trial.ended_at if state.is_finished() else None
    return FrozenTrial(
        number=trial.number, trial_id=first_id + trial.number, state=state, value=None,
        values=scores if state in (TrialState.COMPLETE, TrialState.PRUNED) and is_scored else None,
        datetime_start=_time(trial.started_at or 0.0), datetime_complete=_time(ended or trial.started_at or 0.0)
        if state.is_finished() else None, params={name: _shown(trial.values[name]) for name in applies},
        distributions={name: distributions[name] for name in applies}, user_attrs={}, system_attrs={},
        intermediate_values={
            epoch: value for epoch, value in enumerate(trial.curve.values(definition.objective.name))
            if math.isfinite(value)
        },
    )  # fmt: skip


def _distribution(same: Sequence[Hyperparameter]) -> Any:
    """Return the distribution of a name: its range, which holds those of all conditions, or its values as they are."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    from tuning.hyperparameters import Int

    numbers = [h for h in same if isinstance(h, Number)]
    if len(numbers) < len(same):
        return CategoricalDistribution(list(dict.fromkeys(_shown(value) for h in same for value in h.values() or ())))
    low, high = min(h.low for h in numbers), max(h.high for h in numbers)
    is_log = all(h.sampling == "log" for h in numbers)
    if all(isinstance(h, Int) for h in numbers):
        return IntDistribution(int(low), int(high), log=is_log)
    return FloatDistribution(low, high, log=is_log)


def _shown(value: Any) -> Any:
    """Return a value as Optuna takes it for a category: what JSON has besides, as text."""
    return value if isinstance(value, (str, int, float)) or value is None else str(value)


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds)


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Keep what Optuna remarks on, such as that something is experimental, to itself."""
    logger = logging.getLogger("optuna")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
