"""Ask and tell: a search whose trials a program trains in a loop of its own.

Owns what stands in the place of an executor then, and what the program holds in its hands: the study and its trials.
What is stored, shown and proposed is the loop's business as in every search. The names are Optuna's.
"""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from tuning.data import Data
from tuning.driver.interruption import CLOSED
from tuning.driver.loop import Search
from tuning.driver.opening import looked_up, opened_search
from tuning.driver.plan import plan
from tuning.driver.request import Request
from tuning.driver.warm_start import warmed
from tuning.errors import Remark, StudyError, must, one_line, users_line
from tuning.executors.base import Handler
from tuning.hyperparameters import Hyperparameter
from tuning.preflight import Findings
from tuning.preflight.scout import with_fixed
from tuning.records.definition import Definition
from tuning.records.objective import RESOURCES, Objective
from tuning.records.ranking import ranked
from tuning.records.trial import RETURNED, State, Trial
from tuning.space import HyperParameters, SearchSpace
from tuning.space.imports import backend
from tuning.training.messages import Decision, Failed, Finished, Report, Task
from tuning.training.outcome import is_number

STATES = {"COMPLETE": None, "COMPLETED": None, "PRUNED": State.PRUNED, "FAIL": State.FAILED, "FAILED": State.FAILED}
"""What a program may tell of a trial, in Optuna's words and in ours; None for what its reports come to."""


class AskedTrial:
    """A trial that the program trains: made by `OpenStudy.ask`.

    Attributes:
        number: of the trial, from 0; an engine that continues trials gives out the same number again.
        params: its hyperparameters by name.
        hp: the same for a `build_model(hp)`; what is asked of it besides is searched from then on.
        source: the trial whose weights to go on with, as they were when it was told, where an engine such as pbt wants
            that; None for its own.
        epochs: the epochs to train, a range; where it does not begin at 0, the program goes on with the weights that
            it had when it told this trial before.
    """

    def __init__(self, task: Task, study: OpenStudy) -> None:
        self.number, self.params = task.run.number, dict(task.run.values)
        self.hp = HyperParameters(task.run.values)
        self.epochs = range(task.trained, task.run.stop)
        self.source = task.run.source
        self._resumable, self._study = task.resumable, study
        self._started, self._reported = time.monotonic(), task.trained
        self._goes_on = True
        self._last: dict[str, float] = {}
        self._resources: dict[str, float] = {}

    def __repr__(self) -> str:
        return f"AskedTrial({self.number}, {self.params})"

    def report(self, metrics: Mapping[str, float]) -> bool:
        """Report the metrics of an epoch that has ended; tell whether to train another one.

        Args:
            metrics: numbers by name, the objective among them. What a model costs, such as "n_params", is none of the
                curve's.

        Raises:
            StudyError: the trial was told, or it has been said already that it is to stop.
        """
        curve, resources = _parted(metrics)
        with self._study.turn(self):
            if not self._goes_on:
                raise StudyError(f"`report` must not be called once it has returned False; tell trial {self.number}.")
            message = Report(self.number, self._reported, curve)
            self._goes_on = self._study.take(message) is Decision.GO and self._reported + 1 < self.epochs.stop
            self._reported += 1
            self._last = curve
            self._resources |= resources
            return self._goes_on

    def _conclude(self, metrics: Mapping[str, float], objective: Objective) -> None:
        """Take what the program says at the end: its only report, or the score in place of what was reported."""
        curve, resources = _parted(metrics)
        self._resources |= resources
        if self._reported == self.epochs.start:
            if curve:
                self._study.take(Report(self.number, self._reported, curve))
                self._reported += 1
            return
        score = {RETURNED: curve[objective.name]} if objective.name in curve else {}
        amended = {**self._last, **{name: v for name, v in curve.items() if name != objective.name}, **score}
        self._study.take(Report(self.number, self._reported - 1, amended, amends=True))

    def _ended(self) -> Finished:
        return Finished(
            self.number,
            {**self.params, **self.hp.used},
            tuple(h.to_json() for h in self.hp.space),
            self._reported if self._resumable else 0,
            time.monotonic() - self._started,
            resources=self._resources,
        )

    def _failed(self, error: str) -> Failed:
        return Failed(self.number, error, "", time.monotonic() - self._started)


class OpenStudy:
    """A study that a program trains for, open until it is closed or its process ends; a context manager.

    Its trials may be asked for and told in any order and from several threads, as many at once as the program likes.
    Killed, the program opens it again with the same arguments: what was told is kept, and what was not is asked again.

    Args:
        request: checked.
        hyperparameters: of the space.
    """

    def __init__(self, request: Request, hyperparameters: Sequence[Hyperparameter]) -> None:
        self._resources, self._turn = ExitStack(), threading.RLock()
        self._open: dict[int, AskedTrial] = {}
        self._is_closed = self._has_ended = False
        self._program = _Program()
        try:
            self._search = _search_of(request, hyperparameters, self._program, self._resources)
            self._search.begin()
        except BaseException:
            self._resources.close()
            raise

    def __enter__(self) -> OpenStudy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def definition(self) -> Definition:
        """What is searched and how."""
        return self._search.definition

    @property
    def path(self) -> Path:
        """The study's folder: `tuning.load(study.path)` reads it, now or later."""
        return self._search.path

    @property
    def trials(self) -> list[Trial]:
        """All trials by number, as they are stored."""
        with self._turn:
            return list(self._search.trials.listed())

    @property
    def best(self) -> Trial | None:
        """The trial with the best score of those that keep the constraints; None while there is none."""
        return next(iter(ranked(self.trials, self.definition.objective)), None)

    def ask(self) -> AskedTrial | None:
        """Return the next trial to train.

        None where there is nothing to train: for good, or, with an engine that waits, until one of the trials that
        are under way has been told.
        """
        with self._turn:
            self._refuse_if_closed()
            if self._has_ended:
                return None
            self._program.slots = len(self._open) + 1
            goes_on = self._search.start_runs()
            if self._program.tasks:
                task = self._program.tasks.pop()
                trial = self._open[task.run.number] = AskedTrial(task, self)
                return trial
            if not goes_on:
                self._end()
            return None

    def tell(
        self,
        trial: AskedTrial | int,
        values: float | Sequence[float] | Mapping[str, float] | None = None,
        state: Any = None,
        error: BaseException | str | None = None,
    ) -> None:
        """Say that a trial has ended.

        Args:
            trial: what was asked, or its number.
            values: its score, one for each of several objectives, or metrics by name; default: that of its best epoch
                of those that were reported.
            state: "PRUNED" or "FAILED" where its reports do not say so, or one of Optuna's `TrialState`.
            error: why it failed, which makes it FAILED.

        Raises:
            OptionError: there is no such state, or values do not fit.
            StudyError: the trial is not under way, or something cannot be written.
        """
        wanted = _state_of(state) if error is None else State.FAILED
        metrics = self._metrics(values)
        with self._turn:
            asked = self._open.get(trial if isinstance(trial, int) else trial.number)
            if asked is None or not (isinstance(trial, int) or trial is asked):
                raise StudyError(f"`trial` must be one that was asked and not told yet, but got {trial!r}.")
            with self.turn(asked):
                if wanted is not State.FAILED and metrics:
                    asked._conclude(metrics, self.definition.objective)
                if wanted is State.PRUNED:
                    self._search.decide((asked.number, 0), State.PRUNED)
                text = one_line(error) if isinstance(error, BaseException) else error
                failed = asked._failed("the program told that it failed" if text is None else text)
                del self._open[asked.number]
                self._search.handle(failed if wanted is State.FAILED else asked._ended())

    def close(self) -> None:
        """Let go of the study. What is under way is asked again when it is opened the next time."""
        with self._turn:
            if self._is_closed:
                return
            if not self._has_ended:
                self._search.stopping = CLOSED
                self._end()
            self._is_closed = True
            self._resources.close()

    def turn(self, trial: AskedTrial) -> threading.RLock:
        """Return the lock that is held while something is said of a trial that is under way."""
        self._refuse_if_closed()
        if self._open.get(trial.number) is not trial:
            raise StudyError(f"trial {trial.number} must not be told yet, but it was. Ask for another one.")
        return self._turn

    def take(self, message: Report) -> Decision:
        """Pass a report to the search; return the answer."""
        return self._search.handle(message)

    def _end(self) -> None:
        self._search.end()
        self._has_ended = True

    def _refuse_if_closed(self) -> None:
        if self._is_closed:
            raise StudyError(
                f"study '{self.path.name}' must be open, but it is closed. tuning.open(...) opens it again."
            )

    def _metrics(self, values: Any) -> dict[str, float]:
        """Return what is told by the names of metrics."""
        if values is None or isinstance(values, Mapping):
            return dict(values or {})
        names = [objective.name for objective in self.definition.objectives]
        given = list(values) if isinstance(values, Sequence) and not isinstance(values, str) else [values]
        if len(given) != len(names):
            raise StudyError(must("values", f"be a number for each of {', '.join(names)}, or metrics by name", values))
        return dict(zip(names, given, strict=True))


class _Program:
    """Stands where an executor does: the program takes the tasks, and messages are handed to the search."""

    pause_seconds = 0.0

    def __init__(self) -> None:
        self.slots = 1
        self.tasks: list[Task] = []

    def load(self, source: str | None, space: SearchSpace, data: Data, is_own: bool = False) -> None:
        """The program has them."""

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        raise NotImplementedError("a program is not called")

    def submit(self, task: Task) -> None:
        self.tasks.append(task)

    def poll(self, handle: Handler) -> None:
        """The program speaks when it likes."""

    def close(self) -> None:
        self.tasks.clear()


def _search_of(
    request: Request, hyperparameters: Sequence[Hyperparameter], program: _Program, resources: ExitStack
) -> Search:
    """Open the study; return its search, which has not begun."""
    request, stored = looked_up(request)
    # A program says itself what its models cost, so an objective may be that.
    findings = Findings(
        with_fixed(list(hyperparameters), request.fix), (), True, Objective.parse(request.goal), backend=backend()
    )
    request, said = warmed(request, stored, findings.hyperparameters, {})
    for text in said:
        warnings.warn(text, Remark, stacklevel=users_line())
    definition = plan(request, stored, findings, {}, None)
    return opened_search(replace(request, keep=0), definition, program, resources)


def _parted(metrics: Mapping[str, Any]) -> tuple[dict[str, float], dict[str, float]]:
    """Return (metrics of the curve, what the model costs), both as plain numbers."""
    if not isinstance(metrics, Mapping) or not all(map(is_number, metrics.values())):
        raise StudyError(must("metrics", "be numbers by name, such as {'val_loss': 0.3}", metrics))
    plain = {str(name): float(value) for name, value in metrics.items()}
    costs = {name: value for name, value in plain.items() if name in RESOURCES}
    return {name: value for name, value in plain.items() if name not in costs}, costs


def _state_of(given: Any) -> State | None:
    name = getattr(given, "name", given)
    if name is not None and name not in STATES:
        raise StudyError(must("state", f"be one of {', '.join(STATES)}", given))
    return None if name is None else STATES[name]
