"""Writes a search into its `tensorboard/` folder while it runs.

Owns what is written when, and making the folder agree with the study again after anything was killed. The records
themselves are `hparams`' business. The study's store stays the only truth: whatever lies here can be deleted and is
written anew when the search goes on.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from tensorboard.compat.proto import event_pb2

from tuning.errors import StudyError
from tuning.records.definition import Definition
from tuning.records.packed import Trials
from tuning.records.trainings import alone
from tuning.records.trial import State, Trial, Values
from tuning.tensorboard import hparams
from tuning.tensorboard.layout import Found, Layout, remove_ours
from tuning.tensorboard.writer import EventFile, scalars, write_once


class TensorBoardObserver:
    """Shows every trial of a search in TensorBoard: HPARAMS when it starts, curves while it trains.

    Args:
        path: the study's `tensorboard/` folder; made when the search starts.
        trials: by number, where the search has them as they are by now; None to remember them here.
    """

    def __init__(self, path: Path | str, trials: Mapping[int, Trial] | None = None) -> None:
        self._layout = Layout(Path(path))
        self._records: hparams.Records | None = None
        self._own = Trials() if trials is None else None
        self._trials: Mapping[int, Trial] = Trials() if trials is None else trials
        self._shown: dict[int, tuple[Values, State]] = {}  # of the trials that are not finished
        self._under_way: dict[tuple[int, str], _UnderWay] = {}
        self._names: tuple[str, ...] = ()
        self._is_described = False
        self._has_warned = False

    def search_started(self, definition: Definition, trials: Sequence[Trial]) -> None:
        """Make the folder agree with `trials`, whatever was left behind, and describe the study.

        Raises:
            StudyError: the folder cannot be written to.
        """
        self._records = hparams.Records(definition)
        if self._own is not None:
            self._trials = self._own = Trials()
        self._shown, self._under_way = {}, {}
        self._names = definition.training_names
        for trial in trials:
            self._remember(trial)
            self._records.learn(trial)
            for training in trial.trainings:
                self._records.learn_metrics(training.curve.epochs)
        self._records.learn_best(trials)
        try:
            self._layout.root.mkdir(parents=True, exist_ok=True)
            self._describe()
            self._tidy(trials)
        except OSError as error:
            raise StudyError(
                f"'{self._layout.root}' must be a folder that can be written to, for TensorBoard, but got: {error}."
            ) from error

    def run_started(self, trial: Trial) -> None:
        """Show the trial as running, with the curve that it goes on from and nothing beyond."""
        self._show(trial, self._go_on)

    def training_epoch_ended(self, trial: Trial, training: int) -> None:
        """Add the epoch to the curves, and the best score so far to the table."""
        self._show(trial, self._begin)

    def epoch_ended(self, trial: Trial) -> None:
        """Show nothing more: the trial's own curves, means, are written with those of its trainings."""

    def trial_ended(self, trial: Trial) -> None:
        """Replace the running session by the finished one."""
        self._show(trial, self._end)

    def run_ended(self, trial: Trial) -> None:
        """Show nothing: a trial that rests is one that runs."""

    def search_ended(self, trials: Sequence[Trial], reason: str) -> None:
        """Show nothing more."""

    def _show(self, trial: Trial, write: Callable[[Trial], object]) -> None:
        """Write about `trial`. A disk that is full must not end a search: all is made up for once there is room."""
        if self._records is None:
            return  # not started: `search_started` will bring the trial as it is by then
        try:
            self._learn(trial)
            write(trial)
        except OSError as error:
            self._forget(trial.number)
            if not self._has_warned:
                warnings.warn(f"TensorBoard's files cannot be written ({error}); the search goes on.", RuntimeWarning)
            self._has_warned = True

    # How the study is described ------------------------------------------------------------------------

    @property
    def _known(self) -> hparams.Records:
        if self._records is None:
            raise RuntimeError("search_started must be called before any other method")
        return self._records

    def _learn(self, trial: Trial) -> None:
        """Describe the study anew where `trial` shows something that was not known of it."""
        kinds, is_same = self._known.kinds, self._shown.get(trial.number) == (trial.values, trial.state)
        self._remember(trial)
        new_values = not is_same and self._known.learn(trial)
        new_metrics = False
        for training in trial.trainings:
            new_metrics |= self._known.learn_metrics(training.curve.epochs[-1:])
        if new_values or new_metrics or not self._is_described:
            self._describe()
        if new_values and any(self._known.kinds[name] != kind for name, kind in kinds.items()):
            self._tidy(self._trials.values())  # a column of numbers has become one of strings, in every trial

    def _remember(self, trial: Trial) -> None:
        if self._own is not None:
            self._own[trial.number] = trial
        if trial.state.is_finished:
            self._shown.pop(trial.number, None)
        else:
            self._shown[trial.number] = trial.values, trial.state

    def _describe(self) -> None:
        """See that the one record of the study is there; a new one gets a new folder, or TensorBoard misses it."""
        self._is_described = False
        record = self._known.experiment()
        folder = self._layout.experiment
        if hparams.experiments_in(folder) != [record]:
            remove_ours(folder)
            write_once(folder / str(time.time_ns()), [hparams.experiment_event(record, time.time())])
        self._is_described = True

    # Making the folder agree with the trials -----------------------------------------------------------

    def _tidy(self, trials: Iterable[Trial]) -> None:
        """Write anew what is missing, incomplete or says something else than all trials of the study do."""
        found = self._layout.trials()
        for number in found.keys() - self._trials.keys():
            remove_ours(self._layout.trial(number))
        for trial in trials:
            self._tidy_trial(trial, found.get(trial.number, Found()))

    def _tidy_trial(self, trial: Trial, found: Found) -> None:
        sessions = self._sessions(trial)
        there = {name: self._layout.look(trial.number, name) if name else found for name, _ in sessions}
        if not trial.state.is_finished:
            self._forget(trial.number)
            self._begin(trial)
        elif any(there[name].labels != (self._label(session),) for name, session in sessions):
            self._forget(trial.number)
            self._finish(trial)
        else:
            for name, folder in there.items():
                if folder.is_running:
                    remove_ours(self._layout.running(trial.number, name))

    def _forget(self, number: int) -> None:
        for key in [key for key in self._under_way if key[0] == number]:
            del self._under_way[key]

    def _label(self, trial: Trial) -> str:
        return f"session-{self._known.fingerprint(trial)}"

    # One trial -----------------------------------------------------------------------------------------

    def _sessions(self, trial: Trial) -> list[tuple[str, Trial]]:
        """Return (folder, trial as it sees itself) of each training that has begun, or at least of the first one."""
        sessions = [(name, alone(trial, index)) for index, name in enumerate(self._names)]
        return [(name, session) for name, session in sessions if session.epochs] or sessions[:1]

    def _begin(self, trial: Trial) -> None:
        """Make the trial's folder one of a trial that is being trained or rests."""
        self._mean_curves(trial)
        for name, session in self._sessions(trial):
            under_way = self._caught_up(session, name)
            if under_way.running is None:
                under_way.running = EventFile(self._layout.running(trial.number, name))
                under_way.running.append(hparams.session_events(self._known, session, time.time()))
            points = self._known.progress(session)
            under_way.running.append(scalars(points[under_way.shown :], time.time()))
            under_way.shown = len(points)

    def _end(self, trial: Trial) -> None:
        """Make the trial's folder one of a finished trial, and see to those that it throws out of the Pareto set."""
        changed = self._known.learn_best([trial])
        self._finish(trial)
        self._tidy_others(changed - {trial.number})

    def _go_on(self, trial: Trial) -> None:
        """Make the trial's folder one of a trial that is trained, which is in no Pareto set."""
        changed = self._known.learn_best([trial])
        self._begin(trial)
        self._tidy_others(changed - {trial.number})

    def _tidy_others(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self._tidy_trial(self._trials[number], self._layout.look(number, ""))

    def _finish(self, trial: Trial) -> None:
        """Make the trial's folder one of a finished trial."""
        self._mean_curves(trial)
        for name, session in self._sessions(trial):
            self._caught_up(session, name)
            now = time.time()
            points = [*self._known.progress(session), *self._known.summaries(session)]
            events = hparams.session_events(self._known, session, now) + scalars(points, now)
            write_once(self._layout.session(trial.number, name), events, self._label(session))
            remove_ours(self._layout.running(trial.number, name))
        self._forget(trial.number)

    def _mean_curves(self, trial: Trial) -> None:
        """Write the curves of a trial with folds or repeats, which is no session itself."""
        if trial.is_divided:
            self._caught_up(trial, "")

    def _caught_up(self, trial: Trial, name: str) -> _UnderWay:
        """Bring the curves of a session on disk to the trial's; start over where they may be other ones."""
        key = (trial.number, name)
        under_way = self._under_way.get(key)
        if under_way is None or under_way.epochs > trial.epochs:
            if trial.is_divided:
                for split in ("train", "validation"):
                    remove_ours(self._layout.curves(trial.number, split))
            else:
                remove_ours(self._layout.session(trial.number, name))
            under_way = self._under_way[key] = _UnderWay(self._layout, trial.number, name)
        under_way.write(trial)
        return under_way


class _UnderWay:
    """What has been written about a trial that is not finished.

    Attributes:
        epochs: epochs on disk.
        running: the file of the running session; None while there is none.
        shown: points of the objective in it.
    """

    def __init__(self, layout: Layout, number: int, name: str) -> None:
        self.epochs = 0
        self.running: EventFile | None = None
        self.shown = 0
        self._files = {split: EventFile(layout.curves(number, split, name)) for split in ("train", "validation")}

    def write(self, trial: Trial) -> None:
        """Append the epochs that are not on disk yet."""
        points: dict[str, list[event_pb2.Event]] = {split: [] for split in self._files}
        is_live = trial.epochs - self.epochs == 1
        for epoch, metrics in enumerate(trial.curve.epochs[self.epochs :], start=self.epochs):
            when = time.time() if is_live else _about_when(epoch, trial)
            for split, chosen in _by_split(metrics).items():
                points[split] += scalars([(tag, value, epoch) for tag, value in chosen], when)
        for split, events in points.items():
            self._files[split].append(events)
        self.epochs = trial.epochs


def _by_split(metrics: Mapping[str, float]) -> dict[str, list[tuple[str, float]]]:
    chosen: dict[str, list[tuple[str, float]]] = {}
    for metric, value in metrics.items():
        split, tag = hparams.curve_of(metric)
        chosen.setdefault(split, []).append((tag, value))
    return chosen


def _about_when(epoch: int, trial: Trial) -> float:
    """Return about when an epoch of a curve that is written anew ended, in Unix time."""
    if trial.started_at is None:
        return time.time()
    return trial.started_at + trial.seconds * (epoch + 1) / trial.epochs
