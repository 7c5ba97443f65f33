"""Tables of trials, studies, spaces and engines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from tuning.final.record import Final
from tuning.records.definition import Definition
from tuning.records.objective import Objective
from tuning.records.ranking import ranked
from tuning.records.trial import State, Trial
from tuning.study import Study
from tuning.tools.baselines import Baseline

MAX_COLUMNS = 9
"""Most hyperparameters that get a column each."""

STYLES = {State.COMPLETED: "green", State.PRUNED: "yellow", State.FAILED: "red", State.RUNNING: "cyan"}


def table(title: str | None = None) -> Table:
    """Return an empty table in the house style."""
    return Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)


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


def trials_table(study: Study, top: int | None) -> Table:
    """Return the trials, best first, then those without a score."""
    order = ranked(study.trials, study.objective)
    placed = {t.number for t in order}
    order += [t for t in study.trials if t.number not in placed]
    shown = order if top is None else order[:top]
    names = list(dict.fromkeys(name for trial in shown for name in trial.values))
    as_columns = len(names) <= MAX_COLUMNS
    made = table()
    trainings = _trainings_title(study)
    further = study.definition.further
    beside = [*(["sd", trainings] if trainings else []), *(o.name for _, o in further)]
    for column in ("trial", study.objective.name, *beside, "epoch", "epochs", "time"):
        is_list = column == trainings  # of scores, which may stand below each other
        made.add_column(column, justify="right", no_wrap=not is_list, min_width=7 if is_list else None)
    made.add_column("state", no_wrap=True)
    for name in names if as_columns else ["values"]:
        made.add_column(name, justify="right" if as_columns else "left")
    for trial in shown:
        values = [number(trial.values.get(name)) for name in names]
        if not as_columns:
            values = ["  ".join(f"{n}={v}" for n, v in zip(names, values, strict=True) if v)]
        made.add_row(*_start(trial, [i for i, _ in further]), *values)
    return made


def pareto_line(study: Study) -> list[str]:
    """Return the line that names the Pareto set; none for a study of one objective."""
    if len(study.definition.objectives) == 1:
        return []
    numbers = ", ".join(str(trial.number) for trial in study.pareto) or "none yet"
    names = " and ".join(f"{o.name} ({o.direction})" for o in study.definition.objectives)
    return [f"Pareto set   trials {numbers}: no other is better in {names}"]


def _trainings_title(study: Study) -> str:
    """Return what the trainings of trials are called; empty where trials are trained once."""
    d = study.definition
    return " x ".join([*(["repeats"] if d.repeats is not None else []), *(["folds"] if d.cv is not None else [])])


def _start(trial: Trial, further: Sequence[int]) -> list[str | Text]:
    state = Text(trial.state.value, STYLES[trial.state])
    if trial.compiled is False:
        state.append(" (not compiled)", "none")
    each = " ".join(score(s) or "-" for s in trial.part_scores)
    return [
        str(trial.number),
        score(trial.score),
        *([score(trial.score_std), each] if trial.is_divided else []),
        *(number(trial.scores[i]) if i < len(trial.scores) else "" for i in further),
        number(trial.best_epoch),
        str(trial.epochs),
        duration(trial.seconds),
        state,
    ]


def baselines_table(found: Sequence[Baseline], objective: Objective) -> Table:
    """Return baselines on a study's data, best first, with their scores in its objective where they have it."""
    rows = [
        (record, model, record.score(model, objective)) for record in found for model in record.models if model.scores
    ]
    rows.sort(key=lambda row: (row[2] is None, 0 if row[2] is None else objective.sort_key(row[2])))
    made = table()
    made.add_column("baseline", no_wrap=True)
    made.add_column(objective.name, justify="right", no_wrap=True)
    for column in ("time", "samples"):
        made.add_column(column, justify="right", no_wrap=True)
    made.add_column("what it is")
    for record, model, value in rows:
        other = "" if value is not None else " ".join(f"{k} {score(v)}" for k, v in model.scores.items())
        what = f"{model.what} ({other})" if other else model.what
        made.add_row(model.name, score(value), duration(model.seconds), str(record.n_training), what)
    return made


def final_line(study: Study) -> list[str]:
    """Return a line about the final model, where there is one."""
    if study.final is None:
        return []
    final = Final.from_json(study.final)
    spread = "" if final.spread is None else f"; {len(final.seeds)} seeds {score(final.mean)} ± {score(final.spread)}"
    return [
        f"final model: test {final.metric} {score(final.score)}{spread} (trial {final.trial}, {final.epochs} epochs)"
    ]


def division(definition: Definition) -> str:
    """Return ", 5 folds by StratifiedKFold(...), 3 repeats"; empty for trials that are trained once."""
    folds = "" if definition.cv is None else f", {definition.cv['folds']} folds by {definition.cv['splitter']}"
    return folds + ("" if definition.repeats is None else f", {definition.repeats} repeats")


def failures(trials: Sequence[Trial]) -> list[str]:
    """Return one line a failed trial."""
    return [f"trial {t.number} failed: {t.error}" for t in trials if t.state is State.FAILED]


def uncompiled(trials: Sequence[Trial]) -> list[str]:
    """Return one line for each reason why trials were not compiled."""
    reasons: dict[str, list[str]] = {}
    for t in trials:
        if t.compiled is False:
            reasons.setdefault(t.compiled_reason or "unknown reason", []).append(str(t.number))
    return [f"not compiled: {reason} (trial{'s' * (len(n) > 1)} {', '.join(n)})" for reason, n in reasons.items()]


def counts(trials: Sequence[Trial], shown: int | None = None) -> str:
    """Return "12 trials: 10 completed, 2 failed", and how many of them are `shown` where not all are."""
    partly = f"; the best {shown} are shown (--top)" if shown is not None and shown < len(trials) else ""
    return in_words(Counter(trial.state for trial in trials)) + partly


def in_words(states: Mapping[State, int]) -> str:
    """Return "12 trials: 10 completed, 2 failed" for the number of trials in each state."""
    by_state = [f"{states[state]} {state.value.lower()}" for state in State if states.get(state)]
    listed = f": {', '.join(by_state)}" if by_state else ""
    total = sum(states.values())
    return f"{total} trial{'s' * (total != 1)}{listed}"
