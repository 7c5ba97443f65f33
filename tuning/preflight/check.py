"""One batch through build, fit and validation, with the default configuration.

Owns the discovery of hyperparameters, those asked for in `fit` and in conditional scopes included, and the
checks that need a built model. Batches run eagerly, so nothing is compiled for them.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tuning.compiled.naming import numbered_afresh
from tuning.data import Data, fold
from tuning.errors import DataError, ObjectiveError, SpaceError, TuningError, guess, raise_all
from tuning.hyperparameters import Condition, Hyperparameter, Int, unknown
from tuning.preflight.fingerprint import fingerprint_of
from tuning.preflight.labels import Outputs, accuracy_mistakes, data_mistakes, label_mistakes, outputs_of
from tuning.preflight.sample import sample_of
from tuning.records.objective import Objective
from tuning.space import HyperParameters, SearchSpace
from tuning.space.imports import import_keras
from tuning.training.fit import assembled, fit_space
from tuning.training.messages import Decision
from tuning.training.models import is_keras_model
from tuning.training.options import TrainingOptions
from tuning.training.outcome import returned_epochs, returned_metrics
from tuning.training.seeding import generators_kept

MAX_VISITS = 50
"""Most configurations that are built to find hyperparameters; trials find the rest."""

SPARE_TRIES = 3
"""Random configurations that are tried when the default one raises."""


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
    """

    hyperparameters: tuple[Hyperparameter, ...]
    metrics: tuple[str, ...]
    uses_keras: bool
    objective: Objective
    outputs: tuple[str, ...] = ()
    model: Mapping[str, Any] = field(default_factory=dict)


def check(
    space: SearchSpace,
    data: Data,
    objective: str | Objective,
    fixed: Mapping[str, Any],
    fit_options: Mapping[str, Any],
    anneal: bool = False,
) -> Findings:
    """Find the hyperparameters and refuse a search that cannot work.

    Args:
        space: what will be searched.
        data: what it will be trained and validated on; the first batch is used, labels are read in full.
        objective: what will be optimised, as `Objective.parse` reads it.
        fixed: hyperparameters that are not searched, with their values.
        fit_options: further keyword arguments of `fit`.
        anneal: whether the learning rate will be annealed.

    Raises:
        OptionError: the learning rate cannot be annealed.
        DataError: data holds NaN, or does not fit the loss or the outputs.
        ObjectiveError: training does not report the objective, or its direction is not known.
        SpaceError: building or training raises, or a fixed hyperparameter does not exist or fit.
    """
    data = fold(data, 0)  # where there are folds, the first shows all there is to see
    raise_all(data_mistakes(data), DataError)
    name, _ = Objective.split(objective)
    scout = _Scout(space, data, name, fixed, fit_options, anneal)
    with generators_kept():
        scout.explore()
        if scout.metrics and name not in scout.metrics:
            scout.try_callbacks()
    _check_reported(name, scout.metrics, data)
    raise_all(accuracy_mistakes(data, scout.metrics, scout.outputs), DataError)
    outputs = tuple(name for name, _, _ in scout.outputs) if len(scout.outputs) > 1 else ()
    return Findings(
        _with_fixed(scout.space, fixed),
        tuple(scout.metrics),
        scout.uses_keras,
        Objective.parse(objective, outputs),
        outputs,
        scout.fingerprint,
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
    scout = _Scout(space, data, Objective.split(space.objective)[0], {}, {})
    with generators_kept():
        scout.explore()
    return tuple(scout.space)


class _Scout:
    """Builds and trains on one batch, and remembers what it met."""

    def __init__(
        self,
        space: SearchSpace,
        data: Data,
        objective: str,
        fixed: Mapping[str, Any],
        fit_options: Mapping[str, Any],
        anneal: bool = False,
    ) -> None:
        self.space: list[Hyperparameter] = []
        self.metrics: dict[str, None] = {}
        self.outputs: Outputs = []
        self.uses_keras = False
        self.fingerprint: dict[str, Any] = {}
        self._search_space, self._data, self._sample = space, data, sample_of(data)
        self._objective, self._fixed = objective, dict(fixed)
        self._options = TrainingOptions(compiled=False, anneal=1 if anneal else None, fit_options=fit_options)
        self._folder: Path | None = None

    def explore(self) -> None:
        """Visit the default configuration, then one of each conditional scope, then the largest one."""
        self._visit_first()
        pending, visited = list(self._scopes), set[tuple[Condition, ...]]()
        while pending and len(visited) < MAX_VISITS:
            scope = pending.pop(0)
            values = _values_inside(scope, self._fixed)
            if scope in visited or values is None:
                continue
            visited.add(scope)
            self._quietly(self._visit, values)
            pending += self._scopes
        # A loop such as `for i in range(n_hidden)` shows all its hyperparameters at the largest values.
        largest = {h.name: h.high for h in self.space if isinstance(h, Int)}
        self._quietly(self._build, {**largest, **self._fixed})

    def try_callbacks(self) -> None:
        """Visit once more, with the callbacks that were given, which may add metrics to those of the model."""
        if not self._search_space.callbacks and not self._options.fit_options.get("callbacks"):
            return
        with tempfile.TemporaryDirectory(prefix="tuning-") as folder:
            self._folder = Path(folder)
            self._quietly(self._visit, self._fixed)

    def _visit_first(self) -> None:
        try:
            self._visit(self._fixed)
            return
        except TuningError:
            raise
        except Exception as error:
            first = error
        _with_fixed(self.space, {name: v for name, v in self._fixed.items() if name in {h.name for h in self.space}})
        draws = random.Random(0)
        for _ in range(SPARE_TRIES if self.space else 0):
            values = {h.name: h.drawn(draws) for h in self.space} | self._fixed
            if self._quietly(self._visit, values):
                return
        raise SpaceError(
            f"'{self._search_space.name}' could not be built and trained on one batch with its default values: "
            f"{type(first).__name__}: {first}"
        ) from first

    def _quietly(self, visit: Callable[[Mapping[str, Any]], Any], values: Mapping[str, Any]) -> bool:
        """Visit; tell whether it went well. A configuration that raises is a trial that fails, no more."""
        try:
            visit(values)
        except TuningError:
            raise
        except Exception:
            return False
        return True

    def _build(self, values: Mapping[str, Any]) -> tuple[HyperParameters, Any]:
        hp = HyperParameters(values)
        try:
            return hp, self._search_space.build(hp)
        finally:
            self._remember(hp)

    def _visit(self, values: Mapping[str, Any]) -> None:
        with numbered_afresh():
            self._look_at(values)

    def _look_at(self, values: Mapping[str, Any]) -> None:
        hp, model = self._build(values)
        self.uses_keras = is_keras_model(model)
        if self.uses_keras and self._sample is not None:
            if not self.outputs:
                self.outputs = outputs_of(model, self._sample.x)
                raise_all(label_mistakes(model, self._data, self.outputs), DataError)
            model.run_eagerly = True
        if not self.fingerprint:  # of the first that was built, which has the default values
            self.fingerprint = fingerprint_of(self._search_space, model, self.uses_keras)
        try:
            self._train(hp, model)
        finally:
            self._remember(hp)

    def _train(self, hp: HyperParameters, model: Any) -> None:
        reported = False

        def listen(logs: Mapping[str, Any]) -> Decision:
            nonlocal reported
            reported = True
            self.metrics.update(dict.fromkeys(logs))
            return Decision.STOP

        options = replace(self._options, uses_keras=self.uses_keras)
        given = self._folder is not None
        arguments = assembled(self._search_space, model, options, listen, self._folder or Path(), given=given)
        if self._sample is None:
            return
        outcome = fit_space(self._search_space, hp, model, self._sample, epochs=1, initial_epoch=0, **arguments)
        epochs = [returned_metrics(outcome, self._objective)] if reported else returned_epochs(outcome, self._objective)
        for metrics in epochs:
            self.metrics.update(dict.fromkeys(metrics))

    def _remember(self, hp: HyperParameters) -> None:
        self.space += unknown(self.space, hp.space)
        self._scopes = [scope for scope in hp.inactive_scopes if scope]


def _values_inside(scope: tuple[Condition, ...], fixed: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return values for which all conditions hold; None when a fixed hyperparameter forbids that."""
    values = dict(fixed)
    for condition in scope:
        if condition.name in fixed and not condition.holds(fixed):
            return None
        values.setdefault(condition.name, condition.values[0])
    return values


def _check_reported(name: str, metrics: Mapping[str, None], data: Data) -> None:
    if not metrics or name in metrics:
        return
    text = (
        f"`objective` must be a metric that training reports, but got '{name}'; "
        f"training reports {', '.join(sorted(metrics))}."
    )
    if name.startswith("val_") and data.validation is None and name.removeprefix("val_") in metrics:
        raise ObjectiveError(f"{text} There are no validation data: pass validation_data=(x, y) or validation_split.")
    raise ObjectiveError(f"{text} {guess(name, metrics)}".rstrip())


def _with_fixed(space: list[Hyperparameter], fixed: Mapping[str, Any]) -> tuple[Hyperparameter, ...]:
    names = {h.name for h in space}
    raise_all(
        [
            f"`fix` must name a hyperparameter of the space, but got '{name}'. It has {', '.join(sorted(names))}. "
            f"{guess(name, names)}".rstrip()
            for name in fixed
            if name not in names
        ],
        SpaceError,
    )
    return tuple(h.fixed_at(fixed[h.name]) if h.name in fixed else h for h in space)
