"""The page that shows studies side by side.

Owns the pictures and facts of that page; `groups` owns what is compared.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tuning.errors import StudyError
from tuning.files import write_text
from tuning.records.words import score
from tuning.report import axes
from tuning.report.axes import Axis, short
from tuning.report.figures import NOTE_FAR, Figure, thinned
from tuning.report.findings import better_by
from tuning.report.groups import Group, goal_of, grouped, left_out, side_by_side
from tuning.report.shell import rendered
from tuning.study import Study

MAX_STEPS = 300
"""Steps of a line, of more evenly chosen."""

N_LOOKS, N_AGAIN = 8, 3
"""Colours of lines with the dashes that go with them, and ways in which they are drawn again for further studies."""


def write_comparison(studies: Sequence[Study], path: str | Path) -> Path:
    """Write a page on which studies stand side by side; return where it is.

    Args:
        studies: of the same objective; those that differ by their seeds only are one line.
        path: the HTML file.

    Raises:
        StudyError: their objectives differ, or the file cannot be written.
    """
    text = html(grouped(studies))
    try:
        write_text(Path(path), text)
    except OSError as error:
        raise StudyError(f"the comparison {path} could not be written: {error}.") from error
    return Path(path)


def html(groups: Sequence[Group]) -> str:
    """Return the page as the text of one file."""
    objective = groups[0].studies[0].objective
    goal = goal_of(groups, objective)
    figures = [figure for in_seconds in (False, True) if (figure := _curves(groups, in_seconds))]
    facts: dict[str, Any] = {
        "title": ", ".join(group.name for group in groups),
        "objective": objective,
        "groups": groups,
        "goal": goal,
        "best": _best(groups),
        "findings": _findings(groups, goal),
        "parameters": side_by_side(groups),
        "written": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    }
    return rendered("compare.html.j2", {"curves": figures}, {}, **facts)


def _best(groups: Sequence[Group]) -> Group | None:
    scored = [(group.studies[0].objective.sort_key(group.score), group) for group in groups if group.score is not None]
    return min(scored, key=lambda entry: entry[0])[1] if scored else None


def _findings(groups: Sequence[Group], goal: float | None) -> list[str]:
    """Return what the comparison shows, in clauses."""
    best = _best(groups)
    if best is None or best.score is None:
        return ["no study has a trial with a score"]
    study, name = best.studies[0], best.studies[0].objective.name
    median = f", the median of {len(best.scores)} seeds," if len(best.scores) > 1 else ""
    said = f"{best.name} has the best {name}{median} {score(best.score)}"
    others = [(group.score, group) for group in groups if group is not best and group.score is not None]
    if others:
        second, runner_up = min(others, key=lambda entry: study.objective.sort_key(entry[0]))
        said += f", {better_by(study, best.score, second)} {runner_up.name}"
    found = [said]
    needed = [(at, group.name) for group in groups if goal is not None and (at := group.needed(goal)) is not None]
    if goal is not None and len(needed) > 1:
        least, first = min(needed)
        most, last = max(needed)
        found.append(f"{first} needed {least:.0f} epochs to come to {score(goal)}, {last} {most:.0f}")
    return [*found, *filter(None, [left_out(groups)])]


def _look(i: int) -> str:
    """Return the classes of the style of a group's line and band."""
    times = i // N_LOOKS % N_AGAIN
    return f"c{i % N_LOOKS}" + (f" again{times}" if times else "")


def _curves(groups: Sequence[Group], in_seconds: bool) -> Figure | None:
    """Return the best score so far over what was spent; None where no study has a score."""
    marks: list[dict[str, Any]] = []
    values: list[float] = []
    last = 0.0
    for i, group in enumerate(groups):
        points, look = thinned(group.curve(in_seconds), MAX_STEPS), _look(i)
        if not points:
            continue
        xs, medians, lows, highs = ([short(p[j]) for p in points] for j in range(4))
        values += [*lows, *highs]
        last = max(last, xs[-1])
        if len(group.studies) > 1:
            marks.insert(0, {"kind": "band", "look": look, "x": xs, "low": lows, "high": highs})
        marks.append({"kind": "line", "look": look, "name": group.name, "tip": group.name, "step": True,
                      "x": xs, "y": medians})  # fmt: skip
    if not marks:
        return None
    objective = groups[0].studies[0].objective
    y, n_far = axes.of_scores(objective, values)
    x = Axis("seconds of training", 0.0, last or 1.0, "time") if in_seconds else Axis("epochs", 0.0, last or 1.0)
    what = "seconds" if in_seconds else "epochs"
    alt = f"best {objective.name} so far against {what} of training, of {', '.join(g.name for g in groups)}"
    note = NOTE_FAR if n_far else ""
    return {"id": what, "kind": "xy", "alt": alt, "x": x.to_json(), "y": y.to_json(), "marks": marks, "height": 380,
            "note": note}  # fmt: skip
