"""Trials as runs of Weights & Biases.

Owns how a search stands there: a group for the study, and in it a run for each trial, with its hyperparameters as
configuration, the metrics of each epoch as its history, and what it came to as its summary.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tuning.driver.observer import Observer
from tuning.errors import OptionError, must
from tuning.observers.base import facts, identity, of_epoch, outcome, remarks, required
from tuning.records.definition import Definition
from tuning.records.trial import State, Trial

MODES = (None, "online", "offline", "disabled")


class WandB(Observer):
    """Shows every trial of a search in Weights & Biases, while it is trained.

    Each trial is a run of the group that is called like the study: its values are the configuration, the metrics of
    each epoch the history, and `objective`, the very score that the engine was told, stands in the summary. A trial
    that goes on after an interruption goes on in its run. Trials that had ended before the observer was there are not
    written.

    ```
    tuning.search(build_model, x, y, observers=[tuning.observers.WandB("digits", mode="offline")])
    ```

    Args:
        project: its name; default: the study's name.
        entity: a user or a team; default: yours.
        mode: "online"; "offline" for files that `wandb sync` sends later; "disabled"; default: what `WANDB_MODE` says,
            or online.
        dir: folder in which W&B makes its folder `wandb`; default: `WANDB_DIR`, or where the program was started.

    Raises:
        OptionError: `mode` is none of these, or the package is not installed; the extra `wandb` installs it.
    """

    def __init__(
        self,
        project: str | None = None,
        entity: str | None = None,
        mode: str | None = None,
        dir: str | Path | None = None,
    ) -> None:
        if mode not in MODES:
            raise OptionError(must("mode", "be online, offline, disabled or None", mode))
        self._wandb = required("wandb", "wandb", "WandB")
        self._project, self._entity, self._mode, self._dir = project, entity, mode, dir
        self._definition: Definition | None = None
        self._runs: dict[int, Any] = {}

    def search_started(self, definition: Definition, trials: Sequence[Trial]) -> None:
        self._definition, self._runs = definition, {}

    def run_started(self, trial: Trial) -> None:
        self._run(trial)

    def epoch_ended(self, trial: Trial) -> None:
        last = trial.epochs - 1
        self._run(trial).log(of_epoch(trial, last), step=last)

    def trial_ended(self, trial: Trial) -> None:
        if self._definition is None:
            return
        run = self._run(trial)
        run.config.update(dict(trial.values), allow_val_change=True)
        run.summary.update({**outcome(self._definition, trial), **remarks(trial)})
        self._runs.pop(trial.number).finish(exit_code=int(trial.state is State.FAILED))

    def search_ended(self, trials: Sequence[Trial], reason: str) -> None:
        for number in list(self._runs):
            self._runs.pop(number).finish()

    def _run(self, trial: Trial) -> Any:
        """Return the run of a trial, which is begun, or gone on with, where it is not open."""
        if trial.number not in self._runs and self._definition is not None:
            d = self._definition
            named = hashlib.sha256(f"{d.study} {identity(trial)}".encode()).hexdigest()[:16]
            self._runs[trial.number] = self._wandb.init(
                project=d.study if self._project is None else self._project,
                entity=self._entity,
                group=d.study,
                job_type=d.engine,
                name=f"trial {trial.number}",
                id=named,
                resume="allow",
                reinit="create_new",
                config={**dict(trial.values), "search": facts(d)},
                mode=self._mode,
                dir=None if self._dir is None else str(self._dir),
                settings=self._wandb.Settings(silent=True, console="off", x_disable_stats=True),
            )
        return self._runs[trial.number]
