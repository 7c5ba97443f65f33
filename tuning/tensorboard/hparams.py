"""The records behind the HPARAMS tab: what is said about a study and about each of its trials.

Owns the experiment record, the records that begin and end a session, the metrics and their order. Which values a
column can hold is `columns`' business, and where and when records are written the observer's.
"""

from __future__ import annotations

import math
import zlib
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from tensorboard.compat.proto import event_pb2
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

from tuning.hyperparameters import Hyperparameter
from tuning.records.definition import Definition
from tuning.records.epochs import names_in
from tuning.records.objective import Objective
from tuning.records.ranking import Front
from tuning.records.trial import State, Trial
from tuning.records.words import constraints
from tuning.tensorboard import columns as columns_
from tuning.tensorboard.columns import Column
from tuning.tensorboard.layout import our_files
from tuning.tensorboard.writer import hparams_event, read_events

STATES = {State.COMPLETED: "complete", State.PRUNED: "pruned", State.FAILED: "failed", State.RUNNING: "running"}
OBJECTIVE = "objective"
# The slash puts these in a group of their own, so that curves come first where TensorBoard sorts by name.
EPOCHS, BEST_EPOCH, SECONDS = "trial/epochs", "trial/best_epoch", "trial/seconds"

_STATUSES = {
    State.COMPLETED: api_pb2.STATUS_SUCCESS,
    State.PRUNED: api_pb2.STATUS_SUCCESS,  # TensorBoard has no word for it; `trial_state` says it
    State.FAILED: api_pb2.STATUS_FAILURE,
    State.RUNNING: api_pb2.STATUS_RUNNING,
}
TRIAL_STATE, TRIAL, BUDGET, ENGINE, STUDY = "trial_state", "trial", "budget", "engine", "study"
"""The toolkit's own columns, which every trial has."""
PARETO = "pareto"
"""In a study of several objectives: whether the trial is in the Pareto set."""
FEASIBLE, LIMITED = "feasible", "constraint"
"""In a study with constraints: whether the trial keeps them; the group of the values that they limit."""
HOST = "host"
"""In a study of several machines: where the trial was trained."""
SCHEDULE = "schedule"
"""The group of the values that change while a trial is trained."""
_ALWAYS_DECLARED = (TRIAL_STATE, TRIAL)
_SPARE = (BUDGET, ENGINE, STUDY)


class Records:
    """All records of one study. Learns from each trial what a definition made before trial 0 cannot know.

    Args:
        definition: the study's.
    """

    def __init__(self, definition: Definition) -> None:
        self._definition = definition
        self._space: list[Hyperparameter] = []
        self._unconditional: set[str] = set()
        self._conditional: list[Hyperparameter] = []
        for h in definition.hyperparameters:
            self._add(h)
        self._columns = columns_.of_space(self._space)
        own = (*_ALWAYS_DECLARED, *_SPARE, *((PARETO,) if definition.several else ()))
        own += ((FEASIBLE,) if definition.constraints else ()) + (HOST,)
        self._own_names = {n: n if n not in self._columns else f"tuning/{n}" for n in own}
        self._declared = {*self._own_names.values(), *(h.name for h in self._space)}
        self._metrics: set[str] = set()
        self._front = Front(definition.several)
        self._hosts: set[str] = set()

    @property
    def kinds(self) -> dict[str, columns_.Kind]:
        """The type of each column of the space."""
        return {name: column.kind for name, column in self._columns.items()}

    # What trials teach ---------------------------------------------------------------------------------

    def learn(self, trial: Trial) -> bool:
        """Take in what `trial` shows of the columns; tell whether there was anything new.

        New can be a hyperparameter that the trial met first, a value outside of what was declared, and a value
        that is missing although its hyperparameter has no condition: code need not ask for it.
        """
        before, hosts = dict(self._columns), len(self._hosts)
        self._hosts.update(trial.hosts)
        for h in map(Hyperparameter.from_json, trial.found):
            if h not in self._space and h.name not in self._own_names.values():
                self._add(h)
                self._declared.add(h.name)
                self._widen(columns_.of_hyperparameter(h))
        values = dict(self._applying(trial.values))
        for name, value in values.items():
            if name not in self._columns or not self._columns[name].admits(value):
                self._widen(columns_.seen_only(name, value))
        if trial.state.is_finished and trial.state is not State.FAILED:
            for name in self._columns.keys() - values.keys():
                if self._columns[name].always:
                    self._columns[name] = replace(self._columns[name], always=False)
        return self._columns != before or len(self._hosts) > max(hosts, 1)

    def _add(self, h: Hyperparameter) -> None:
        self._space.append(h)
        if h.conditions:
            self._conditional.append(h)
        else:
            self._unconditional.add(h.name)

    def _widen(self, column: Column) -> None:
        known = self._columns.get(column.name)
        self._columns[column.name] = column if known is None else known.merged(column)

    def learn_metrics(self, epochs: Iterable[Mapping[str, float]]) -> bool:
        """Take in the names of metrics that training reports; tell whether there were new ones."""
        before = len(self._metrics)
        self._metrics |= names_in(epochs)
        return len(self._metrics) > before

    def learn_best(self, trials: Iterable[Trial]) -> set[int]:
        """Take in what trials are by now; return the numbers of those that have come into the Pareto set or left it."""
        before = set(self._front.numbers)
        for trial in trials:
            self._front.update(trial)
        return before ^ set(self._front.numbers)

    # Records -------------------------------------------------------------------------------------------

    def experiment(self) -> api_pb2.Experiment:
        """Return the record of the study: every column with type and domain, every metric."""
        d = self._definition
        declared = {**self._columns, **self._own_columns, **self._host_column}
        own = [self._own_names[n] for n in (*_ALWAYS_DECLARED, PARETO, FEASIBLE) if n in self._own_names]
        spare = [self._own_names[n] for n in _SPARE]
        first = columns_.shown_first(declared, own, spare)
        return api_pb2.Experiment(
            name=d.study,
            description=f"{d.space}: {d.objective.name} ({d.objective.direction}), engine {d.engine}, seed {d.seed}",
            hparam_infos=[
                column.info(differs=name in first)
                for name, column in declared.items()
                if name in first or name not in spare
            ],
            metric_infos=[
                *metric_infos(d.objective, self._metrics, d.several),
                *(_metric(f"{LIMITED}/{c.name}", f"must keep {c}") for c in d.constraints),
                *(_metric(f"{SCHEDULE}/{n}", f"{n} in each run of the trial") for n in d.options.get("change") or ()),
            ],
        )

    def session_start(self, trial: Trial) -> plugin_data_pb2.SessionStartInfo:
        """Return the record that begins a session: the values of a trial that apply, and the toolkit's own."""
        d = self._definition
        info = plugin_data_pb2.SessionStartInfo(
            group_name=f"trial_{trial.number:04d}@{d.study}", start_time_secs=trial.started_at
        )
        for name, value in self._applying(trial.values):
            info.hparams[name].CopyFrom(self._columns[name].encode(value))
        columns = {**self._own_columns, **self._host_column}
        for name, value in self._own(trial).items():
            info.hparams[self._own_names[name]].CopyFrom(columns[self._own_names[name]].encode(value))
        return info

    def _own(self, trial: Trial) -> dict[str, Any]:
        """Return what a session shows in the toolkit's own columns."""
        d = self._definition
        host = {HOST: ", ".join(hosts)} if self._shows_hosts and (hosts := trial.hosts) else {}
        return {
            TRIAL_STATE: STATES[trial.state],
            TRIAL: trial.number,
            BUDGET: trial.run.stop if trial.runs else d.epochs,
            ENGINE: d.engine,
            STUDY: d.study,
            **({PARETO: trial.number in self._front} if d.several else {}),
            **({FEASIBLE: is_known_feasible(trial)} if d.constraints else {}),
            **host,
        }

    def fingerprint(self, trial: Trial) -> str:
        """Return eight digits that change with anything a finished trial's session shows, times left aside.

        They say what the session is made of, not the session: thousands of trials are looked at when a study goes on.
        """
        values = sorted((name, self._columns[name].kind, value) for name, value in self._applying(trial.values))
        score = None if trial.state is State.FAILED else (trial.score, trial.best_epoch)
        curve = array("d", trial.curve.values(self._definition.objective.name)).tobytes()
        shown = (values, self._own(trial), trial.epochs, score, trial.scores, trial.limited)
        return f"{zlib.crc32(repr(shown).encode(), zlib.crc32(curve)):08x}"

    def progress(self, trial: Trial) -> list[tuple[str, float, int]]:
        """Return the points of the objective; see `progress`."""
        return progress(trial, self._definition.objective)

    def summaries(self, trial: Trial) -> list[tuple[str, float, int]]:
        """Return (tag, value, step) of what sums up a finished trial besides its score; see `summaries`."""
        d, last = self._definition, max(trial.epochs - 1, 0)
        found = summaries(trial)
        if trial.state is not State.FAILED:
            scored = zip(d.several, trial.scores, strict=False)
            found += [(_tag(o), score, last) for o, score in scored if o != d.objective and score is not None]
        found += [(f"{LIMITED}/{name}", value, last) for name, value in trial.limited.items()]
        return [*found, *_schedule(trial, d.options.get("change") or ())]

    def _applying(self, values: Mapping[str, Any]) -> list[tuple[str, Any]]:
        """Return the values whose conditions hold; undeclared ones have none, and none of our own columns' names."""
        active = self._unconditional.union(h.name for h in self._conditional if h.is_active(values))
        return [(name, value) for name, value in values.items() if name in active or name not in self._declared]

    @property
    def _shows_hosts(self) -> bool:
        """Whether there is a column of hosts: not while all trials are known to be of one machine."""
        return len(self._hosts) > 1

    @property
    def _host_column(self) -> dict[str, Column]:
        name = self._own_names[HOST]
        return {name: Column(name, "string", description="where it was trained")} if self._shows_hosts else {}

    @cached_property
    def _own_columns(self) -> dict[str, Column]:
        d = self._definition
        made = [
            Column(TRIAL_STATE, "string", tuple(STATES.values()), description="what has become of the trial"),
            Column(TRIAL, "number", description="the trial's number, in the order of asking"),
            Column(BUDGET, "number", low=1, high=max(d.epochs, 1), description="epochs the engine asked for"),
            Column(ENGINE, "string", (d.engine,), description="what proposed the trial"),
            Column(STUDY, "string", (d.study,), description="the study's name"),
        ]
        if d.several:
            said = "whether no other trial is better in every objective"
            made.append(Column(PARETO, "bool", (False, True), description=said))
        if d.constraints:
            said = f"whether a trial that has ended keeps {constraints(d)}"
            made.append(Column(FEASIBLE, "bool", (False, True), description=said))
        return {self._own_names[c.name]: replace(c, name=self._own_names[c.name], always=True) for c in made}


def _schedule(trial: Trial, names: Iterable[str]) -> list[tuple[str, float, int]]:
    """Return (tag, value, step) of the numbers that may change from run to run, where a run begins."""
    points = [(f"{SCHEDULE}/{name}", run.values.get(name), run.start) for run in trial.runs for name in names]
    return [(tag, float(v), step) for tag, v, step in points if isinstance(v, (int, float))]


def is_known_feasible(trial: Trial) -> bool:
    """Tell whether a trial has ended and keeps the constraints."""
    return trial.state.is_finished and trial.state is not State.FAILED and trial.is_feasible


def metric_infos(
    objective: Objective, metrics: Iterable[str], several: Iterable[Objective] = ()
) -> list[api_pb2.MetricInfo]:
    """Return the metrics in the order of the table.

    The first five are those that every trial with a score has, whatever its training reports besides; of several
    objectives each is among the first.
    """
    infos = [
        _metric(OBJECTIVE, f"{objective.name} ({objective.direction}) at the best epoch: the engine's score"),
        *(_metric(_tag(o), f"{o.name} ({o.direction}), an objective") for o in several if o != objective),
        _curve_metric(objective.name),
        _metric(EPOCHS, "epochs trained"),
        _metric(BEST_EPOCH, "epoch of the objective, from 0"),
        _metric(SECONDS, "wall time of training, in seconds"),
    ]
    rest = {m for m in metrics if m != objective.name}
    # Validation first, as it decides; then the metrics by name.
    return infos + [_curve_metric(m) for m in sorted(rest, key=lambda m: (not m.startswith("val_"), m))]


def _tag(objective: Objective) -> str:
    """Return the tag of an objective besides the first, in a group of its own."""
    return f"{OBJECTIVE}/{objective.name}"


def curve_of(metric: str) -> tuple[str, str]:
    """Return (split, tag) of the curve of a metric of Keras's logs, under the names that Keras gives it."""
    name = metric.removeprefix("val_")
    return ("validation" if metric.startswith("val_") else "train"), f"epoch_{name}"


def progress(trial: Trial, objective: Objective) -> list[tuple[str, float, int]]:
    """Return (tag, value, step) of each epoch that was the best so far; the last is the trial's score.

    TensorBoard shows the last point of a scalar in the table, and all of them when a trial is looked at. A
    failed trial has none.
    """
    if trial.state is State.FAILED or trial.score is None:
        return []
    best = max(trial.epochs - 1, 0) if trial.best_epoch is None else trial.best_epoch
    points: list[tuple[str, float, int]] = []
    for epoch, value in enumerate(trial.curve.until(best).values(objective.name)):
        if math.isfinite(value) and objective.is_better(value, points[-1][1] if points else None):
            points.append((OBJECTIVE, value, epoch))
    return [*points, (OBJECTIVE, trial.score, best)]


def summaries(trial: Trial) -> list[tuple[str, float, int]]:
    """Return (tag, value, step) of what sums up a finished trial besides its score."""
    last = max(trial.epochs - 1, 0)
    found: list[tuple[str, float, int]] = [(EPOCHS, trial.epochs, last), (SECONDS, trial.seconds, last)]
    if trial.state is not State.FAILED and trial.best_epoch is not None:
        found.append((BEST_EPOCH, trial.best_epoch, last))
    return found


def session_end(trial: Trial) -> plugin_data_pb2.SessionEndInfo:
    """Return the record that ends a session, or says that it is still going on."""
    return plugin_data_pb2.SessionEndInfo(status=_STATUSES[trial.state], end_time_secs=trial.ended_at)


def experiment_event(record: api_pb2.Experiment, wall_time: float) -> event_pb2.Event:
    """Return the event that holds the record of the study."""
    return hparams_event(metadata.EXPERIMENT_TAG, plugin_data_pb2.HParamsPluginData(experiment=record), wall_time)


def session_events(records: Records, trial: Trial, wall_time: float) -> list[event_pb2.Event]:
    """Return the events of a session's two records."""
    start = plugin_data_pb2.HParamsPluginData(session_start_info=records.session_start(trial))
    end = plugin_data_pb2.HParamsPluginData(session_end_info=session_end(trial))
    return [
        hparams_event(metadata.SESSION_START_INFO_TAG, start, wall_time),
        hparams_event(metadata.SESSION_END_INFO_TAG, end, wall_time),
    ]


def experiments_in(folder: Path) -> list[api_pb2.Experiment]:
    """Return the records of studies that lie below `folder`."""
    contents = _contents(folder, metadata.EXPERIMENT_TAG)
    return [metadata.parse_experiment_plugin_data(content) for content in contents]


def session_starts_in(folder: Path) -> Iterator[plugin_data_pb2.SessionStartInfo]:
    """Yield the records that begin the sessions below `folder`."""
    for content in _contents(folder, metadata.SESSION_START_INFO_TAG):
        yield metadata.parse_session_start_info_plugin_data(content)


def _contents(folder: Path, tag: str) -> Iterator[bytes]:
    for path in our_files(folder):
        for event in read_events(path):
            yield from (v.metadata.plugin_data.content for v in event.summary.value if v.tag == tag)


def _metric(tag: str, description: str) -> api_pb2.MetricInfo:
    title = tag.rpartition("/")[2]
    return api_pb2.MetricInfo(name=api_pb2.MetricName(tag=tag), display_name=title, description=description)


def _curve_metric(metric: str) -> api_pb2.MetricInfo:
    split, tag = curve_of(metric)
    return api_pb2.MetricInfo(
        name=api_pb2.MetricName(group=split, tag=tag),
        display_name=f"{metric} (last)",
        description=f"{metric} after the last epoch",
    )
