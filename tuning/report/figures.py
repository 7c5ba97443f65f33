"""The pictures of a report, as data for `charts.js`: plain JSON.

Owns what is drawn: which trials, where, and the words that stand for a picture where it cannot be seen. `axes` owns
scales, `surface` the map of two hyperparameters, `charts.js` looks.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Sequence
from typing import Any

from tuning.hyperparameters import Hyperparameter
from tuning.records.ranking import ranked
from tuning.records.trial import State, Trial
from tuning.records.words import INTERRUPTED, duration, pairs, score, state
from tuning.report import axes
from tuning.report.axes import Axis, short
from tuning.report.surface import surface
from tuning.study import Study
from tuning.study.importance import importance, searched

MAX_POINTS = 1200
"""Most trials that are drawn; of more the best `MAX_BEST` and others, evenly chosen."""
MAX_BEST = 200
MAX_LINES = 300
"""Most lines in the parallel coordinates: the best, and others evenly chosen."""
MAX_CURVES, MAX_OTHER_CURVES, MAX_EPOCHS = 30, 10, 200
"""Curves of best trials, of pruned ones and of failed ones each; epochs of a curve, of more evenly chosen."""
MAX_AXES = 12
"""Most hyperparameters in the parallel coordinates, and most slices that are open from the start."""
MAX_SPREADS = 15
"""Most trials whose folds and repeats are drawn."""
MAX_NAME = 20
"""Letters of a worker's name; of a longer one the last."""
NOTE_FAR, NOTE_FAILED = "What is much worse stands at the edge.", "Failed trials have no score and stand at the edge."
N_TONES = 8
"""Shades from the worst trial to the best."""

Figure = dict[str, Any]


class Drawn:
    """What is drawn of a study.

    Attributes:
        trials: those that are drawn, by number.
        is_live: whether a driver is searching the study just now.
        importance: the share that each hyperparameter explains; empty where it cannot be told.
        names: the hyperparameters, the most important first.
    """

    def __init__(self, study: Study) -> None:
        self.study, self.objective, self.is_live = study, study.objective, study.is_live
        self.ranked = ranked(study.trials, study.objective)
        self.space: dict[str, list[Hyperparameter]] = searched(study.definition.hyperparameters, study.trials)
        self.importance = importance(study.definition.hyperparameters, study.trials, study.objective)
        self.names = list(dict.fromkeys([*self.importance, *self.space]))
        always = {t.number: t for t in (*self.ranked[:MAX_BEST], *study.pareto)}
        rest = [t for t in study.trials if t.number not in always]
        chosen = {**always, **{t.number: t for t in thinned(rest, max(0, MAX_POINTS - len(always)))}}
        self.trials = [chosen[n] for n in sorted(chosen)]
        place = {t.number: i for i, t in enumerate(self.ranked)}
        self.scored = [t for t in self.trials if t.number in place]
        last = max(1, len(self.ranked) - 1)
        self.tones = {n: round((N_TONES - 1) * (1 - i / last)) for n, i in place.items()}
        self.scores, self.n_far = axes.of_scores(self.objective, [t.score for t in self.ranked if t.score is not None])
        self.axes = {
            name: axes.of_hyperparameter(name, same, [t.values.get(name) for t in self.scored])
            for name, same in self.space.items()
        }

    @property
    def n_left_out(self) -> int:
        return len(self.study.trials) - len(self.trials)

    def tips(self) -> dict[int, str]:
        """Return what is said of each trial that is drawn."""
        name = self.objective.name
        return {
            t.number: f"trial {t.number}, {state(t, self.is_live).lower()}: "
            + (t.error or "no score" if t.score is None else f"{name} {score(t.score)}")[:200]
            + f"\n{', '.join(pairs(t)[:24])}"
            + (f"\non {', '.join(t.workers[:4])}" if t.workers else "")
            for t in self.trials
        }


def history(drawn: Drawn) -> Figure | None:
    """Return the objective of every trial in order, and the best so far; None where there is nothing to draw yet."""
    study, objective = drawn.study, drawn.objective
    kept = [t for t in drawn.trials if t.is_feasible or t.score is None]
    marks = [_points(one, [t for t in kept if t.state is one]) for one in State]
    if not drawn.is_live:
        marks = [{**mark, "name": INTERRUPTED} if mark["look"] == "running" else mark for mark in marks]
    broken = _points(State.COMPLETED, [t for t in drawn.trials if not t.is_feasible and t.score is not None])
    marks.append({**broken, "look": "infeasible", "name": "breaks a constraint"})
    best, xs, ys = None, [], []
    for t in study.trials:
        counts = t.state is not State.FAILED and t.is_feasible
        if t.score is not None and counts and objective.is_better(t.score, best):
            best = t.score
            xs.append(t.number)
            ys.append(short(best))
    last = study.trials[-1].number if study.trials else 0
    if xs:
        marks.append({"kind": "line", "name": "best so far", "look": "best", "step": True,
                      "x": [*xs, last], "y": [*ys, ys[-1]]})  # fmt: skip
    alt = f"{objective.name} of {len(drawn.ranked)} trials in order" + (f"; the best is {score(best)}" if xs else "")
    notes = [NOTE_FAR] if drawn.n_far else []
    notes += [NOTE_FAILED] if any(t.state is State.FAILED for t in kept) else []
    figure = _figure("history", alt, axes.of_count("trial", last), drawn.scores, marks, note=" ".join(notes))
    return figure if figure["marks"] else None


def curves(drawn: Drawn) -> Figure | None:
    """Return the objective of each epoch, of the best trial in training too."""
    name = drawn.objective.name
    chosen = [*drawn.ranked[:MAX_CURVES]]
    numbers = {t.number for t in chosen}
    for ended in (State.PRUNED, State.FAILED):
        others = [t for t in drawn.study.trials if t.state is ended and t.epochs and t.number not in numbers]
        chosen += thinned(others, MAX_OTHER_CURVES)
    if not chosen:
        return None
    best, marks, values = chosen[0] if drawn.ranked else None, [], []
    for t in reversed(chosen):
        look = "best" if t is best else "soft"
        line = _line(t, name, look, f"trial {t.number}, validation" if t is best and _of_training(name) else "")
        values += [y for y in line["y"] if y is not None]
        marks.append(line)
        if t is best and any(not math.isnan(v) for v in t.curve.values(_of_training(name))):
            marks.append(_line(t, _of_training(name), "train", f"trial {t.number}, training"))
            values += [y for y in marks[-1]["y"] if y is not None]
    lines = [m for m in marks if m["look"] != "train"]
    marks += [_ends(ended, chosen, lines) for ended in (State.COMPLETED, State.PRUNED, State.FAILED)]
    scale, n_far = axes.of_scores(drawn.objective, values)
    alt = f"{name} by epoch of {len(chosen)} trials"
    return _figure("curves", alt, axes.of_count("epoch", max(t.epochs for t in chosen) - 1), scale, marks,
                   note=NOTE_FAR if n_far else "")  # fmt: skip


def _ends(ended: State, trials: Sequence[Trial], lines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the last points of the curves of trials in a state, in its shape."""
    of_state = {t.number for t in trials if t.state is ended}
    known = {m["trial"]: [p for p in zip(m["x"], m["y"], strict=True) if p[1] is not None] for m in lines}
    there = [(n, points[-1]) for n, points in known.items() if n in of_state and points]
    look = ended.value.lower()
    return {"kind": "points", "look": look, "name": f"end, {look}", "x": [p[0] for _, p in there],
            "y": [p[1] for _, p in there], "trial": [n for n, _ in there]}  # fmt: skip


def bars(drawn: Drawn) -> Figure | None:
    """Return how much each hyperparameter explains; None where it cannot be told."""
    shares = list(drawn.importance.items())[:MAX_AXES]
    if not shares:
        return None
    said = ", ".join(f"{name} {share:.0%}" for name, share in shares[:5])
    items = [{"label": name, "value": short(share), "text": f"{share:.0%}"} for name, share in shares]
    return {"id": "importance", "kind": "bars", "alt": f"share of the differences explained: {said}", "items": items}


def slices(drawn: Drawn) -> list[Figure]:
    """Return for each hyperparameter, the most important first, the objective over its values."""
    found = []
    for i, name in enumerate(drawn.names):
        marks = []
        for one in (State.COMPLETED, State.PRUNED, State.RUNNING):
            there = [t for t in drawn.scored if t.state is one]
            axis = drawn.axes[name]
            xs = [axis.place(t.values.get(name), _jitter(t)) for t in there]
            marks.append({**_points(one, there), "x": xs, "tone": [drawn.tones[t.number] for t in there]})
        if any(mark["x"] for mark in marks):
            alt = f"{drawn.objective.name} over {name}"
            found.append(_figure(f"slice-{i}", alt, axis, drawn.scores, marks, height=240, legend=False))
    return found


def parallel(drawn: Drawn) -> Figure | None:
    """Return parallel coordinates of the trials with a score; None for fewer than two."""
    names = drawn.names[:MAX_AXES]
    best = drawn.ranked[:MAX_BEST]
    numbers = {t.number for t in best}
    trials = [*best, *thinned([t for t in drawn.scored if t.number not in numbers], MAX_LINES - len(best))]
    if len(trials) < 2 or not names:
        return None
    trials.sort(key=lambda t: (drawn.tones[t.number], t.number))
    lines = [[drawn.axes[name].place(t.values.get(name), 0.5 * _jitter(t)) for name in names] for t in trials]
    for line, t in zip(lines, trials, strict=True):
        line.append(short(t.score) if t.score is not None else None)
    left_out = drawn.names[MAX_AXES:]
    note = f"Left out, as the least important: {', '.join(left_out)}." if left_out else ""
    return {
        "id": "parallel", "kind": "parallel", "alt": f"{len(trials)} trials as lines over {', '.join(names)}",
        "axes": [*(drawn.axes[name].to_json() for name in names), drawn.scores.to_json()], "lines": lines,
        "trial": [t.number for t in trials], "tone": [drawn.tones[t.number] for t in trials], "note": note,
    }  # fmt: skip


def contour(drawn: Drawn) -> Figure | None:
    """Return the objective over the two most important hyperparameters, smoothed; None where there is too little."""
    names, trials = drawn.names[:2], drawn.scored
    if len(names) < 2 or len(trials) < 2:
        return None
    x, y = (drawn.axes[name] for name in names)
    there = [t for t in trials if x.unit(t.values.get(names[0])) is not None]
    there = [t for t in there if y.unit(t.values.get(names[1])) is not None]
    if len(there) < 10:
        return None
    x, y = (axes.of_hyperparameter(n, drawn.space[n], [t.values[n] for t in there]) for n in names)
    cells = surface(x, y, [(t.values[names[0]], t.values[names[1]], drawn.tones[t.number]) for t in there])
    points = {
        "kind": "points", "look": "dot", "name": "trial", "trial": [t.number for t in there],
        "x": [x.place(t.values[names[0]], _jitter(t)) for t in there],
        "y": [y.place(t.values[names[1]], _jitter(t)) for t in there],
    }  # fmt: skip
    alt = f"where trials are good over {names[0]} and {names[1]}, smoothed"
    return _figure("contour", alt, x, y, [{"kind": "cells", **cells}, points], height=360, legend=False)


def timeline(drawn: Drawn) -> Figure | None:
    """Return when each trial was under way, a row a worker; where those are not known, as many rows as are needed.

    What a worker has under way at the same time, because a trial rests meanwhile, stands below each other.
    """
    timed = [t for t in drawn.study.trials if t.started_at is not None]
    if not timed:
        return None
    first = min(t.started_at for t in timed if t.started_at is not None)
    last = max(t.ended_at or t.started_at or first for t in timed)
    title, labels, placed = _rows(sorted(timed, key=lambda t: (t.started_at or first, t.number)), last)
    shown = {t.number for t in drawn.trials}
    spans = []
    for t, lane in placed:
        if t.number in shown and t.started_at is not None:
            end = (t.ended_at if t.ended_at is not None else last) - first
            spans.append([short(t.started_at - first), short(end), lane, t.state.value.lower(), t.number])
    x = Axis("since the start", 0.0, max(last - first, 1e-3), "time")
    y = Axis(title, -0.5, len(labels) - 0.5, "category", tuple(labels))
    workers = [label for label in labels if label]
    alt = f"{len(timed)} trials in {duration(last - first)}; {title}: {', '.join(workers[:12])}"
    height = 90 + 26 * min(len(labels), 24)
    return _figure("timeline", alt, x, y, [{"kind": "spans", "spans": spans}], height=height)


def _rows(trials: Sequence[Trial], last: float) -> tuple[str, list[str], list[tuple[Trial, int]]]:
    """Return what the rows of the timeline are, the label of each, and each trial with its row.

    A trial stands in the rows of all workers that have trained it.
    """
    by_worker: dict[str, list[Trial]] = {}
    for t in trials:
        for worker in t.workers or ("",):
            by_worker.setdefault(worker, []).append(t)
    if list(by_worker) == [""]:
        placed = _lanes(trials, last)
        return "at a time", [str(i + 1) for i in range(1 + max(lane for _, lane in placed))], placed
    hosts = {worker.rpartition(":")[0] for worker in by_worker if worker}
    labels: list[str] = []
    placed = []
    for worker in sorted(by_worker, key=_place_of_worker):
        lanes = _lanes(by_worker[worker], last)
        placed += [(t, len(labels) + lane) for t, lane in lanes]
        name = (worker if len(hosts) > 1 else worker.rpartition(":")[2]) or "not known"
        name = name if len(name) <= MAX_NAME else f"…{name[1 - MAX_NAME :]}"
        labels += [name, *[""] * max(lane for _, lane in lanes)]
    return "worker", labels, placed


def _place_of_worker(name: str) -> tuple[bool, str, int, str]:
    """Return the key by which workers are sorted: by machine and number; who is not known comes last."""
    host, _, slot = name.rpartition(":")
    return not name, host, int(slot) if slot.isdecimal() else 0, slot


def pareto(drawn: Drawn) -> list[Figure]:
    """Return the first metric over each other objective, the Pareto set named; nothing for one objective."""
    study, best = drawn.study, drawn.study.pareto
    names = {t.number for t in best}
    beaten = [t for t in drawn.scored if t.number not in names and None not in t.scores and t.scores]
    figures = []
    for i, other in study.definition.further:
        there = sorted(best, key=lambda t: (t.scores[i] or 0.0, t.number))
        xs = [t.scores[i] for t in (*beaten, *there)]
        known = [x for x in xs if x is not None]
        if not known:
            continue
        marks: list[dict[str, Any]] = [
            {**_points(State.COMPLETED, beaten), "name": "beaten", "look": "beaten", "x": xs[: len(beaten)]},
            {**_points(State.COMPLETED, there), "name": "Pareto set", "look": "front", "x": xs[len(beaten) :]},
        ]
        marks.append({"kind": "names", "x": marks[1]["x"], "y": marks[1]["y"], "text": [str(t.number) for t in there]})
        if len(study.definition.further) == 1:
            marks.append({"kind": "line", "look": "front", "x": marks[1]["x"], "y": marks[1]["y"], "step": True})
        alt = (
            f"{drawn.objective.name} against {other.name}; Pareto set: trials {', '.join(str(t.number) for t in there)}"
        )
        x = Axis(f"{other.name} ({other.direction})", *axes.padded(min(known), max(known)))
        y = Axis(f"{drawn.objective.name} ({drawn.objective.direction})", drawn.scores.low, drawn.scores.high)
        figures.append(_figure(f"pareto-{i}", alt, x, y, marks, height=340))
    return figures


def spread(drawn: Drawn) -> Figure | None:
    """Return the scores of the folds and repeats of the best trials; None where trials are trained once."""
    trials = [t for t in drawn.ranked if t.is_divided][:MAX_SPREADS]
    if not trials:
        return None
    names = drawn.study.definition.training_names
    dots = [(i, t, s) for i, t in enumerate(trials) for s in t.part_scores if s is not None]
    deviations = [(i, t.score, t.score_std) for i, t in enumerate(trials) if t.score_std is not None]
    marks: list[dict[str, Any]] = [
        {"kind": "points", "look": "beaten", "name": "fold or repeat", "x": [d[0] for d in dots],
         "y": [short(d[2]) for d in dots], "trial": [d[1].number for d in dots]},
        {"kind": "points", "look": "completed", "name": "mean", "x": list(range(len(trials))),
         "y": [short(t.score or 0.0) for t in trials], "trial": [t.number for t in trials]},
        {"kind": "whiskers", "name": "± standard deviation", "x": [d[0] for d in deviations],
         "low": [short((d[1] or 0.0) - d[2]) for d in deviations],
         "high": [short((d[1] or 0.0) + d[2]) for d in deviations]},
    ]  # fmt: skip
    ends = [d[2] for d in dots] + [end for m in marks[2:] for end in (*m["low"], *m["high"])]
    x = Axis("trial, best first", -0.5, len(trials) - 0.5, "category", tuple(str(t.number) for t in trials))
    y = Axis(drawn.objective.name, *axes.padded(min(ends), max(ends)))
    alt = f"scores of {len(names)} trainings ({', '.join(names[:12])}) of each of the best {len(trials)} trials"
    return _figure("spread", alt, x, y, marks)


def thinned(items: Sequence[Any], n: int) -> list[Any]:
    """Return `n` of the items, evenly chosen; all where there are fewer."""
    if len(items) <= n:
        return list(items)
    return [items[round(i * (len(items) - 1) / max(1, n - 1))] for i in range(n)]


def _figure(name: str, alt: str, x: Axis, y: Axis, marks: Iterable[dict[str, Any]], **more: Any) -> Figure:
    kept = [mark for mark in marks if mark.get("x") or mark.get("spans") or mark.get("cells")]
    return {"id": name, "kind": "xy", "alt": alt, "x": x.to_json(), "y": y.to_json(), "marks": kept, "height": 320} | {
        key: value for key, value in more.items() if value != ""
    }


def _points(of: State, trials: Sequence[Trial]) -> dict[str, Any]:
    """Return trials as points over their numbers; what has no score stands at the edge."""
    look = of.value.lower()
    ys = [None if t.score is None or of is State.FAILED else short(t.score) for t in trials]
    kept = [(t, y) for t, y in zip(trials, ys, strict=True) if y is not None or of is State.FAILED]
    return {"kind": "points", "look": look, "name": look, "x": [t.number for t, _ in kept],
            "y": [y for _, y in kept], "trial": [t.number for t, _ in kept]}  # fmt: skip


def _line(trial: Trial, metric: str, look: str, name: str) -> dict[str, Any]:
    points = thinned(list(enumerate(trial.curve.values(metric))), MAX_EPOCHS)
    ys = [short(y) if math.isfinite(y) else None for _, y in points]
    made = {"kind": "line", "look": look, "x": [x for x, _ in points], "y": ys, "trial": trial.number}
    return {**made, "name": name} if name else made


def _of_training(metric: str) -> str:
    """Return the name under which training reports what `metric` is of the validation data."""
    return metric.removeprefix("val_") if metric.startswith("val_") else ""


def _jitter(trial: Trial) -> float:
    return 2 * ((trial.number * 0.6180339887) % 1) - 1


def _lanes(trials: Sequence[Trial], last: float) -> list[tuple[Trial, int]]:
    """Return each trial with the lowest lane that is free when it starts."""
    busy: list[tuple[float, int]] = []
    free: list[int] = []
    found = []
    for t in trials:
        start = t.started_at or 0.0
        while busy and busy[0][0] <= start + 1e-6:
            heapq.heappush(free, heapq.heappop(busy)[1])
        lane = heapq.heappop(free) if free else len(busy)
        heapq.heappush(busy, (t.ended_at if t.ended_at is not None else last, lane))
        found.append((t, lane))
    return found
