"""What a study has found, in sentences: what a reader takes away who reads nothing else.

Owns which findings there are and when they are said; each is said only where the trials show it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tuning.final.record import Final
from tuning.records.trial import State, Trial
from tuning.records.words import number, score
from tuning.study import Study

LEAST_SHARE = 0.1
"""Of the differences, for a hyperparameter to be named."""

LEAST_IDLE, LEAST_IDLE_PART = 5, 0.2
"""Trials, and part of all, that have brought nothing, for that to be said."""


def findings(study: Study, order: Sequence[Trial], importance: Mapping[str, float], default: Trial | None) -> list[str]:
    """Return the findings of a study, the most important first; each is a clause or a few.

    Args:
        study: as `tuning.load` returns it.
        order: its trials with a score, best first.
        importance: what each hyperparameter explains, the largest first.
        default: the trial of the default values, if there is one.
    """
    if not order:
        n = len(study.trials)
        return [f"no trial has a score yet, of {n}" if n else "no trial has begun yet", *_failed(study)]
    several = len(study.definition.objectives) > 1
    said = [_front(study) if several else _best(study, order[0], default)]
    said += [_explained(importance)] if importance else []
    said += [] if several else _idle(study, order[0])
    return [one for one in (*said, *_failed(study), *_final(study)) if one]


def default_trial(study: Study) -> Trial | None:
    """Return the trial of the default values, if it was tried and has a score."""
    space = study.definition.hyperparameters

    def is_default(values: Mapping[str, object]) -> bool:
        return all(values.get(h.name) == h.default or not h.is_active(values) for h in space)

    candidates = (t for t in study.trials if t.score is not None and t.state is not State.FAILED and t.is_feasible)
    return next((t for t in candidates if is_default(t.values)), None) if space else None


def better_by(study: Study, value: float, than: float) -> str:
    """Return "+0.004 over", with the sign that the objective has, or "no better than"."""
    if not study.objective.is_better(value, than):
        return "no better than"
    return f"{value - than:+.2g} over" if study.objective.direction == "max" else f"{value - than:+.2g} under"


def _best(study: Study, best: Trial, default: Trial | None) -> str:
    spread = f" ± {score(best.score_std)} over {len(best.trainings)} trainings" if best.score_std is not None else ""
    n = len(study.trials)
    said = (
        f"best {study.objective.name} {score(best.score)}{spread} (trial {best.number}) after {n} trial{'s' * (n > 1)}"
    )
    if default is None or default.score is None or best.score is None:
        return said
    if default is best:
        return f"{said}: the default values themselves" if n > 1 else said
    return f"{said}, {better_by(study, best.score, default.score)} the defaults"


def _front(study: Study) -> str:
    front = study.pareto
    if not front:
        return "no trial has a score in every objective yet"
    ends = []
    for i, objective in enumerate(study.definition.objectives):
        values = [value for t in front if (value := t.scores[i]) is not None]
        ends.append(f"{objective.name} from {number(min(values))} to {number(max(values))}")
    return f"Pareto set of {len(front)} of {len(study.trials)} trials: {', '.join(ends)}"


def _explained(importance: Mapping[str, float]) -> str:
    named = [(name, share) for name, share in importance.items() if share >= LEAST_SHARE][:2]
    if not named:
        return "no hyperparameter alone explains much of the differences"
    first = f"{named[0][0]} explains {named[0][1]:.0%} of the differences"
    return first + "".join(f", {name} {share:.0%}" for name, share in named[1:])


def _idle(study: Study, best: Trial) -> list[str]:
    ended = [t for t in study.trials if t.state.is_finished and t.number > best.number]
    if len(ended) < max(LEAST_IDLE, LEAST_IDLE_PART * len(study.trials)):
        return []
    return [f"the last {len(ended)} trials brought nothing better"]


def _failed(study: Study) -> list[str]:
    n = sum(t.state is State.FAILED for t in study.trials)
    return [f"{n} of {len(study.trials)} trials failed"] if n else []


def _final(study: Study) -> list[str]:
    if study.final is None:
        return []
    final = Final.from_json(study.final)
    return [f"the final model has a test {final.metric} of {score(final.score)}"]
