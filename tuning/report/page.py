"""The page of a report: what stands where.

Owns the facts that are shown; the template owns their looks.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tuning.driver.command import why_none
from tuning.errors import StudyError
from tuning.files import write_text
from tuning.final.record import Final
from tuning.records.ranking import ranked
from tuning.records.trial import State, Trial
from tuning.report import figures
from tuning.storage.folder import REPORT
from tuning.study import Study
from tuning.tools.baselines import beside

MAX_ROWS = 200
"""Most trials in the table: the best ones, and then those without a score."""


def write_report(study: Study, path: str | Path | None = None) -> Path:
    """Write the report of a study; return where it is.

    Args:
        study: as `tuning.load` returns it.
        path: default: `report.html` in the study's folder.

    Raises:
        StudyError: it cannot be written.
    """
    path = study.path / REPORT if path is None else Path(path)
    try:
        write_text(path, html(study))
    except OSError as error:
        raise StudyError(f"the report {path} could not be written: {error}.") from error
    return path


def html(study: Study) -> str:
    """Return the report as the text of one file."""
    import jinja2
    from plotly.offline import get_plotlyjs

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tuning.report", "."), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    environment.filters.update(score=_score, number=_number, duration=_duration)
    return environment.get_template("page.html.j2").render(
        **_facts(study), figures=_pictures(study), plotly=get_plotlyjs()
    )


def _pictures(study: Study) -> dict[str, Any]:
    """Return the figures as JSON in which nothing can end a script."""
    made = {
        "progress": figures.progress(study),
        "curves": figures.curves(study),
        "parallel": figures.parallel(study),
        "pareto": figures.pareto(study),
        "slices": [figure for _, figure in figures.slices(study)],
    }
    return {name: _json(figure) if figure else None for name, figure in made.items()}


def _facts(study: Study) -> dict[str, Any]:
    trials = study.trials
    order = ranked(trials, study.objective)
    placed = {t.number for t in order}
    rows = [*order, *(t for t in trials if t.number not in placed)]
    final = None if study.final is None else Final.from_json(study.final)
    return {
        "study": study,
        "definition": study.definition,
        "objective": study.objective,
        "best": study.best,
        "final": final,
        "compared": _compared(study),
        "pareto": [t.number for t in study.pareto],
        "further": study.definition.further,
        "names": list(dict.fromkeys(name for t in rows for name in t.values)),
        "rows": rows[:MAX_ROWS],
        "n_hidden": len(rows) - MAX_ROWS,
        "n_curves": min(len(order), figures.MAX_CURVES),
        "n_scored": len(order),
        "counts": {state.value.lower(): n for state in State if (n := sum(t.state is state for t in trials))},
        "failures": _failures(trials),
        "uncompiled": Counter(t.compiled_reason for t in trials if t.compiled is False).most_common(),
        "epochs": sum(t.epochs for t in trials),
        "seconds": sum(t.seconds for t in trials),
        "searched": _when(trials),
        "written": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "command": study.command(),
        "why_no_command": why_none(study.definition),
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


def _failures(trials: list[Trial]) -> list[tuple[str, list[Trial]]]:
    """Return each reason with its trials, the most frequent first."""
    by_reason: dict[str, list[Trial]] = {}
    for trial in trials:
        if trial.state is State.FAILED:
            by_reason.setdefault(trial.error or "no reason known", []).append(trial)
    return sorted(by_reason.items(), key=lambda entry: -len(entry[1]))


def _when(trials: list[Trial]) -> str:
    times = [t for trial in trials for t in (trial.started_at, trial.ended_at) if t is not None]
    if not times:
        return ""
    first, last = (time.strftime("%Y-%m-%d %H:%M", time.gmtime(t)) for t in (min(times), max(times)))
    return f"{first} UTC" if first == last else f"{first} to {last} UTC"


def _json(value: Any) -> str:
    text = json.dumps(value, allow_nan=False, default=str)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _score(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}" if 1e-3 <= abs(value) < 1e5 or value == 0 else f"{value:.5g}"


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{seconds:.1f} s" if seconds < 10 else f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
