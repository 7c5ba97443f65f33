"""`study.plot`: pictures of a study as figures of plotly, for notebooks.

Optuna's visualization draws all but the importance; `told` owns how it is told of a study, `importance` the numbers of
the importance, which are the report's: Optuna's leave out what does not apply to every trial.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tuning.errors import OptionError, StudyError, brief_methods, guess, must
from tuning.records.ranking import ranked
from tuning.records.words import counts
from tuning.study.importance import LEAST_TRIALS, importance, searched
from tuning.study.told import silenced, told

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from tuning.study.study import Study


MAX_LINES = 500
"""Most trials that have a line each: browsers are slow with thousands."""


@brief_methods
class Plots:
    """The pictures of a study. Each method returns a figure of plotly.

    A figure shows itself in a notebook; `figure.write_html("history.html")` keeps it, and with the extra `pictures`
    `figure.write_image("history.png")`, or `.svg`, makes a picture of it.
    """

    def __init__(self, study: Study) -> None:
        self._study = study

    def __repr__(self) -> str:
        names = [name for name in dir(self) if not name.startswith("_")]
        return f"pictures of study {self._study.name}: {', '.join(f'.{name}()' for name in names)}"

    def history(self) -> go.Figure:
        """Return the objective of every completed trial in order, and the best so far."""
        return self._drawn("plot_optimization_history")

    def curves(self) -> go.Figure:
        """Return the objective by epoch, a line a trial."""
        figure = self._drawn("plot_intermediate_values", names_target=False, draws_lines=True)
        title = figure.layout.title.text.replace("Intermediate Values Plot", "Curves")
        return figure.update_layout(title=title, xaxis_title="epoch", yaxis_title=self._study.objective.name)

    def importance(self) -> go.Figure:
        """Return how much of the differences between trials each hyperparameter explains."""
        import plotly.graph_objects as go

        study = self._study
        shares = importance(study.definition.hyperparameters, study.trials, study.objective)
        names, values = list(shares)[::-1], list(shares.values())[::-1]
        texts = [f"{value:.0%}" for value in values]
        bars = go.Bar(x=values, y=names, text=texts, orientation="h", cliponaxis=False)
        title = f"Share of the differences of {study.objective.name} that is explained"
        figure = go.Figure(bars, {"title": title, "xaxis": {"tickformat": ".0%", "range": [0, 1]}})
        return (
            figure if shares else _remarked(figure, f"{LEAST_TRIALS} trials with different scores are needed to tell")
        )

    def parallel_coordinates(self, names: Sequence[str] | None = None) -> go.Figure:
        """Return a line a trial over the hyperparameters, by default all."""
        return self._drawn("plot_parallel_coordinate", draws_lines=True, params=self._checked(names))

    def slice(self, names: Sequence[str] | None = None) -> go.Figure:
        """Return the objective over each hyperparameter, by default over all."""
        return self._drawn("plot_slice", params=self._checked(names))

    def contour(self, names: Sequence[str] | None = None) -> go.Figure:
        """Return the objective over two hyperparameters, by default the two most important; over more all pairs."""
        if names is None:
            study = self._study
            shares = importance(study.definition.hyperparameters, study.trials, study.objective)
            names = [*shares, *(name for name in self._names if name not in shares)][:2]
        if len(names) < 2:
            raise OptionError(must("names", "be at least two hyperparameters that were searched", list(names)))
        return self._drawn("plot_contour", params=self._checked(names))

    def timeline(self) -> go.Figure:
        """Return when each trial was under way, and what became of it."""
        return self._drawn("plot_timeline", names_target=False)

    def edf(self) -> go.Figure:
        """Return the share of trials that are at most so good, or so bad: the distribution of the objective."""
        return self._drawn("plot_edf")

    def pareto(self) -> go.Figure:
        """Return the trials by their objectives, those of the Pareto set in colour; of two or three objectives.

        Raises:
            StudyError: the study has one objective, or more than three.
        """
        n = len(self._study.definition.objectives)
        if n not in (2, 3):
            what = "one objective: study.plot.history() shows it" if n == 1 else f"{n}: the report shows them by pairs"
            raise StudyError(f"study '{self._study.name}' must have two or three objectives for this, but has {what}.")
        return self._drawn("plot_pareto_front", names_target=False)

    @property
    def _names(self) -> list[str]:
        return list(searched(self._study.definition.hyperparameters, self._study.trials))

    def _checked(self, names: Sequence[str] | None) -> list[str] | None:
        if names is None:
            return None
        known = self._names
        for name in names:
            if name not in known:
                rule = f"be hyperparameters that were searched: {', '.join(known)}"
                raise OptionError(f"{must('names', rule, name)} {guess(name, known)}".rstrip())
        return list(names)

    def _drawn(self, name: str, names_target: bool = True, draws_lines: bool = False, **given: Any) -> go.Figure:
        """Return a figure of Optuna's visualization; of one with a line a trial at most `MAX_LINES`, which is said."""
        from optuna import visualization

        study = self._study
        arguments = {key: value for key, value in given.items() if value is not None}
        if names_target:
            arguments["target_name"] = study.objective.name
            if len(study.definition.objectives) > 1:
                place = study.definition.objectives.index(study.objective)
                arguments["target"] = _value_at(place)
        shown = self._lines() if draws_lines else None
        with silenced():
            figure = getattr(visualization, name)(told(study, shown), **arguments)
        if shown is not None:
            title = f"{figure.layout.title.text}: the best and others, {len(shown)} of {len(study.trials)} trials"
            figure.update_layout(title=title)
        return figure if figure.data else _remarked(figure, f"nothing to draw: {counts(study.trials, study.is_live)}")

    def _lines(self) -> set[int] | None:
        """Return the numbers of the trials that have a line, half of them the best; None for all."""
        trials = self._study.trials
        if len(trials) <= MAX_LINES:
            return None
        best = {t.number for t in ranked(trials, self._study.objective)[: MAX_LINES // 2]}
        rest = [t.number for t in trials if t.number not in best]
        return best | set(rest[:: -(-len(rest) // (MAX_LINES - len(best)))])


def _remarked(figure: go.Figure, text: str) -> go.Figure:
    """Return the figure with a text where it has nothing else."""
    return figure.add_annotation(text=text, showarrow=False, xref="paper", yref="paper", x=0.5, y=0.5)


def _value_at(place: int) -> Callable[[Any], float]:
    def value(trial: Any) -> float:
        return float(trial.values[place])

    return value
