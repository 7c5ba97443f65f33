"""Optuna's samplers and pruners as an engine.

Owns the engine's own Optuna study, which lives in memory and is made again from the trials when a search goes on. What
a sampler writes down for itself is kept in the run's note, and samplers are seeded anew for every proposal; so a
proposal depends on the options, the seed and the trials told, in order, and on nothing else.

Conditional hyperparameters are drawn after their parents, and only where they apply. A configuration that has
been tried is drawn again, and given up for another one when that does not help.
"""

from __future__ import annotations

import copy
import hashlib
import itertools
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, QMCSampler, RandomSampler, TPESampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from tuning.engines.base import Answer, Done, Engine, Wait
from tuning.engines.configurations import every_configuration
from tuning.engines.gaussian_process.sampler import GaussianProcessSampler
from tuning.engines.optuna import notes
from tuning.engines.optuna.finished import Compact
from tuning.engines.optuna.private import attributes_of, contains, replace_finished, reseed
from tuning.engines.optuna.pruners import Judge
from tuning.engines.optuna.samplers import Plan
from tuning.engines.refusals import Refusals
from tuning.hyperparameters import Hyperparameter, unknown
from tuning.records.constraint import Constraint, excesses, is_refused
from tuning.records.objective import Objective
from tuning.records.trial import Run, State, Trial
from tuning.space import active_values
from tuning.space.distributions import from_sampled, parameter_names, sampled_distribution, to_sampled

DRAWS = 10
"""Times that a sampler may propose what has been tried already."""
RANDOM_DRAWS = 100
"""Times that something new is drawn at random before all configurations are gone through."""

SLOW = "slow"
"""In the note of a run: its configuration is of the sampler that follows on a model that has become slow."""

_NAME = "study"  # Hyperband's pruner derives a trial's bracket from it
_EXHAUSTED = "every configuration of the search space has been tried"


class OptunaEngine(Engine):
    """An engine around one sampler and one pruner.

    Args:
        space: parents before children.
        objectives: what is optimised.
        seed: the study's.
        epochs: budget of a trial.
        max_trials: number of trials in all; None for no limit.
        plan: which sampler proposes which trial.
        judge: None when nothing is pruned.
        constraints: which trials had better keep.

    """

    thinks_long = True  # the samplers look at all trials

    def __init__(
        self,
        space: Sequence[Hyperparameter],
        objectives: Sequence[Objective],
        seed: int,
        epochs: int,
        max_trials: int | None,
        plan: Plan,
        judge: Judge | None,
        constraints: Sequence[Constraint] = (),
    ) -> None:
        self._space, self._objectives = list(space), tuple(objectives)
        self._metric = next(o.name for o in objectives if not o.is_resource)
        self._seed, self._epochs, self._max_trials = seed, epochs, max_trials
        self._plan, self._judge, self._constraints = plan, judge, constraints
        self._refusals = Refusals()
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._storage = optuna.storages.InMemoryStorage()
        directions = {"min": StudyDirection.MINIMIZE, "max": StudyDirection.MAXIMIZE}
        self._study_id = self._storage.create_new_study([directions[o.direction] for o in objectives], _NAME)
        self._rows: dict[int, int] = {}  # our trial's number -> Optuna's id
        self._spare_row: int | None = None  # made for a trial that came to nothing
        self._open: set[int] = set()
        self._n_own = 0  # trials that nobody else has chosen
        self._last_number = -1
        is_theirs = plan.is_given or (judge is not None and judge.is_given)  # who may look at anything
        self._compact = None if is_theirs else Compact(judge is None or not judge.compares_epochs)
        self._tried: set[bytes] = set()
        self._bounds: list[tuple[float, float]] = []  # the least and the largest score in each objective so far
        self._n_told, self._seconds = 0, 0.0  # of the trials told, and what they took together
        self._is_slow = False  # whether the sampler's model was too slow for a trial, and so is for all later ones
        self._diverged: list[int] = []  # trials without a score that no other has shown yet to be a bad one

    # The door ---------------------------------------------------------------------------------------------

    def ask(self) -> Answer:
        number = self._next_number
        is_last = self._max_trials is not None and number - self._refusals.n >= self._max_trials
        if is_last or self._refusals.end:
            return Wait() if self._open else self._refusals.end or Done()
        if self._plan.defaults_first and not self._n_own:
            defaults = active_values(self._space, {})
            if _key(defaults) not in self._tried:
                return self._registered(Run(number, defaults, 0, self._epochs))
        proposal = self._proposal(number)
        return Wait() if proposal is None and self._open else Done(_EXHAUSTED) if proposal is None else proposal

    @property
    def _next_number(self) -> int:
        """The number after the last, which is not how many there are: rows of a database may have been deleted."""
        return self._last_number + 1

    def begin_with(self, values: Mapping[str, Any]) -> Run:
        """Return a run of the next new trial with given values; missing ones are the defaults."""
        complete = active_values(self._space, values)
        return self._registered(Run(self._next_number, complete, 0, self._epochs, note={"given": True}))

    def tell(self, trial: Trial) -> None:
        row = self._rows[trial.number]
        self._space += unknown(self._space, map(Hyperparameter.from_json, trial.found))
        self._open.discard(trial.number)
        self._n_told, self._seconds = self._n_told + 1, self._seconds + trial.seconds
        if self._judge is not None:
            self._judge.learn(self._study(), row, trial)
        scores, beyond = self._scores(trial), excesses(trial, self._constraints)
        for key, value in attributes_of(beyond).items():
            self._storage.set_trial_system_attr(row, key, value)
        self._refusals.learn(trial)
        if is_refused(trial):
            self._close(trial.number, TrialState.PRUNED, None)
        elif scores is not None:
            bounds = self._bounds or [(s, s) for s in scores]
            self._bounds = [(min(low, s), max(high, s)) for s, (low, high) in zip(scores, bounds, strict=True)]
            # Only samplers that learn from pruned trials are told which they are.
            is_cut = trial.state is State.PRUNED and isinstance(self._plan.model, (TPESampler, GaussianProcessSampler))
            self._close(trial.number, TrialState.PRUNED if is_cut else TrialState.COMPLETE, scores)
        elif _has_diverged(trial, self._metric):
            self._diverged.append(trial.number)
        else:
            self._close(trial.number, TrialState.FAIL, None)
        if self._bounds:
            for number in self._diverged:
                self._close(number, TrialState.COMPLETE, self._worse_than_all())
            self._diverged.clear()
        if self._judge is not None:
            self._judge.forget(row)

    def should_stop(self, trial: Trial) -> bool:
        return self._judge is not None and self._judge.should_stop(self._study(), self._rows[trial.number], trial)

    def may_continue(self, number: int) -> bool:
        return False

    def dump(self) -> Any:
        return None  # it is all in the notes of the runs

    def restore(self, trials: Sequence[Trial], state: Any) -> None:
        events: list[tuple[Any, Any, Any]] = []
        for trial in trials:
            events.append((trial.runs[0].asked, self._restored, trial.runs[0]))
            if trial.run.ended is not None:
                events.append((trial.run.ended, self.tell, trial))
        for _, replay, record in sorted(events, key=lambda event: event[0]):
            replay(record)
        for trial in trials:
            if trial.is_training and self._judge is not None:
                self._judge.learn(self._study(), self._rows[trial.number], trial)

    # Proposals --------------------------------------------------------------------------------------------

    def _proposal(self, number: int) -> Run | None:
        """Return a run of a configuration that has not been tried; None when there is none left."""
        row = self._storage.create_new_trial(self._study_id) if self._spare_row is None else self._spare_row
        self._spare_row = row
        study, before = self._study(), self._storage.get_study_system_attrs(self._study_id)
        mean_seconds = self._seconds / max(self._n_told, 1)
        is_slow = self._is_slow or self._plan.is_slow(number, self._space, mean_seconds)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # remarks on independent sampling and on experimental parts
            values = next((v for v in self._draws(study, row, number, is_slow) if _key(v) not in self._tried), None)
        if values is None:
            return None
        after = self._storage.get_study_system_attrs(self._study_id)
        changed = {key: value for key, value in after.items() if before.get(key) != value}
        note = notes.note_of(self._storage.get_trial(row).system_attrs, changed)
        run = Run(number, values, 0, self._epochs, note={**note, **({SLOW: True} if is_slow else {})})
        self._spare_row = None
        params, distributions = self._parameters(values)
        for name, distribution in distributions.items():
            drawn = distribution.to_internal_repr(params[name])
            self._storage.set_trial_param(row, name, drawn, distribution)
        self._know(run, row)
        return run

    def _draws(self, study: optuna.Study, row: int, number: int, is_slow: bool) -> Iterator[dict[str, Any]]:
        """Yield configurations: the sampler's, then random ones, then all that there are."""
        at_random = RandomSampler()
        reseed(at_random, f"{self._seed}/{number}/random")
        for draw in range(DRAWS):
            sampler = self._plan.sampler(number, draw, self._seed, self._space, is_slow)
            yield self._drawn(study, row, sampler, at_random)
        for _ in range(RANDOM_DRAWS):
            yield self._drawn(study, row, at_random, at_random)
        yield from itertools.islice(every_configuration(self._space), len(self._tried) + 1)

    def _drawn(self, study: optuna.Study, row: int, sampler: BaseSampler, at_random: BaseSampler) -> dict[str, Any]:
        """Draw one configuration as Optuna's own trials do, parents before children.

        What a sampler cannot draw, because it was found after trial 0, is drawn by `at_random`.
        """
        trial = copy.copy(self._storage.get_trial(row))
        sampler.before_trial(study, trial)
        trial = copy.copy(self._storage.get_trial(row))  # with what the sampler has just written down
        trial.params, trial.distributions = {}, {}
        names = parameter_names(self._space)
        together = self._drawn_together(study, trial, sampler, names)
        values: dict[str, Any] = {}
        for h in self._space:
            if h.name in values or not h.is_active(values):
                continue
            if h.is_fixed:
                values[h.name] = h.default
                continue
            name, distribution = names[h], sampled_distribution(h)
            if distribution.single():
                param = distribution.to_external_repr(getattr(distribution, "low", 0))
            elif name in together:
                param = together[name]
            else:
                drawing = sampler if self._plan.can_draw(h, name) else at_random
                param = drawing.sample_independent(study, trial, name, distribution)
            trial.params[name], trial.distributions[name] = param, distribution
            values[h.name] = from_sampled(h, param)
        return active_values(self._space, values)

    @staticmethod
    def _drawn_together(
        study: optuna.Study, trial: FrozenTrial, sampler: BaseSampler, names: Mapping[Hyperparameter, str]
    ) -> dict[str, Any]:
        """Return the parameters that the sampler draws at once, by name."""
        if isinstance(sampler, QMCSampler):
            # One sequence over the whole space, the parts that do not apply included: what is skipped in one
            # trial is spread evenly over the others all the same.
            every = {name: sampled_distribution(h) for h, name in names.items()}
            return sampler.sample_relative(study, trial, {n: d for n, d in every.items() if not d.single()})
        shared = sampler.infer_relative_search_space(study, trial)
        drawn = sampler.sample_relative(study, trial, shared)
        return {n: v for n, v in drawn.items() if contains(shared[n], v)}

    # The study in memory ----------------------------------------------------------------------------------

    def _study(self) -> optuna.Study:
        """Return the study, with nothing remembered of what it was before."""
        pruner = None if self._judge is None else self._judge.pruner
        return _Study(_NAME, self._storage, sampler=self._plan.model, pruner=pruner or optuna.pruners.NopPruner())

    def _registered(self, run: Run) -> Run:
        """Make a run's trial one of the study, as it was when it was proposed, and return the run."""
        params, distributions = self._parameters(run.values)
        template = create_trial(
            state=TrialState.RUNNING,
            params=params,
            distributions=distributions,
            system_attrs=notes.written(run.note, "trial"),
        )
        for key, value in notes.written(run.note, "study").items():
            self._storage.set_study_system_attr(self._study_id, key, value)
        self._know(run, self._storage.create_new_trial(self._study_id, template))
        return run

    def _restored(self, run: Run) -> None:
        """Register a run that was proposed by an earlier process, and have its sampler make its state again."""
        self._registered(run)
        if not notes.is_remade(run.note):
            return
        row, is_slow = self._rows[run.number], bool(run.note.get(SLOW))
        sampler = self._plan.sampler(run.number, 0, self._seed, self._space, is_slow)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._drawn(self._study(), row, sampler, RandomSampler())
        for key, value in notes.written(run.note, "trial").items():  # of the draw that was taken
            self._storage.set_trial_system_attr(row, key, value)

    def _know(self, run: Run, row: int) -> None:
        self._rows[run.number], self._last_number = row, max(self._last_number, run.number)
        self._open.add(run.number)
        self._tried.add(_key(run.values))
        self._n_own += not run.note.get("given")
        self._is_slow |= bool(run.note.get(SLOW))

    def _parameters(self, values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, BaseDistribution]]:
        params: dict[str, Any] = {}
        distributions: dict[str, BaseDistribution] = {}
        for h, name in parameter_names(self._space).items():
            if h.name in values and h.is_active(values) and h.contains(values[h.name]) and self._plan.can_draw(h, name):
                params[name], distributions[name] = to_sampled(h, values[h.name]), sampled_distribution(h)
        return params, distributions

    def _scores(self, trial: Trial) -> Sequence[float] | None:
        """Return the score of each objective; None when the trial has not got them all."""
        scores = (trial.score,) if len(self._objectives) == 1 else trial.scores
        if trial.state is State.FAILED or not scores or any(s is None or not math.isfinite(s) for s in scores):
            return None
        return [float(s) for s in scores if s is not None]

    def _close(self, number: int, state: TrialState, scores: Sequence[float] | None) -> None:
        row = self._rows[number]
        self._storage.set_trial_state_values(row, state, scores)
        trial = self._storage.get_trial(row)
        if self._plan.is_given:
            self._plan.model.after_trial(self._study(), trial, state, scores)
        if self._compact is not None:
            replace_finished(self._storage, self._compact(trial))

    def _worse_than_all(self) -> list[float]:
        """Return scores as far behind the worst so far as that is behind the best."""
        found = []
        for objective, (low, high) in zip(self._objectives, self._bounds, strict=True):
            margin = (high - low) or abs(low) or 1.0
            found.append(low - margin if objective.direction == "max" else high + margin)
        return found


class _Study(optuna.Study):
    """A study whose samplers may say that they are at an end: whether they are is found out here."""

    def stop(self) -> None:
        pass


def _has_diverged(trial: Trial, metric: str) -> bool:
    """Tell whether the last epoch of a training had a metric that is no number."""
    last = [t.curve.epochs[-1].get(metric, 0.0) for t in trial.trainings if t.curve.epochs]
    return trial.state is State.FAILED and not all(map(math.isfinite, last))


def _key(values: Mapping[str, Any]) -> bytes:
    """Return what stands for a configuration; thousands of them are remembered."""
    return hashlib.blake2b(repr(sorted(values.items(), key=lambda item: item[0])).encode(), digest_size=16).digest()
