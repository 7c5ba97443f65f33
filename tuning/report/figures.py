"""The pictures of a report, as data for plotly.js: plain JSON, so that nothing of plotly is imported here.

Owns what is drawn. A hyperparameter that does not apply to a trial stands on a place of its own, marked by a dash.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from tuning.hyperparameters import Hyperparameter, Int, Number
from tuning.records.objective import Objective
from tuning.records.ranking import ranked
from tuning.records.trial import State, Trial
from tuning.study import Study

MAX_CURVES = 50
"""Most trials whose curves are drawn: the best ones."""
MAX_AXES = 14
"""Most hyperparameters in the parallel coordinates and slices, in the order in which they are asked for."""
NOT_THERE = "—"
COLORS = {State.COMPLETED: "#1f5fbf", State.PRUNED: "#d08b00", State.FAILED: "#c0392b", State.RUNNING: "#1a9aa0"}
GREY = "#c5cbd3"

Figure = dict[str, Any]


def progress(study: Study) -> Figure:
    """Return the objective of every trial in order, and the best so far."""
    traces: list[dict[str, Any]] = []
    for state in State:
        of_state = [t for t in study.trials if t.state is state and t.score is not None]
        if of_state:
            traces.append(
                {
                    "type": "scatter", "mode": "markers", "name": state.value.lower(),
                    "x": [t.number for t in of_state], "y": [t.score for t in of_state],
                    "marker": {"color": COLORS[state], "size": 8}, "text": [_words(t) for t in of_state],
                    "hovertemplate": "trial %{x}: %{y:.5g}<br>%{text}<extra></extra>",
                }
            )  # fmt: skip
    best, xs, ys = None, [], []
    for t in study.trials:
        if t.score is not None and t.state is not State.FAILED and study.objective.is_better(t.score, best):
            best = t.score
        if best is not None:
            xs.append(t.number)
            ys.append(best)
    line = {"color": "#222", "width": 1.5, "shape": "hv"}
    traces.append({"type": "scatter", "mode": "lines", "name": "best so far", "x": xs, "y": ys, "line": line})
    return _counted(_figure(traces, "trial", study.objective.name), len(study.trials))


def curves(study: Study) -> Figure:
    """Return the objective of each epoch of the best trials, the best one in colour."""
    shown = ranked(study.trials, study.objective)[:MAX_CURVES]
    traces = []
    for place, t in reversed(list(enumerate(shown))):
        values = [_finite(v) for v in t.curve.values(study.objective.name)]
        style = {"color": COLORS[State.COMPLETED], "width": 3} if place == 0 else {"color": GREY, "width": 1.2}
        traces.append(
            {
                "type": "scatter", "mode": "markers" if len(values) == 1 else "lines", "name": f"trial {t.number}",
                "x": list(range(len(values))), "y": values, "line": style, "showlegend": place == 0,
                "hovertemplate": f"trial {t.number}, epoch %{{x}}: %{{y:.5g}}<extra></extra>",
            }
        )  # fmt: skip
    return _counted(_figure(traces, "epoch", study.objective.name), max((t.epochs for t in shown), default=0))


def parallel(study: Study) -> Figure | None:
    """Return parallel coordinates of the trials with a score; None for fewer than two."""
    trials = ranked(study.trials, study.objective)
    if len(trials) < 2:
        return None
    scores = [t.score for t in trials]
    axes = [_axis(h, trials) for h in _searched(study)]
    axes.append({"label": _plain(study.objective.name), "values": scores})
    line = {"color": scores, "colorscale": _scale(study.objective), "showscale": True}
    trace = {"type": "parcoords", "dimensions": axes, "line": line, "labelangle": -20, "labelside": "top"}
    return {"data": [trace], "layout": {"height": 460, "margin": {"l": 90, "r": 60, "t": 90, "b": 30}, **_FONT}}


def slices(study: Study) -> list[tuple[str, Figure]]:
    """Return for each hyperparameter its name and the objective over its values."""
    trials = ranked(study.trials, study.objective)
    found = []
    for h in _searched(study):
        there = [t for t in trials if t.values.get(h.name) is not None]
        if not there:
            continue
        is_number = isinstance(h, Number)
        values = [t.values[h.name] if is_number else _plain(t.values[h.name]) for t in there]
        trace = {
            "type": "scatter", "mode": "markers", "x": values, "y": [t.score for t in there],
            "marker": {"size": 8, "opacity": 0.8, "color": [t.number for t in there], "colorscale": _PALE_TO_DARK,
                       "line": {"width": 0.5, "color": "#456"}},
            "text": [f"trial {t.number}" for t in there],
            "hovertemplate": f"%{{text}}: {_plain(h.name)} %{{x}}, %{{y:.5g}}<extra></extra>",
        }  # fmt: skip
        figure = _figure([trace], h.name, study.objective.name)
        figure["layout"]["height"] = 300
        figure["layout"]["showlegend"] = False
        if isinstance(h, Number):
            figure["layout"]["xaxis"]["type"] = "log" if h.sampling == "log" else "linear"
        else:
            order = list(map(_plain, h.values() or ()))
            figure["layout"]["xaxis"] |= {"type": "category", "categoryorder": "array", "categoryarray": order}
        found.append((h.name, figure))
    return found


def pareto(study: Study) -> list[Figure]:
    """Return the first metric over each other objective, the Pareto set in colour; nothing for one objective."""
    further, best = study.definition.further, study.pareto
    beaten = [t for t in study.trials if t.state is State.COMPLETED and None not in t.scores and t not in best]
    figures = []
    for i, other in further:
        traces = []
        groups = (("beaten", beaten, GREY, 8), ("Pareto set", best, COLORS[State.COMPLETED], 10))
        for name, trials, color, size in groups:
            there = sorted(trials, key=lambda t: (t.scores[i], t.number))
            traces.append(
                {
                    "type": "scatter", "name": name,
                    "mode": "lines+markers" if trials is best and len(further) == 1 else "markers",
                    "x": [t.scores[i] for t in there], "y": [t.score for t in there],
                    "line": {"dash": "dot", "width": 1}, "marker": {"color": color, "size": size},
                    "text": [f"trial {t.number}<br>{_words(t)}" for t in there],
                    "hovertemplate": "%{x:.5g}, %{y:.5g}<br>%{text}<extra></extra>",
                }
            )  # fmt: skip
        figure = _figure(traces, *(f"{o.name} ({o.direction})" for o in (other, study.objective)))
        figure["layout"]["xaxis"]["exponentformat"] = "SI"  # 50k parameters
        figures.append(figure)
    return figures


_PALE_TO_DARK: list[list[Any]] = [[0, "#d9e2ec"], [0.5, "#6aa5dc"], [1, "#0b3d91"]]
_FONT: dict[str, Any] = {"font": {"family": "system-ui, sans-serif", "size": 13}, "paper_bgcolor": "rgba(0,0,0,0)"}


def _figure(traces: list[dict[str, Any]], x: str, y: str) -> Figure:
    def axis(title: str) -> dict[str, Any]:
        looks = {"gridcolor": "#e8ebef", "zeroline": False, "automargin": True, "exponentformat": "e"}
        return {"title": {"text": _plain(title)}, **looks}

    layout = {
        "height": 380, "margin": {"l": 60, "r": 20, "t": 20, "b": 50}, "xaxis": axis(x), "yaxis": axis(y),
        "plot_bgcolor": "rgba(0,0,0,0)", "hovermode": "closest", "legend": {"orientation": "h", "y": 1.12}, **_FONT,
    }  # fmt: skip
    return {"data": traces, "layout": layout}


def _counted(figure: Figure, n: int) -> Figure:
    """Return a figure over 0 .. n - 1 with whole numbers on its axis, however few there are."""
    if n <= 10:
        figure["layout"]["xaxis"]["dtick"] = 1
    return figure


def _searched(study: Study) -> list[Hyperparameter]:
    """Return the hyperparameters that take more than one value, those met by single trials included."""
    found = {h.name: h for h in study.definition.hyperparameters}
    for t in study.trials:
        for record in t.found:
            h = Hyperparameter.from_json(record)
            found.setdefault(h.name, h)
    return [h for h in found.values() if not h.is_fixed][:MAX_AXES]


def _axis(h: Hyperparameter, trials: Sequence[Trial]) -> dict[str, Any]:
    """Return an axis of the parallel coordinates."""
    given = [t.values.get(h.name) for t in trials]
    if not isinstance(h, Number):
        names = list(map(_plain, h.values() or ()))
        names += [NOT_THERE] if any(v is None for v in given) and "None" not in names else []
        index = {name: i for i, name in enumerate(names)}
        values = [index[_plain(v) if _plain(v) in index else NOT_THERE] for v in given]
        return {"label": _plain(h.name), "values": values, "tickvals": list(range(len(names))), "ticktext": names}
    low, high = h.bounds
    is_log = h.sampling == "log"
    place: Callable[[float], float] = math.log10 if is_log else float
    start, end = place(low), place(high)
    ticks = _log_ticks(low, high) if is_log else _linear_ticks(low, high, isinstance(h, Int))
    tickvals, ticktext = [place(tick) for tick in ticks], [f"{tick:.3g}" for tick in ticks]
    beneath = start - 0.12 * ((end - start) or 1)
    if any(v is None for v in given):
        tickvals, ticktext = [beneath, *tickvals], [NOT_THERE, *ticktext]
    places = [beneath if v is None else place(v) for v in given]
    ends = [min([start, *places]), max([end, *places])]
    return {"label": _plain(h.name), "values": places, "range": ends, "tickvals": tickvals, "ticktext": ticktext}


def _log_ticks(low: float, high: float) -> list[float]:
    powers = [10.0**p for p in range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)]
    return powers if len(powers) > 1 else sorted({low, *powers, high})


def _linear_ticks(low: float, high: float, is_whole: bool) -> list[float]:
    n = int(min(4, high - low)) if is_whole else 4
    ticks = [low + (high - low) * i / n for i in range(n + 1)] if n else [low]
    return sorted({float(round(tick)) for tick in ticks}) if is_whole else ticks


def _scale(objective: Objective) -> list[list[Any]]:
    """Return colours from pale (bad) to dark blue (good)."""
    if objective.direction == "max":
        return _PALE_TO_DARK
    return [[1 - place, color] for place, color in reversed(_PALE_TO_DARK)]


def _words(trial: Trial) -> str:
    return "<br>".join(f"{_plain(name)} = {_plain(value)}" for name, value in list(trial.values.items())[:MAX_AXES])


def _plain(value: Any) -> str:
    """Return text that plotly shows as it is: it takes what looks like a tag for one, and %{...} for a variable."""
    return str(value).replace("<", "<\u200b").replace("%{", "%\u200b{")


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
