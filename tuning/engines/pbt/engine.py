"""Population based training as an engine.

Owns who goes on from whose weights, and with which values. A member is a trial, which rests after every `ready` epochs
until all others have come as far; then the worst quarter takes over the weights and the optimizer's state of the best
quarter and goes on with values that are a step away from theirs. What a generation comes to depends on the trials as
they were at the end of the one before, not on the order in which they got there: it is the same with any number of
workers, and after any interruption. All members have one architecture, or there would be nothing to take over.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from typing import Any

from tuning.engines.base import Answer, Done, Engine, Wait
from tuning.engines.pbt.kind import n_replaced
from tuning.errors import OptionError, must
from tuning.hyperparameters import Hyperparameter
from tuning.records.objective import Objective
from tuning.records.trial import Run, State, Trial
from tuning.space import active_values

STEP = 0.1
"""Of a hyperparameter's scale: by how much a value is changed."""

RESAMPLED = 0.25
"""Probability that a value is drawn anew instead."""


class Population(Engine):
    """Members that are trained side by side.

    Args:
        space: parents before children.
        objective: decides who is best, by the last epoch that was trained: its weights are what is taken over.
        seed: the study's.
        epochs: of each member in all.
        size: number of members.
        ready: epochs between two comparisons.
        change: names of what may change.

    References:
        M. Jaderberg et al., "Population Based Training of Neural Networks", arXiv:1711.09846, algorithm 1, with
        truncation selection.
    """

    def __init__(
        self,
        space: Sequence[Hyperparameter],
        objective: Objective,
        seed: int,
        epochs: int,
        size: int,
        ready: int,
        change: Sequence[str],
    ) -> None:
        self._space, self._objective, self._seed = list(space), objective, seed
        self._epochs, self._size, self._ready, self._change = epochs, size, ready, tuple(change)
        self._stops = [min(epochs, ready * (g + 1)) for g in range(math.ceil(epochs / ready))]
        self._runs: dict[int, list[Run]] = {}  # of each member that was asked for
        self._told: dict[int, Trial] = {}  # each as it was when its last run ended
        self._next: list[Run] = []  # of the generation that is being asked for

    def ask(self) -> Answer:
        if len(self._runs) < self._size:
            return self._asked(self._founder({}))
        if not self._next:
            if any(number not in self._told or self._is_under_way(number) for number in self._runs):
                return Wait()
            self._next = self._generation()
        return self._asked(self._next.pop(0)) if self._next else Done()

    def begin_with(self, values: Mapping[str, Any]) -> Run:
        """Return a run of a new member with given values of what may change."""
        return self._asked(self._founder({name: v for name, v in values.items() if name in self._change}))

    def tell(self, trial: Trial) -> None:
        self._told[trial.number] = trial

    def should_stop(self, trial: Trial) -> bool:
        return False

    def may_continue(self, number: int) -> bool:
        runs, told = self._runs.get(number, []), self._told.get(number)
        has_ended = told is not None and told.state.is_finished and told.state is not State.COMPLETED
        return bool(runs) and not has_ended and len(runs) < len(self._stops)

    def dump(self) -> Any:
        return None  # it is all in the runs

    def restore(self, trials: Sequence[Trial], state: Any) -> None:
        for trial in trials:
            self._runs[trial.number] = list(trial.runs)
            if any(run.ended is not None for run in trial.runs):
                self._told[trial.number] = trial
        begun = max((len(runs) for runs in self._runs.values()), default=0)
        if begun > 1:  # some have been asked for this generation, and others may not have been
            self._next = [run for run in self._generation(begun - 1) if len(self._runs[run.number]) < begun]

    # Founders ---------------------------------------------------------------------------------------------

    def _founder(self, given: Mapping[str, Any]) -> Run:
        """Return the first run of the next member: the defaults, then values at random."""
        number = max(self._runs, default=-1) + 1
        values = active_values(self._space, {})
        draws = random.Random(f"{self._seed}/{number}")
        if number and not given:
            given = {h.name: h.drawn(draws) for h in self._changeable(values)}
        return Run(number, {**values, **given}, 0, self._stops[0])

    def _changeable(self, values: Mapping[str, Any]) -> list[Hyperparameter]:
        return [h for h in self._space if h.name in self._change and h.is_active(values)]

    def _asked(self, run: Run) -> Run:
        self._runs.setdefault(run.number, []).append(run)
        return run

    # Generations ------------------------------------------------------------------------------------------

    def _is_under_way(self, number: int) -> bool:
        """Whether the last run that was asked for has not ended."""
        told = self._told[number]
        return len(told.runs) < len(self._runs[number]) or told.run.ended is None

    def _is_alive(self, number: int, n_runs: int) -> bool:
        """Tell whether a member had not failed by the end of so many runs."""
        trial = self._told.get(number)
        if trial is None or len(trial.runs) < n_runs:
            return trial is not None
        return trial.state is not State.FAILED or len(trial.runs) > n_runs

    def _generation(self, n_runs: int | None = None) -> list[Run]:
        """Return the runs that follow when all members have ended so many; those that take over come first.

        A member whose weights are taken over must not go on before they have been.
        """
        n = max((len(runs) for runs in self._runs.values()), default=0) if n_runs is None else n_runs
        alive = [number for number in sorted(self._runs) if len(self._runs[number]) >= n and self._is_alive(number, n)]
        if n >= len(self._stops) or not alive:
            return []
        order = sorted(alive, key=lambda number: (self._key(number, n), number))
        n_out = n_replaced(len(order)) if len(order) > 1 else 0
        best, worst = order[:n_out], order[len(order) - n_out :] if n_out else []
        taking = [self._taking_over(number, best, n) for number in sorted(worst)]
        going_on = [self._going_on(number, n) for number in alive if number not in worst]
        return [*taking, *going_on]

    def _key(self, number: int, n_runs: int) -> float:
        """Return what sorts a member by its last epoch of so many runs, the best first."""
        trial = self._told[number]
        until = trial.runs[n_runs - 1].until or 0
        values = [v for v in trial.curve.values(self._objective.name)[:until] if math.isfinite(v)]
        return self._objective.sort_key(values[-1]) if values else math.inf

    def _going_on(self, number: int, n: int) -> Run:
        before = self._told[number].runs[n - 1]
        return Run(number, before.values, before.until or 0, self._stops[n])

    def _taking_over(self, number: int, best: Sequence[int], n: int) -> Run:
        draws = random.Random(f"{self._seed}/{number}/{n}")
        source = draws.choice(list(best))
        values = dict(self._told[source].runs[n - 1].values)
        for h in self._changeable(values):
            values[h.name] = h.drawn(draws) if draws.random() < RESAMPLED else changed(h, values[h.name], draws)
        return Run(number, values, self._told[number].runs[n - 1].until or 0, self._stops[n], source=source)


def changed(h: Hyperparameter, value: Any, draws: random.Random) -> Any:
    """Return a legal value a step away, up or down on the hyperparameter's scale; of a category any other."""
    if not h.is_ordered:
        others = [v for v in h.values() or () if v != value]
        return draws.choice(others) if others else value
    up = draws.random() < 0.5
    for step in (STEP, -STEP):
        step = step if up else -step
        moved = h.from_unit(min(max(h.to_unit(value) + step, 0.0), 1.0))
        if moved == value and h.count() < math.inf:  # values are further apart than a step
            index = h.index_of(value) + (1 if step > 0 else -1)
            moved = h.value_at(index) if 0 <= index < h.count() else value
        if moved != value:
            return moved
    return value


def population_based(
    space: Sequence[Hyperparameter],
    objective: Objective,
    seed: int,
    epochs: int,
    max_trials: int | None,
    population: int,
    ready: int,
    change: Sequence[str],
) -> Population:
    """Make the engine of a settled definition.

    Raises:
        OptionError: another number of trials was asked for than there are members.
    """
    if max_trials is not None and max_trials != population:
        advice = f"Use -o population={max_trials}, in a new study."
        raise OptionError(must("trials", f"be {population}, the population of engine pbt", max_trials, advice))
    return Population(space, objective, seed, epochs, population, ready, change)
