"""Tables of trials, studies, spaces and engines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from tuning.display.console import printable
from tuning.final.record import Final
from tuning.records import words
from tuning.records.definition import Definition
from tuning.records.objective import Objective
from tuning.records.ranking import ranked
from tuning.records.trial import State, Trial
from tuning.records.words import duration, feasible, number, numbers_of, pairs, score, state
from tuning.study import Study
from tuning.tools.baselines import Baseline

MAX_COLUMNS = 9
"""Most hyperparameters that get a column each."""

OWN_BESTS = "own bests"
"""The column of what each fold or repeat was at its own best epoch."""

FIRST_TO_GO = (OWN_BESTS, "epoch", "epochs", "time")
"""Columns that are left out, one after the other, where a table is too wide."""

GAP = 3
"""Columns between two columns."""

LONG_NAME = 12
"""Characters of an objective's name that a narrow table has room for."""

LEAST_WRAPPED = 30
"""Columns that text needs before it is wrapped."""

MAX_REASONS = 10
"""Most reasons of failures that are listed."""

LEAST_VALUES = 40
"""Columns that values need to stand beside everything else."""

STYLES = {State.COMPLETED: "green", State.PRUNED: "yellow", State.FAILED: "red", State.RUNNING: "cyan"}


def table(title: str | None = None) -> Table:
    """Return an empty table in the house style."""
    return Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)


def trials_table(study: Study, top: int | None, width: int) -> Table:
    """Return the trials, best first, then those without a score, so that it fits into `width` columns.

    What does not fit goes in this order: the epochs and the time; then hyperparameters become `name=value`, below each
    other, and the state is one word.
    """
    order = ranked(study.trials, study.objective)
    placed = {t.number for t in order}
    order += [t for t in study.trials if t.number not in placed]
    shown = order if top is None else order[:top]
    columns, values = _start(study, shown), _values(shown)
    for left_out in range(len(FIRST_TO_GO) + 1):
        kept = [c for c in columns if c.name not in FIRST_TO_GO[:left_out]]
        if _fits(kept, values, width):
            return _table_of([*kept, *values])
    scores = [c for c in columns[1:] if c.name not in (*FIRST_TO_GO, "state") and not c.is_wrapped]
    if len(values) <= MAX_COLUMNS or sum(c.width for c in columns) + LEAST_VALUES > width:
        columns = _narrow(columns, shown, study.is_live)
    return _table_in_words(columns, scores, shown, width)


def front_table(front: Sequence[Trial], objectives: Sequence[Objective], width: int) -> Table:
    """Return the trials of a Pareto set, so that all their values fit into `width` columns.

    Where there is little room, hyperparameters become `name=value`, and then the objectives, too.
    """
    scores = [_Column(f"{o.name} ({o.direction})", [number(t.scores[i]) for t in front])
              for i, o in enumerate(objectives)]  # fmt: skip
    columns, values = [_Column("trial", [str(t.number) for t in front]), *scores], _values(front)
    if _fits(columns, values, width):
        return _table_of([*columns, *values])
    return _table_in_words(columns, scores, front, width)


def _values(shown: Sequence[Trial]) -> list[_Column]:
    """Return a column for each hyperparameter."""
    names = dict.fromkeys(name for trial in shown for name in trial.values)
    return [_Column(name, [number(trial.values.get(name)) for trial in shown]) for name in names]


def _table_in_words(columns: Sequence[_Column], scores: Sequence[_Column], shown: Sequence[Trial], width: int) -> Table:
    """Return a table with all hyperparameters in one column, as `name=value`, which none of the others may squeeze.

    Where there is no room for it, scores of folds go; then the other scores stand in that column, too.
    """
    listed = [pairs(trial) for trial in shown]
    longest = max((cell_len(pair) for found in listed for pair in found), default=0)
    for kept in (list(columns), [c for c in columns if not c.is_wrapped]):
        if sum(c.width for c in kept) + min(longest, LEAST_VALUES) <= width:
            return _table_of([*kept, _Column("values", ["  ".join(found) for found in listed], is_wrapped=True)])
    said = [
        "  ".join([*(f"{c.name.partition(' ')[0]}={c.cells[i]}" for c in scores if str(c.cells[i])), *found])
        for i, found in enumerate(listed)
    ]
    kept = [c for c in columns if c.name in ("trial", "state")]
    return _table_of([*kept, _Column("scores and values", list(said), is_wrapped=True)])


def _fits(columns: Sequence[_Column], values: Sequence[_Column], width: int) -> bool:
    """Tell whether hyperparameters have room for a column each."""
    return len(values) <= MAX_COLUMNS and sum(c.width for c in (*columns, *values)) <= width + 1


def _narrow(columns: Sequence[_Column], shown: Sequence[Trial], is_live: bool) -> list[_Column]:
    """Return what stands before the values where there is little room: the trial, its scores, the state in a word."""
    kept = []
    for column in columns:
        if column.name == "state":
            kept.append(_Column("state", [_word(t, is_live) for t in shown]))
        elif column.name not in FIRST_TO_GO:
            name = "score" if len(column.name) > LONG_NAME and len(kept) == 1 else column.name
            kept.append(_Column(name, column.cells, column.is_wrapped))
    return kept


@dataclass(frozen=True)
class _Column:
    """A column of a table; `is_wrapped` for one that stands on the left and takes what room is left."""

    name: str
    cells: list[str | Text]
    is_wrapped: bool = False

    @property
    def width(self) -> int:
        """What it needs, with the gap after it; what is longer than `LEAST_WRAPPED` may be wrapped."""
        needed = max(cell_len(printable(str(cell))) for cell in (self.name, *self.cells))
        return (min(needed, LEAST_WRAPPED) if self.is_wrapped else needed) + GAP


def _table_of(columns: Sequence[_Column]) -> Table:
    made = table()
    for c in columns:
        width = None if c.is_wrapped else c.width - GAP  # it is known; rich would measure every cell again
        made.add_column(c.name, justify="left" if c.is_wrapped or c.name == "state" else "right",
                        no_wrap=not c.is_wrapped, overflow="fold", width=width)  # fmt: skip
    for row in zip(*(c.cells for c in columns), strict=True):
        made.add_row(*row)
    return made


def _trainings_title(study: Study) -> str:
    """Return what the trainings of trials are called; empty where trials are trained once."""
    d = study.definition
    return " x ".join([*(["repeats"] if d.repeats is not None else []), *(["folds"] if d.cv is not None else [])])


def _start(study: Study, shown: Sequence[Trial]) -> list[_Column]:
    """Return the columns before the hyperparameters."""
    trainings, is_live = _trainings_title(study), study.is_live
    columns = [
        _Column("trial", [str(t.number) for t in shown]),
        _Column(study.objective.name, [score(t.score) for t in shown]),
    ]
    if trainings:
        columns.append(_Column("sd", [score(t.score_std) if t.is_divided else "" for t in shown]))
        each = [" ".join(score(s) or "-" for s in t.part_scores) for t in shown]
        columns.append(_Column(trainings, list(each), is_wrapped=True))
        own = [" ".join(score(s) or "-" for s in t.part_bests) for t in shown]
        columns.append(_Column(OWN_BESTS, list(own), is_wrapped=True))
    if study.definition.constraints:
        columns.append(_Column("feasible", [feasible(study.definition, t) for t in shown]))
    for i, objective in study.definition.further:
        columns.append(_Column(objective.name, [number(t.scores[i]) if i < len(t.scores) else "" for t in shown]))
    return [
        *columns,
        _Column("epoch", [number(t.best_epoch) for t in shown]),
        _Column("epochs", [str(t.epochs) for t in shown]),
        _Column("time", [duration(t.seconds) for t in shown]),
        _Column("state", [_state(t, is_live) for t in shown]),
    ]


def _state(trial: Trial, is_live: bool) -> Text:
    said = _word(trial, is_live)
    return said.append(" (not compiled)", "none") if trial.compiled is False else said


def _word(trial: Trial, is_live: bool) -> Text:
    return Text(state(trial, is_live), STYLES[trial.state])


def fitting(
    columns: Mapping[str, Sequence[str]], that_go: Sequence[str], width: int, wrapped: Sequence[str] = ()
) -> Table:
    """Return a table of columns by name, of which those `that_go` are left out in that order until it fits.

    Args:
        columns: the cells of each.
        that_go: names; what is not among them stays.
        width: columns of the terminal.
        wrapped: names of columns of text, which may be wrapped.
    """
    made = [_Column(name, list(cells), name in wrapped) for name, cells in columns.items()]
    for left_out in range(len(that_go) + 1):
        kept = [column for column in made if column.name not in that_go[:left_out]]
        if sum(column.width for column in kept) <= width + 1:
            break
    return _table_of(kept)


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
    """Return one line for each reason why trials failed, the most frequent first."""
    found = words.failures(trials)
    more = [f"{len(found) - MAX_REASONS} more reasons of failures"] if len(found) > MAX_REASONS else []
    return [*(f"{numbers_of(failed)} failed: {reason}" for reason, failed in found[:MAX_REASONS]), *more]


def ways(trials: Sequence[Trial]) -> list[str]:
    """Return one line for each way of training that is not the usual one."""
    return [f"{way} ({numbers_of(those)})" for way, those in words.ways(trials)]
