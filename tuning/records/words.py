"""How numbers, times and trials are said to a person.

Owns the words alone: what they stand on, a terminal, a page or a notebook, is for others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tuning.records.constraint import broken, is_refused
from tuning.records.definition import Definition
from tuning.records.ranking import pareto, ranked
from tuning.records.schedule import changed_values, schedule_of
from tuning.records.trial import State, Trial


def number(value: Any) -> str:
    """Return a value as a person reads it: four significant digits for floats, all of those before the point."""
    if isinstance(value, float):
        if 1e4 <= abs(value) < 1e9:
            return f"{value:.0f}"
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


TOGETHER = "in one program with"
"""How the reason begins of a trial whose epochs were run with those of others."""
MAX_NAMED = 30
"""Most trials that are listed by their numbers."""

RESTING, INTERRUPTED = "resting", "interrupted"
"""What a trial that is not finished may be besides: waiting for its engine, or left by a driver that is gone."""

_ORDER = (State.RUNNING.value, RESTING, INTERRUPTED, *(state.value for state in State if state.is_finished))


def state(trial: Trial, is_live: bool) -> str:
    """Return what has become of a trial: its state, "resting" or "interrupted".

    What no driver is training any more does not run, whatever was written last.

    Args:
        trial: of any study.
        is_live: whether a driver is searching the study just now.
    """
    if trial.state.is_finished:
        return trial.state.value
    if not trial.is_training:
        return RESTING
    return trial.state.value if is_live else INTERRUPTED


def counts(trials: Sequence[Trial], is_live: bool, shown: int | None = None) -> str:
    """Return "12 trials: 10 completed, 2 failed", and how many of them are `shown` where not all are."""
    partly = ""
    if shown is not None and shown < len(trials):
        partly = f"; the best {'one is' if shown == 1 else f'{shown} are'} shown (--top)"
    return in_words(Counter(state(trial, is_live) for trial in trials)) + partly


def in_words(states: Mapping[str, int]) -> str:
    """Return "12 trials: 10 completed, 2 failed" for the number of trials in each `state`."""
    by_state = [f"{states[name]} {name.lower()}" for name in _ORDER if states.get(name)]
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
        names = " and ".join(f"{o.name} ({o.direction})" for o in objectives)
        return f"Pareto set   {numbers_of(front)}: no other is better in {names}"
    best = next(iter(ranked(trials, definition.objective)), None)
    if best is None:
        keeps = f" and keeps {constraints(definition)}" if definition.constraints else ""
        return f"best: none yet, for no trial has a score{keeps}"
    return ", ".join([f"best: trial {best.number}", f"{definition.objective.name} {score(best.score)}", *pairs(best)])


def numbers_of(trials: Sequence[Trial]) -> str:
    """Return "trial 3" or "trials 3, 5, 8"; of many the first `MAX_NAMED`, and how many more there are."""
    more = f" and {len(trials) - MAX_NAMED} more" if len(trials) > MAX_NAMED else ""
    named = ", ".join(str(trial.number) for trial in trials[:MAX_NAMED])
    return f"trial{'s' * (len(trials) != 1)} {named}{more}"


def failures(trials: Sequence[Trial]) -> list[tuple[str, list[Trial]]]:
    """Return each reason why trials failed with those trials, the most frequent first."""
    by_reason: dict[str, list[Trial]] = {}
    for trial in trials:
        if trial.state is State.FAILED:
            by_reason.setdefault(trial.error or "no reason known", []).append(trial)
    return sorted(by_reason.items(), key=lambda entry: -len(entry[1]))


def ways(trials: Sequence[Trial]) -> list[tuple[str, list[Trial]]]:
    """Return how trials were trained, where that is not as whole epochs of one trial, with those that were."""
    found: dict[str, list[Trial]] = {}
    for trial in trials:
        reason = trial.compiled_reason or ""
        if trial.compiled is False:
            found.setdefault(f"not compiled: {reason or 'unknown reason'}", []).append(trial)
        elif reason.startswith(TOGETHER):
            found.setdefault(f"trained {TOGETHER} others", []).append(trial)
    return [*found.items()]


def constraints(definition: Definition) -> str:
    """Return "n_params<=50000 and val_recall>=0.9"."""
    return " and ".join(map(str, definition.constraints))


def feasibility(definition: Definition, trials: Sequence[Trial]) -> list[str]:
    """Return "infeasible: 3 of 12 trials break n_params<=50000, 2 of them were not trained"; nothing without such."""
    infeasible = [t for t in trials if t.limited and not t.is_feasible]
    if not infeasible:
        return []
    n_refused = sum(map(is_refused, infeasible))
    refused = f", {n_refused} of them {'was' if n_refused == 1 else 'were'} not trained" if n_refused else ""
    breaks = "breaks" if len(infeasible) == 1 else "break"
    return [f"infeasible: {len(infeasible)} of {len(trials)} trials {breaks} {constraints(definition)}{refused}"]


def broken_by(definition: Definition, trial: Trial) -> str:
    """Return the values with which a trial breaks constraints, "n_params 81002"; empty where it breaks none."""
    return ", ".join(f"{c.name} {number(trial.limited[c.name])}" for c in broken(trial, definition.constraints))


def feasible(definition: Definition, trial: Trial) -> str:
    """Return "yes", or the values with which a trial breaks constraints; empty while that is not known."""
    return "yes" if trial.limited and trial.is_feasible else broken_by(definition, trial)


def schedule(trial: Trial, trials: Sequence[Trial]) -> list[str]:
    """Return "epochs 0 to 1: rate=0.1" for each piece of a trial's schedule; nothing where no value has changed."""
    pieces = schedule_of(trial, trials)
    changed = changed_values(pieces)
    return [
        f"epochs {piece.start} to {piece.stop - 1}: "
        + ", ".join(f"{name}={number(values[i])}" for name, values in changed.items())
        for i, piece in enumerate(pieces)
        if changed
    ]


def pairs(trial: Trial) -> list[str]:
    """Return the hyperparameters of a trial as "name=value"."""
    return [f"{name}={number(value)}" for name, value in trial.values.items()]
