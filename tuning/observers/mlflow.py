"""Trials as runs of MLflow.

Owns how a search stands in MLflow: a run for the study, and below it a run for each trial, with its hyperparameters, a
value of each metric an epoch, and what it came to. Runs are found again by their tags, so that a search that is gone on
with, here or on another machine, goes on in the same runs.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from tuning.driver.observer import Observer
from tuning.observers.base import facts, identity, of_epoch, outcome, remarks, required
from tuning.records.definition import Definition
from tuning.records.ranking import ranked
from tuning.records.trial import State, Trial

STUDY, TRIAL, PARENT = "tuning.study", "tuning.trial", "mlflow.parentRunId"
"""Tags of ours, and MLflow's own for what stands below what."""

MAX_TEXT = 500
"""Letters of a value that every version and store of MLflow takes."""

PAGE, MAX_PARAMS = 1000, 100
"""Runs that are asked for, or values that are written, at once; and parameters: what MLflow allows."""


class MLflow(Observer):
    """Shows every trial of a search in MLflow, while it is trained.

    A study is a run; its trials are runs below it, with the values as parameters, the metrics of each epoch, and at the
    end `objective`, the very score that the engine was told. Of a study that is gone on with, what MLflow lacks is
    written, trials of earlier searches too. Values that change while a trial is trained, as in a population, stand
    there as they were first, and at the end as `last.NAME`.

    ```
    tuning.search(build_model, x, y, observers=[tuning.observers.MLflow("http://127.0.0.1:5000")])
    ```

    Args:
        tracking_uri: a server, a database or a folder, as for `mlflow.set_tracking_uri`; default: MLflow's own, which
            `MLFLOW_TRACKING_URI` sets.
        experiment: its name; made when there is none. Default: the study's name.

    Raises:
        OptionError: MLflow is not installed; the extra `mlflow` installs it.
    """

    def __init__(self, tracking_uri: str | None = None, experiment: str | None = None) -> None:
        self._mlflow = required("mlflow", "mlflow", "MLflow")
        self._uri, self._experiment = tracking_uri, experiment
        self._client: Any = None
        self._definition: Definition | None = None
        self._study = ""
        self._runs: dict[int, _Run] = {}

    def search_started(self, definition: Definition, trials: Sequence[Trial]) -> None:
        self._client = self._mlflow.MlflowClient(self._uri)
        self._definition, self._runs = None, {}
        name = definition.study if self._experiment is None else self._experiment
        found = self._client.get_experiment_by_name(name)
        self._id = self._client.create_experiment(name) if found is None else found.experiment_id
        self._study = self._begun(definition, bool(trials))
        self._definition = definition  # from here on there is something to write into
        known = {run.data.tags[TRIAL]: run for run in self._below()}
        for trial in trials:
            run = known.get(identity(trial))
            if run is not None:
                written = self._client.get_metric_history(run.info.run_id, _key(definition.objective.name))
                self._runs[trial.number] = _Run(run.info.run_id, dict(run.data.params), len(written))
            if trial.state.is_finished and (run is None or run.info.status == "RUNNING"):
                self.trial_ended(trial)

    def run_started(self, trial: Trial) -> None:
        if self._definition is not None:
            self._run(trial)

    def epoch_ended(self, trial: Trial) -> None:
        if self._definition is None:
            return
        run = self._run(trial)
        now = _milliseconds(time.time())
        for epoch in range(run.n_epochs, trial.epochs):
            self._measure(run.id, of_epoch(trial, epoch), now, epoch)
        run.n_epochs = max(run.n_epochs, trial.epochs)

    def trial_ended(self, trial: Trial) -> None:
        if self._definition is None:
            return
        self.epoch_ended(trial)
        run, ended = self._run(trial), _milliseconds(trial.ended_at or time.time())
        last = {
            f"last.{name}": text for name, text in _texts(trial.values).items() if run.params.get(name, text) != text
        }
        more = {name: text for name, text in _texts(trial.values).items() if name not in run.params}
        self._log(run, {**more, **last}, remarks(trial))
        self._measure(run.id, outcome(self._definition, trial), ended)
        status = "FAILED" if trial.state is State.FAILED else "FINISHED"
        self._client.set_terminated(run.id, status, ended)

    def search_ended(self, trials: Sequence[Trial], reason: str) -> None:
        if self._definition is None:
            return
        now = _milliseconds(time.time())
        for best in ranked(trials, self._definition.objective)[:1]:
            values = {f"best.{name}": text for name, text in _texts(best.values).items()}
            self._tag(self._study, {"best_trial": str(best.number), **values})
            self._measure(self._study, {**outcome(self._definition, best), "trials": len(trials)}, now)
        is_over = all(trial.state.is_finished for trial in trials)
        self._client.set_terminated(self._study, "FINISHED" if is_over else "KILLED", now)

    def _begun(self, definition: Definition, goes_on: bool) -> str:
        """Return the run of the study: the last one of a study that goes on, or a new one."""
        mine = f"tags.`{STUDY}` = '{definition.study}'"
        found = self._client.search_runs([self._id], mine, max_results=1, order_by=["attributes.start_time DESC"])
        if goes_on and found:
            run_id: str = found[0].info.run_id
            self._client.update_run(run_id, status="RUNNING")
            return run_id
        made = self._client.create_run(self._id, tags={STUDY: definition.study}, run_name=definition.study)
        run = _Run(made.info.run_id, {}, 0)
        self._log(run, _texts(facts(definition)), {})
        return run.id

    def _below(self) -> list[Any]:
        """Return the runs of the study's trials."""
        found: list[Any] = []
        token = None
        while True:
            page = self._client.search_runs(
                [self._id], f"tags.`{PARENT}` = '{self._study}'", max_results=PAGE, page_token=token
            )
            found += [run for run in page if TRIAL in run.data.tags]
            token = page.token
            if not token:
                return found

    def _run(self, trial: Trial) -> _Run:
        """Return the run of a trial, which is made where there is none."""
        if trial.number not in self._runs:
            tags = {PARENT: self._study, TRIAL: identity(trial)}
            made = self._client.create_run(
                self._id, _milliseconds(trial.started_at or time.time()), tags, f"trial {trial.number}"
            )
            run = self._runs[trial.number] = _Run(made.info.run_id, {}, 0)
            self._log(run, _texts(trial.values), remarks(trial))
        return self._runs[trial.number]

    def _log(self, run: _Run, params: Mapping[str, str], tags: Mapping[str, str]) -> None:
        made = [self._mlflow.entities.Param(name, text) for name, text in params.items()]
        for start in range(0, len(made), MAX_PARAMS):
            self._client.log_batch(run.id, params=made[start : start + MAX_PARAMS])
        run.params |= params
        self._tag(run.id, tags)

    def _measure(self, run_id: str, values: Mapping[str, float], at: int, step: int = 0) -> None:
        made = [self._mlflow.entities.Metric(_key(name), value, at, step) for name, value in values.items()]
        for start in range(0, len(made), PAGE):
            self._client.log_batch(run_id, metrics=made[start : start + PAGE])

    def _tag(self, run_id: str, tags: Mapping[str, str]) -> None:
        made = [self._mlflow.entities.RunTag(name, text[:MAX_TEXT]) for name, text in tags.items()]
        self._client.log_batch(run_id, tags=made)


class _Run:
    """A run of MLflow: its name there, the parameters that stand in it, and the epochs that were written."""

    def __init__(self, run_id: str, params: dict[str, str], n_epochs: int) -> None:
        self.id, self.params, self.n_epochs = run_id, params, n_epochs


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {_key(name): str(value)[:MAX_TEXT] for name, value in values.items()}


def _key(name: str) -> str:
    """Return a name as MLflow takes it."""
    return re.sub(r"[^\w\-. /]", "_", name).strip("/ ") or "_"


def _milliseconds(seconds: float) -> int:
    return int(1000 * seconds)
