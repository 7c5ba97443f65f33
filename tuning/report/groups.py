"""Studies side by side: how good the best was after how much training, and what the best trials are.

Owns what is compared with what: studies that differ by nothing but their seeds are one line, its median, with the range
from the worst to the best seed.
"""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tuning.errors import StudyError, must
from tuning.records.objective import Objective
from tuning.records.trial import State
from tuning.records.words import number
from tuning.study import Study

Steps = list[tuple[float, float]]
"""(what was spent, best score so far), at each improvement and at the end."""


@dataclass(frozen=True)
class Group:
    """Studies that differ by nothing but their seeds; often one.

    Attributes:
        studies: one a seed.
    """

    studies: tuple[Study, ...]

    @property
    def name(self) -> str:
        names = [study.name for study in self.studies]
        if len(names) == 1:
            return names[0]
        shared = os.path.commonprefix(names).rstrip("-_.0123456789") or f"{names[0]} ..."
        return f"{shared} ({len(names)} seeds)"

    @property
    def scores(self) -> list[float]:
        """The best score of each study that has one."""
        return [s.best.score for s in self.studies if s.best is not None and s.best.score is not None]

    @property
    def score(self) -> float | None:
        """The median of the best scores."""
        return statistics.median(self.scores) if self.scores else None

    @property
    def n_trials(self) -> float:
        return statistics.median(len(s.trials) for s in self.studies)

    @property
    def epochs(self) -> float:
        return statistics.median(spent(s)[0] for s in self.studies)

    @property
    def seconds(self) -> float:
        return statistics.median(spent(s)[1] for s in self.studies)

    def curve(self, in_seconds: bool) -> list[tuple[float, float, float, float]]:
        """Return (spent, median, least, largest) of the best scores so far, from where every seed has one."""
        return merged([steps(study, in_seconds) for study in self.studies])

    def needed(self, goal: float, in_seconds: bool = False) -> float | None:
        """Return what was spent until the median was as good as `goal`; None where it never was."""
        objective = self.studies[0].objective
        return next((at for at, median, _, _ in self.curve(in_seconds) if not objective.is_better(goal, median)), None)


def grouped(studies: Sequence[Study]) -> list[Group]:
    """Return the studies in groups, in the order in which they were given.

    Raises:
        StudyError: they have not one objective in common, or one stands there twice.
    """
    objectives = dict.fromkeys(str(study.objective) for study in studies)
    if len(objectives) > 1:
        raise StudyError(must("studies", "have the same objective to be compared", ", ".join(objectives)))
    names = [str(study.path.resolve()) for study in studies]
    if len(set(names)) < len(names):
        raise StudyError(must("studies", "be named once each", ", ".join(study.name for study in studies)))
    found: dict[str, list[Study]] = {}
    for study in studies:
        what = _what(study)
        while any(other.definition.seed == study.definition.seed for other in found.get(what, ())):
            what += "again"  # of a seed that is there already: no further seed
        found.setdefault(what, []).append(study)
    return [Group(tuple(same)) for same in found.values()]


def left_out(groups: Sequence[Group]) -> str:
    """Return a clause that says what is not compared; empty where studies have one objective."""
    several = {o.name: None for g in groups for s in g.studies for o in s.definition.objectives if o != s.objective}
    return f"{groups[0].studies[0].objective.name} alone is compared, not {', '.join(several)}" if several else ""


def goal_of(groups: Sequence[Group], objective: Objective) -> float | None:
    """Return the worst of the groups' best scores, which all have reached; None where one has none."""
    scores = [group.score for group in groups]
    known = [score for score in scores if score is not None]
    return max(known, key=objective.sort_key) if len(known) == len(scores) and known else None


def spent(study: Study) -> tuple[int, float]:
    """Return the epochs and the seconds of all training of a study."""
    return sum(t.trained_epochs for t in study.trials), sum(t.seconds for t in study.trials)


def steps(study: Study, in_seconds: bool) -> Steps:
    """Return how the best score of a study fell or rose with training, trials in the order in which they ended."""
    cost: Callable[[Any], float] = lambda t: t.seconds if in_seconds else t.trained_epochs  # noqa: E731
    order = sorted(study.trials, key=lambda t: (t.ended_at is None, t.ended_at or 0.0, t.number))
    at, best, found = 0.0, None, []
    for t in order:
        at += cost(t)
        counts = t.state is not State.FAILED and t.is_feasible
        if t.score is not None and counts and study.objective.is_better(t.score, best):
            best = t.score
            found.append((at, best))
    if best is not None and at > found[-1][0]:
        found.append((at, best))
    return found


def merged(curves: Sequence[Steps]) -> list[tuple[float, float, float, float]]:
    """Return (spent, median, least, largest) of step functions where all have begun; each goes on at its end."""
    if not curves or not all(curves):
        return []
    first = max(curve[0][0] for curve in curves)
    places = sorted({at for curve in curves for at, _ in curve if at >= first})
    found = []
    for at in places:
        values = [[value for x, value in curve if x <= at][-1] for curve in curves]
        found.append((at, statistics.median(values), min(values), max(values)))
    return found


def side_by_side(groups: Sequence[Group]) -> list[tuple[str, list[str], bool]]:
    """Return (name, text a group, whether they differ) of what was searched and of the best trials' values."""
    columns = [_described(group) for group in groups]
    names = list(dict.fromkeys(name for column in columns for name in column))
    rows = [(name, [column.get(name, "") for column in columns]) for name in names]
    return [(name, texts, len(set(texts)) > 1) for name, texts in rows]


def _described(group: Group) -> dict[str, str]:
    best = min(
        (s for s in group.studies if s.best is not None and s.best.score is not None),
        key=lambda s: s.objective.sort_key(s.best.score),  # type: ignore[union-attr,arg-type]
        default=None,
    )
    d = group.studies[0].definition
    options = {name: value for name, value in d.options.items() if value is not None}
    described = {
        "space": d.space,
        "engine": d.engine,
        "options": ", ".join(f"{name}={value}" for name, value in options.items()),
        "seed": ", ".join(str(s.definition.seed) for s in group.studies),
        "epochs a trial": str(d.epochs),
        "folds and repeats": str(len(d.training_names)) if d.is_divided else "",
        "data": ", ".join(map(str, d.data.values())),
    }
    if best is not None and best.best is not None:
        described["best trial"] = (
            f"{best.name}: {best.best.number}" if len(group.studies) > 1 else str(best.best.number)
        )
        described |= {name: number(value) for name, value in best.best.values.items()}
    return {name: text for name, text in described.items() if text}


def _what(study: Study) -> str:
    """Return what a study is, but for its seed."""
    record = {k: v for k, v in study.definition.to_json().items() if k not in ("study", "seed")}
    return json.dumps(record, sort_keys=True, default=str)
