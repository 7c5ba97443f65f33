"""The page of a report: what stands where.

Owns the facts that are shown; the template owns their looks, `figures` the pictures, `findings` the sentence on top,
`shell` how all of it becomes one file.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from tuning.driver.command import why_none
from tuning.errors import StudyError
from tuning.files import write_text
from tuning.final.record import Final
from tuning.records.arguments import in_words
from tuning.records.trial import Trial
from tuning.records.words import constraints, counts, failures, feasibility, feasible, schedule, state, ways
from tuning.report import figures
from tuning.report.findings import default_trial, findings
from tuning.report.shell import rendered
from tuning.storage.folder import REPORT
from tuning.study import Study, checked
from tuning.tools.baselines import beside

MAX_ROWS = 500
"""Most trials in the table: the best ones, and then those without a score."""


def write_report(study: Study, path: str | Path | None = None) -> Path:
    """Write the report of a study; return where it is.

    Args:
        study: as `tuning.load` returns it.
        path: default: `report.html` in the study's folder.

    Raises:
        StudyError: it cannot be written.
    """
    path = checked(study).path / REPORT if path is None else Path(path)
    try:
        write_text(path, html(study))
    except OSError as error:
        raise StudyError(f"the report {path} could not be written: {error}.") from error
    return path


def html(study: Study, is_live: bool = False) -> str:
    """Return the report as the text of one file.

    Args:
        study: as `tuning.load` returns it.
        is_live: whether the page asks its server for a newer one from time to time.
    """
    drawn = figures.Drawn(study)
    groups: dict[str, list[figures.Figure | None]] = {
        "importance": [figures.bars(drawn)],
        "history": [figures.history(drawn)],
        "curves": [figures.curves(drawn)],
        "slices": [*figures.slices(drawn)],
        "contour": [figures.contour(drawn)],
        "parallel": [figures.parallel(drawn)],
        "timeline": [figures.timeline(drawn)],
        "pareto": [*figures.pareto(drawn)],
        "spread": [figures.spread(drawn)],
    }
    shown = {name: [figure for figure in group if figure] for name, group in groups.items()}
    return rendered("page.html.j2", shown, drawn.tips(), is_live, **_facts(study, drawn))


def _facts(study: Study, drawn: figures.Drawn) -> dict[str, Any]:
    trials, order = study.trials, drawn.ranked
    placed = {t.number for t in order}
    rows = [*order, *(t for t in trials if t.number not in placed)]
    best, default = (order[0] if order else None), default_trial(study)
    return {
        "study": study,
        "title": study.name,
        "definition": study.definition,
        "objective": study.objective,
        "best": best,
        "default": default if default is not best else None,
        "is_live_search": drawn.is_live,
        "findings": findings(study, order, drawn.importance, default),
        "final": None if study.final is None else Final.from_json(study.final),
        "compared": _compared(study),
        "pareto": study.pareto,
        "front": {t.number for t in study.pareto},
        "several": len(study.definition.objectives) > 1,
        "further": study.definition.further,
        "constraints": constraints(study.definition),
        "schedule": [] if best is None else schedule(best, trials),
        "feasible": [feasible(study.definition, t) for t in rows[:MAX_ROWS]],
        "infeasible": feasibility(study.definition, trials),
        "training_names": study.definition.training_names if study.definition.is_divided else (),
        "names": list(dict.fromkeys([*drawn.names, *(name for t in rows for name in t.values)])),
        "rows": rows[:MAX_ROWS],
        "n_hidden": max(0, len(rows) - MAX_ROWS),
        "n_curves": min(len(order), figures.MAX_CURVES),
        "n_open": figures.MAX_AXES,
        "n_scored": len(order),
        "n_left_out": drawn.n_left_out,
        "n_drawn": len(drawn.trials),
        "states": [state(t, drawn.is_live).lower() for t in rows[:MAX_ROWS]],
        "counts": counts(trials, drawn.is_live).partition(" ")[2],
        "failures": failures(trials),
        "ways": ways(trials),
        "epochs": sum(t.trained_epochs for t in trials),
        "seconds": sum(t.seconds for t in trials),
        "searched": _when(trials),
        "written": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "command": study.command(),
        "why_no_command": why_none(study.definition),
        "fit": {name: in_words(form) for name, form in study.definition.fit.items() if form is not None},
        "options": {k: v for k, v in study.definition.options.items() if v is not None},
    }


def _compared(study: Study) -> list[tuple[str, str, float]]:
    """Return (name, what it is, score) of the baselines that compare with the study's objective."""
    found = [
        (model.name, model.what, value)
        for record in beside(study.path.parent, study.definition.data)
        for model in record.models
        if (value := record.score(model, study.objective)) is not None
    ]
    return sorted(found, key=lambda entry: study.objective.sort_key(entry[2]))


def _when(trials: list[Trial]) -> str:
    times = [t for trial in trials for t in (trial.started_at, trial.ended_at) if t is not None]
    if not times:
        return ""
    first, last = (time.strftime("%Y-%m-%d %H:%M", time.gmtime(t)) for t in (min(times), max(times)))
    return f"{first} UTC" if first == last else f"{first} to {last} UTC"
