"""A tuner's trials as a search space: what is trained is the tuner's own `run_trial`.

Owns the way from a run of ours to a trial of KerasTuner's and back: which trial a run is, in the program itself or in a
worker process, and what training reports of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from tuning.errors import StudyError
from tuning.keras_tuner import left_behind, outcome, private
from tuning.keras_tuner.models import Models, PausedError
from tuning.keras_tuner.translation import described, recorded
from tuning.keras_tuner.under_way import UnderWay
from tuning.records.trial import Run
from tuning.space import HyperParameters, SearchSpace

TRIAL = "trial"
"""In the note of a run: the id of its trial in the oracle."""


class TunerSpace(SearchSpace):
    """All trials of one search.

    Args:
        tuner: the program's own.
        args, kwargs: what its `search` was given.

    Attributes:
        trials: those that are under way, by id.
        fatal: the error that ends the search, as it was raised; None so far.
    """

    imports = ("keras",)

    def __init__(self, tuner: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        super().__init__(getattr(tuner.hypermodel, "name", None) or type(tuner).__name__)
        self.tuner, self.args, self.kwargs = tuner, args, kwargs
        self.trials: dict[str, Any] = {}
        self.fatal: BaseException | None = None
        self.is_sent = False

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "trials": {}, "fatal": None, "is_sent": True}

    def for_run(self, run: Run) -> SearchSpace:
        return _OneTrial(self, run.note[TRIAL])

    def trial(self, trial_id: str) -> Any:
        """Return a trial of the oracle's; in a worker process, a copy of it."""
        if not self.is_sent:
            return self.trials[trial_id]
        private.learn_of_others(self.tuner.oracle, trial_id)
        trial = private.load_trial(self.tuner.oracle, trial_id)
        self.tuner.oracle.trials[trial_id] = trial
        return trial


class _StandIn:
    """Stands for the models that a trial builds, which may be none or several."""

    stop_training = False
    how: tuple[bool | None, str | None] = (None, None)

    def how_it_was_trained(self) -> tuple[bool | None, str | None]:
        return self.how


class TrialFailedError(Exception):
    """A trial has failed, as the oracle will hear; the text is the error that it raised."""


class _OneTrial(SearchSpace):
    def __init__(self, space: TunerSpace, trial_id: str) -> None:
        super().__init__(space.name)
        self._space, self._trial_id = space, trial_id

    def build(self, hp: Any) -> Any:
        return _StandIn()

    def fit(self, hp: HyperParameters, model: Any, *args: Any, **kwargs: Any) -> Any:
        """Run the trial; return its metrics.

        Raises:
            TrialFailedError: it failed, or has no score.
            StudyError: KerasTuner's own `FatalError`, which ends a search.
        """
        space, trial = self._space, self._space.trial(self._trial_id)
        tuner, objective = space.tuner, space.tuner.oracle.objective
        reporting = kwargs["callbacks"][-1]
        reporting.set_model(model)

        def listen(logs: Mapping[str, Any]) -> bool:
            reporting.on_epoch_end(0, _finite(logs, objective))
            return not model.stop_training

        models = Models(tuner, listen, space.is_sent, _under_way(tuner, trial))
        try:
            with ExitStack() as stack:
                if space.is_sent:
                    stack.enter_context(outcome.written(tuner.oracle, trial))
                    stack.enter_context(left_behind.written(tuner, trial))
                stack.enter_context(models.compiled())
                self._run(trial)
        except PausedError:
            return None
        finally:
            model.how = models.how
        hp.take(described(trial.hyperparameters.space), recorded(trial.hyperparameters))
        metrics = outcome.metrics_of(trial, objective.name)
        if trial.status != "COMPLETED":
            raise TrialFailedError(_last_line(trial.message))
        if not math.isfinite(metrics.get(objective.name, math.nan)):
            raise TrialFailedError(f"{objective.name} is {metrics.get(objective.name)}")
        return {name: value for name, value in metrics.items() if math.isfinite(value)}

    def _run(self, trial: Any) -> None:
        space = self._space
        try:
            private.run_trial(space.tuner, trial, space.args, dict(space.kwargs))
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # whatever leaves a trial there ends the search
            if isinstance(error, KeyboardInterrupt) and not space.is_sent:  # a person's, in their own process
                raise
            space.fatal = error
            if space.is_sent:
                outcome.write_fatal(space.tuner.oracle, trial, error)
            raise StudyError(f"{type(error).__name__}: {error}") from error


def _under_way(tuner: Any, trial: Any) -> UnderWay:
    """Return what a trial leaves for being gone on with: nothing where `run_trial` is the program's own."""
    if not private.has_standard_run_trial(tuner):
        return UnderWay(None)
    return UnderWay(private.trial_folder(tuner.oracle, trial.trial_id), private.best_weights(tuner, trial.trial_id))


def _finite(logs: Mapping[str, Any], objective: Any) -> dict[str, float]:
    """Return the finite metrics of an epoch, the objective among them: KerasTuner goes on where one is not."""
    found = {name: float(value) for name, value in logs.items()}
    if objective.name not in found and objective.has_value(found):
        found[objective.name] = float(objective.get_value(found))
    return {name: value for name, value in found.items() if math.isfinite(value)}


def _last_line(message: str | None) -> str:
    lines = (message or "").strip().splitlines()
    return lines[-1] if lines else "the trial failed"
