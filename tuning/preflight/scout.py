"""Builds and trains one configuration after the other on a batch, and remembers what it met.

Owns the discovery of hyperparameters, those asked for in `fit` and in conditional scopes included, and the order in
which a training is tried: on a few rows and eagerly, so that nothing is compiled for it; and where that raises, on all
of the data, as Keras would train, up to the end of the first batch. Only what raises there as well cannot be trained.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tuning.compiled.naming import numbered_afresh
from tuning.data import Data
from tuning.errors import DataError, SpaceError, TuningError, guess, one_line, raise_all
from tuning.hyperparameters import Condition, Hyperparameter, Int, unknown
from tuning.preflight.fingerprint import fingerprint_of
from tuning.preflight.labels import Oddity, label_mistakes, oddities, text_columns
from tuning.preflight.sample import Sample, sample_of
from tuning.preflight.verdict import Verdict
from tuning.preflight.watch import TRAINING, VALIDATION, Watch
from tuning.space import HyperParameters, SearchSpace
from tuning.space.imports import backend
from tuning.training.fit import assembled, fit_space
from tuning.training.messages import Decision
from tuning.training.models import is_keras_model
from tuning.training.options import TrainingOptions
from tuning.training.outcome import are_numbers, is_number, returned_epochs, returned_metrics

MAX_VISITS = 50
"""Most configurations that are built to find hyperparameters; trials find the rest."""

SPARE_TRIES = 3
"""Random configurations that are tried when the default one raises."""


class Scout:
    """Visits configurations of a space.

    Args:
        space: what will be searched.
        data: what it will be trained and validated on.
        objective: the name of the metric that a number stands for which `fit` returns.
        fixed: hyperparameters that are not searched, with their values.
        fit_options: further keyword arguments of `fit`.
        verdict: takes what is found wrong.
        anneal: whether the learning rate will be annealed.
        trains: whether to train what was built.

    Attributes:
        space: every hyperparameter found, parents before children.
        metrics: names of the numbers that training reports, in order.
        several: names of what training reports that is no single number.
        uses_keras: whether `build` returns Keras models.
        fingerprint: of the first model that was built, which has the default values.
        watch: what was seen of the losses of the first model that was trained; None for none.
    """

    def __init__(
        self,
        space: SearchSpace,
        data: Data,
        objective: str,
        fixed: Mapping[str, Any],
        fit_options: Mapping[str, Any],
        verdict: Verdict,
        anneal: bool = False,
        trains: bool = True,
    ) -> None:
        self.space: list[Hyperparameter] = []
        self.metrics: dict[str, None] = {}
        self.several: dict[str, None] = {}
        self.uses_keras = False
        self.fingerprint: dict[str, Any] = {}
        self.watch: Watch | None = None
        self._search_space, self._data, self._verdict = space, data, verdict
        self._objective, self._fixed = objective, dict(fixed)
        self._options = TrainingOptions(compiled=False, anneal=1 if anneal else None, fit_options=fit_options)
        self._folder: Path | None = None
        self._first: Any = None  # model that was built
        self._scopes: list[tuple[Condition, ...]] = []
        self._odd = oddities(data.fresh())
        self._tries_whole, self._trains = False, trains
        self._not_finite: set[str] = set()

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

    # The first configuration that can be trained ---------------------------------------------------------

    def _visit_first(self) -> None:
        error = self._error_of(self._fixed)
        if error is not None:  # which a value that is not legal may have caused
            known = {h.name for h in self.space}
            with_fixed(self.space, {name: value for name, value in self._fixed.items() if name in known})
        if error is None or self._any_random_one():
            self._judge_oddities(is_trained=True)
            return
        self._judge_oddities(is_trained=False)
        self._verdict.refuse([_in_words(self._search_space, self._data, error)], _kind_of(self._data), error)

    def _error_of(self, values: Mapping[str, Any]) -> BaseException | None:
        """Visit, on all of the data where a batch is not enough; return what was raised at last."""
        error: BaseException | None = None
        for self._tries_whole in (False, True):
            try:
                self._visit(values)
                return None
            except (TuningError, KeyboardInterrupt):
                raise
            except BaseException as raised:  # SystemExit, and classes of the space's own
                error = raised
        self._tries_whole = False
        return error

    def _any_random_one(self) -> bool:
        draws = random.Random(0)
        return any(
            self._quietly(self._visit, {h.name: h.drawn(draws) for h in self.space} | self._fixed)
            for _ in range(SPARE_TRIES if self.space else 0)
        )

    def _quietly(self, visit: Callable[[Mapping[str, Any]], Any], values: Mapping[str, Any]) -> bool:
        """Visit; tell whether it went well. A configuration that raises is a trial that fails, no more."""
        try:
            visit(values)
        except (TuningError, KeyboardInterrupt):
            raise
        except BaseException:
            return False
        return True

    # One configuration -----------------------------------------------------------------------------------

    def _build(self, values: Mapping[str, Any]) -> tuple[HyperParameters, Any]:
        hp = HyperParameters(values)
        try:
            model = self._search_space.build(hp)
        finally:
            self._remember(hp)
        if model is self._first and is_keras_model(model):
            self._verdict.refuse(
                [
                    "`build` must return a new model each time, but returned the same one again: every trial would go "
                    "on with the weights that the one before has left."
                ],
                SpaceError,
            )
        self._first = model if self._first is None else self._first
        return hp, model

    def _visit(self, values: Mapping[str, Any]) -> None:
        with numbered_afresh():
            self._look_at(values)

    def _look_at(self, values: Mapping[str, Any]) -> None:
        hp, model = self._build(values)
        self.uses_keras = is_keras_model(model)
        if getattr(model, "built", True):
            self._take_fingerprint(model)
        if not self._trains:
            return
        data = self._data.fresh()
        rows = {split: [r for odd in self._odd if odd.split == split for r in odd.rows] for split in SPLITS}
        sample = Sample(data, is_small=False) if self._tries_whole else sample_of(data, rows)
        if self.uses_keras and not self._tries_whole and backend() != "jax":  # which compiles each operation then
            model.run_eagerly = True
        watch = Watch(sample, self._data)
        try:
            self._train(hp, model, watch, sample)
        except (AttributeError, TypeError) as error:
            if model is not None and (hasattr(model, "fit") or self._search_space.has_own_fit):
                raise
            what = "None. Does it end in `return model`?" if model is None else f"a {type(model).__name__}"
            raise TypeError(f"it must return a model, but returned {what}") from error
        finally:
            self._take_fingerprint(model)
            self._remember(hp)
            self._verdict.refuse(watch.mistakes, DataError)
            if watch.outputs and self.watch is None:
                self.watch = watch
                self._verdict.refuse(label_mistakes(watch, data), DataError)

    def _take_fingerprint(self, model: Any) -> None:
        if not self.fingerprint:
            self.fingerprint = fingerprint_of(self._search_space, model, self.uses_keras)

    def _train(self, hp: HyperParameters, model: Any, watch: Watch, sample: Sample) -> None:
        reported = False

        def listen(logs: Mapping[str, Any]) -> Decision:
            nonlocal reported
            reported = True
            self._take(logs)
            return Decision.STOP

        options = replace(self._options, uses_keras=self.uses_keras)
        given = self._folder is not None
        arguments = assembled(self._search_space, model, options, listen, self._folder or Path(), given=given)
        outcome = fit_space(
            self._search_space, hp, model, sample.data, epochs=1, initial_epoch=0, trainer=watch.fit, **arguments
        )
        if reported and are_numbers(outcome):
            self._verdict.remark(
                f"`fit` returns {len(outcome)} numbers, and which of them is the score cannot be known: what Keras "
                "reports counts. Return one number, such as their mean, or a dict with their names."
            )
        self._not_finite |= watch.not_finite
        self._verdict.remark(*watch.remarks)
        for metrics in (
            [returned_metrics(outcome, self._objective)] if reported else returned_epochs(outcome, self._objective)
        ):
            self._take(metrics)

    def _take(self, logs: Mapping[str, Any]) -> None:
        for name, value in logs.items():
            (self.metrics if is_number(value) else self.several)[name] = None
            if name.removeprefix("val_") == "loss" and is_number(value) and not abs(float(value)) < float("inf"):
                self._not_finite.add(VALIDATION if name.startswith("val_") else TRAINING)

    def _judge_oddities(self, is_trained: bool) -> None:
        """Refuse what is odd in the data where the training minds it, and remark on it where it does not."""
        refused, remarks = list[Oddity](), list[Oddity]()
        for odd in self._odd:
            if odd.rows:
                is_bad = odd.split in self._not_finite
            else:
                is_bad = self.watch is not None and self.watch.length_counts
            (refused if is_bad or not is_trained else remarks).append(odd)
        self._verdict.refuse([odd.text for odd in refused], DataError)
        self._verdict.remark(*(f"{odd.text} Training on a batch does not mind." for odd in remarks))

    def _remember(self, hp: HyperParameters) -> None:
        self.space += unknown(self.space, hp.space)
        self._scopes = [scope for scope in hp.inactive_scopes if scope]


SPLITS = (TRAINING, VALIDATION)


def _in_words(space: SearchSpace, data: Data, error: BaseException) -> str:
    """Return that no configuration could be trained, why, and what to do where that is known."""
    texts = text_columns(data) if isinstance(error, (TypeError, ValueError)) else []
    if texts:
        return (
            f"x must hold numbers, but {texts[0]} holds texts, which the model does not take. Encode them, or give x "
            "as a dict of columns to a model that looks them up (keras.layers.StringLookup, keras.utils.FeatureSpace)."
        )
    text = (
        f"'{space.name}' could not be built and trained on one batch with its default values: {one_line(error, 2000)}"
    )
    spec = getattr(data.x, "element_spec", None)
    first = spec[0] if isinstance(spec, tuple) else spec
    shape = getattr(first, "shape", None)
    if shape is not None and (shape.rank == 0 or (shape.rank and shape[0] is not None and shape.rank < 4)):
        text += " x is a dataset of single samples or of no batches of unknown size: x.batch(32) makes batches."
    if data.x is None:
        text += " There are no data: pass x, y and validation_data to search(), or define load_data(self)."
    return text


def _kind_of(data: Data) -> type[TuningError]:
    return DataError if data.x is None or text_columns(data) else SpaceError


def _values_inside(scope: tuple[Condition, ...], fixed: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return values for which all conditions hold; None when a fixed hyperparameter forbids that."""
    values = dict(fixed)
    for condition in scope:
        if condition.name in fixed and not condition.holds(fixed):
            return None
        values.setdefault(condition.name, condition.values[0])
    return values


def with_fixed(space: list[Hyperparameter], fixed: Mapping[str, Any]) -> tuple[Hyperparameter, ...]:
    """Return the hyperparameters of a space, those with a given value fixed at it.

    Raises:
        SpaceError: there is none of that name, or its value is not legal.
    """
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
