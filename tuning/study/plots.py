"""`study.plot`: pictures of a study as figures of plotly, for notebooks.

Owns how a study is told to Optuna's visualization, which draws all but the importance: with the names of the metrics
and the values that were tried, also where an order makes the storage keep their places. `importance` owns the numbers
of the importance, which are the report's: Optuna's leave out what does not apply to every trial.
"""

from __future__ import annotations

import contextlib
import logging
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tuning.errors import OptionError, StudyError, guess, must
from tuning.hyperparameters import Hyperparameter, Number
from tuning.records.trial import State, Trial
from tuning.study.importance import importance, searched

if TYPE_CHECKING:
    import optuna
    import plotly.graph_objects as go

    from tuning.study.study import Study

_STATES = {State.COMPLETED: "COMPLETE", State.PRUNED: "PRUNED", State.FAILED: "FAIL", State.RUNNING: "RUNNING"}


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
        figure = self._drawn("plot_intermediate_values", names_target=False)
        return figure.update_layout(title="Curves", xaxis_title="epoch", yaxis_title=self._study.objective.name)

    def importance(self) -> go.Figure:
        """Return how much of the differences between trials each hyperparameter explains."""
        import plotly.graph_objects as go

        study = self._study
        shares = importance(study.definition.hyperparameters, study.trials, study.objective)
        names, values = list(shares)[::-1], list(shares.values())[::-1]
        texts = [f"{value:.0%}" for value in values]
        bars = go.Bar(x=values, y=names, text=texts, orientation="h", cliponaxis=False)
        title = f"Share of the differences of {study.objective.name} that is explained"
        return go.Figure(bars, {"title": title, "xaxis": {"tickformat": ".0%", "range": [0, 1]}})

    def parallel_coordinates(self, names: Sequence[str] | None = None) -> go.Figure:
        """Return a line a trial over the hyperparameters, by default all."""
        return self._drawn("plot_parallel_coordinate", params=self._checked(names))

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

    def _drawn(self, name: str, names_target: bool = True, **given: Any) -> go.Figure:
        """Return a figure of Optuna's visualization."""
        from optuna import visualization

        study = self._study
        arguments = {key: value for key, value in given.items() if value is not None}
        if names_target:
            arguments["target_name"] = study.objective.name
            if len(study.definition.objectives) > 1:
                place = study.definition.objectives.index(study.objective)
                arguments["target"] = _value_at(place)
        with _silenced():
            return getattr(visualization, name)(told(study), **arguments)


def told(study: Study) -> optuna.Study:
    """Return a study of Optuna's in memory, with the names of the metrics and the values that were tried."""
    import optuna
    from optuna.study import StudyDirection

    d = study.definition
    kinds = {"max": StudyDirection.MAXIMIZE, "min": StudyDirection.MINIMIZE}
    with _silenced():
        made = optuna.create_study(directions=[kinds[o.direction] for o in d.objectives], study_name=study.name)
        made.set_metric_names([o.name for o in d.objectives])
        space = searched(d.hyperparameters, study.trials)
        made.add_trials([_told(trial, space, study) for trial in study.trials])
    return made


def _told(trial: Trial, space: dict[str, list[Hyperparameter]], study: Study) -> optuna.trial.FrozenTrial:
    from optuna.trial import FrozenTrial, TrialState

    scores = [one for one in (trial.scores or (trial.score,)) if one is not None and math.isfinite(one)]
    state = TrialState[_STATES[trial.state]]
    is_scored = len(scores) == len(study.definition.objectives)
    if state is TrialState.COMPLETE and not is_scored:
        state = TrialState.FAIL
    params, distributions = {}, {}
    for name, same in space.items():
        applies = [h for h in same if name in trial.values and h.contains(trial.values[name])]
        if applies:
            distributions[name] = _distribution(same)
            params[name] = _shown(trial.values[name])
    ended = trial.ended_at if state.is_finished() else None
    return FrozenTrial(
        number=trial.number, trial_id=trial.number, state=state, value=None,
        values=scores if state in (TrialState.COMPLETE, TrialState.PRUNED) and is_scored else None,
        datetime_start=_time(trial.started_at or 0.0), datetime_complete=_time(ended or trial.started_at or 0.0)
        if state.is_finished() else None, params=params, distributions=distributions, user_attrs={}, system_attrs={},
        intermediate_values={
            epoch: value for epoch, value in enumerate(trial.curve.values(study.objective.name)) if math.isfinite(value)
        },
    )  # fmt: skip


def _distribution(same: Sequence[Hyperparameter]) -> Any:
    """Return the distribution of a name: its range, which holds those of all conditions, or its values as they are."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    from tuning.hyperparameters import Int

    numbers = [h for h in same if isinstance(h, Number)]
    if len(numbers) < len(same):
        return CategoricalDistribution(list(dict.fromkeys(_shown(value) for h in same for value in h.values() or ())))
    low, high = min(h.low for h in numbers), max(h.high for h in numbers)
    is_log = all(h.sampling == "log" for h in numbers)
    if all(isinstance(h, Int) for h in numbers):
        return IntDistribution(int(low), int(high), log=is_log)
    return FloatDistribution(low, high, log=is_log)


def _shown(value: Any) -> Any:
    """Return a value as Optuna takes it for a category: what JSON has besides, as text."""
    return value if isinstance(value, (str, int, float)) or value is None else str(value)


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds)


def _value_at(place: int) -> Callable[[Any], float]:
    def value(trial: Any) -> float:
        return float(trial.values[place])

    return value


@contextlib.contextmanager
def _silenced() -> Iterator[None]:
    """Keep what Optuna remarks on, such as that something is experimental, to itself."""
    logger = logging.getLogger("optuna")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
