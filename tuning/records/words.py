"""How numbers, times and trials are said to a person.

Owns the words alone: what they stand on, a terminal, a page or a notebook, is for others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tuning.records.definition import Definition
from tuning.records.ranking import pareto, ranked
from tuning.records.trial import State, Trial


def number(value: Any) -> str:
    """Return a value as a person reads it: four significant digits for floats."""
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) >= 1e-3 or value == 0 else f"{value:.3g}"
    return "" if value is None else str(value)


def score(value: float | None) -> str:
    """Return a score with enough digits to compare trials."""
    return "" if value is None else f"{value:.4f}" if 1e-3 <= abs(value) < 1e5 or value == 0 else f"{value:.5g}"


def duration(seconds: float) -> str:
    """Return seconds as "0.8 s", "12 s", "3 min 20 s" or "2 h 05 min"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def counts(trials: Sequence[Trial], shown: int | None = None) -> str:
    """Return "12 trials: 10 completed, 2 failed", and how many of them are `shown` where not all are."""
    partly = ""
    if shown is not None and shown < len(trials):
        partly = f"; the best {'one is' if shown == 1 else f'{shown} are'} shown (--top)"
    return in_words(Counter(trial.state for trial in trials)) + partly


def in_words(states: Mapping[State, int]) -> str:
    """Return "12 trials: 10 completed, 2 failed" for the number of trials in each state."""
    by_state = [f"{states[state]} {state.value.lower()}" for state in State if states.get(state)]
    listed = f": {', '.join(by_state)}" if by_state else ""
    total = sum(states.values())
    return f"{total} trial{'s' * (total != 1)}{listed}"


def best_line(definition: Definition, trials: Sequence[Trial]) -> str:
    """Return "best: trial 3, val_accuracy 0.9139, n_hidden=6"; of several objectives the Pareto set."""
    objectives = definition.objectives
    if len(objectives) > 1:
        front = pareto(trials, objectives)
        if not front:
            return "Pareto set   none yet"
        numbers = ", ".join(str(trial.number) for trial in front)
        names = " and ".join(f"{o.name} ({o.direction})" for o in objectives)
        return f"Pareto set   trials {numbers}: no other is better in {names}"
    best = next(iter(ranked(trials, definition.objective)), None)
    if best is None:
        return "best: none yet, for no trial has a score"
    return ", ".join([f"best: trial {best.number}", f"{definition.objective.name} {score(best.score)}", *pairs(best)])


def pairs(trial: Trial) -> list[str]:
    """Return the hyperparameters of a trial as "name=value"."""
    return [f"{name}={number(value)}" for name, value in trial.values.items()]
