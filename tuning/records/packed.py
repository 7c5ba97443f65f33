"""The trials of a search in little memory: finished ones are packed, and made again when they are looked at.

Owns the packing. A search remembers thousands of trials and looks at few of them again; as records with records in
them, each takes four times as much.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any, overload

from tuning.records.epochs import PackedEpochs
from tuning.records.trial import Curve, Run, State, Training, Trial, Values

_PARTS = ("values", "state", "trainings", "joint", "runs")
_OF_TRIAL = [f.name for f in fields(Trial) if f.name not in _PARTS]
_OF_TRAINING = [f.name for f in fields(Training) if f.name != "curve"]
_OF_RUN = [f.name for f in fields(Run) if f.name != "values"]
_trial, _training, _run = attrgetter(*_OF_TRIAL), attrgetter(*_OF_TRAINING), attrgetter(*_OF_RUN)


class Trials(Mapping[int, Trial]):
    """Trials by number. What is looked at is equal to what was put in, and the same object until it is finished."""

    def __init__(self) -> None:
        self._kept: dict[int, Trial | bytes] = {}
        self._unfinished: dict[int, Trial] = {}
        self._latest: Trial | None = None  # the one that has finished last, which is about to be looked at
        self._packing = _Packing()

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[int]:
        return iter(self._kept)

    def __getitem__(self, number: int) -> Trial:
        if self._latest is not None and self._latest.number == number:
            return self._latest
        kept = self._kept[number]
        return self._packing.unpacked(kept) if isinstance(kept, bytes) else kept

    def __setitem__(self, number: int, trial: Trial) -> None:
        if trial.state.is_finished:
            self._unfinished.pop(number, None)
            self._kept[number], self._latest = self._packing.packed(trial), trial
        else:
            self._kept[number] = self._unfinished[number] = trial
            if self._latest is not None and self._latest.number == number:
                self._latest = None

    @property
    def unfinished(self) -> list[Trial]:
        """Those that are trained or rest."""
        return list(self._unfinished.values())

    def listed(self) -> Sequence[Trial]:
        """Return all that there are by now, by number; each is made when it is looked at."""
        return _Listed(self, sorted(self._kept))


class _Listed(Sequence[Trial]):
    def __init__(self, trials: Trials, numbers: Sequence[int]) -> None:
        self._trials, self._numbers = trials, numbers

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, place: int) -> Trial: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Trial]: ...
    def __getitem__(self, place: int | slice) -> Trial | Sequence[Trial]:
        if isinstance(place, slice):
            return _Listed(self._trials, self._numbers[place])
        return self._trials[self._numbers[place]]


class _Packing:
    """Turns trials into bytes and back. Names, of which thousands of trials have the same few, are not among them."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, ...], int] = {}
        self._names: list[tuple[str, ...]] = []

    def packed(self, trial: Trial) -> bytes:
        """Return a trial as bytes."""
        runs = [self._of_run(run, trial) for run in trial.runs]
        trainings = [*map(self._of_training, trial.trainings)]
        joint = None if trial.joint is None else self._of_training(trial.joint)
        record = (_trial(trial), self._parted(trial.values), trial.state.value, trainings, joint, runs)
        return pickle.dumps(record, pickle.HIGHEST_PROTOCOL)

    def unpacked(self, record: bytes) -> Trial:
        """Return the trial of which `packed` has made `record`."""
        others, parted, state, trainings, joint, runs = pickle.loads(record)
        values = self._joined(parted)
        return Trial(
            **dict(zip(_OF_TRIAL, others, strict=True)),
            values=values,
            state=State(state),
            trainings=tuple(map(self._to_training, trainings)),
            joint=None if joint is None else self._to_training(joint),
            runs=tuple(self._to_run(run, values) for run in runs),
        )

    def _of_training(self, training: Training) -> tuple[Any, ...]:
        epochs = training.curve.packed().epochs
        if not isinstance(epochs, PackedEpochs):
            return _training(training), epochs, None
        return _training(training), epochs.to_bytes(), self._place(epochs.names)

    def _to_training(self, record: tuple[Any, ...]) -> Training:
        others, epochs, place = record
        if place is not None:
            epochs = PackedEpochs.from_bytes(self._names[place], epochs)
        return Training(Curve(epochs), **dict(zip(_OF_TRAINING, others, strict=True)))

    def _of_run(self, run: Run, trial: Trial) -> tuple[Any, ...]:
        return _run(run), None if run.values is trial.values else self._parted(run.values)

    def _to_run(self, record: tuple[Any, ...], values: Values) -> Run:
        others, parted = record
        return Run(values=values if parted is None else self._joined(parted), **dict(zip(_OF_RUN, others, strict=True)))

    def _parted(self, values: Values) -> tuple[int, tuple[Any, ...]]:
        return self._place(tuple(values)), tuple(values.values())

    def _joined(self, parted: tuple[int, tuple[Any, ...]]) -> Values:
        place, values = parted
        return dict(zip(self._names[place], values, strict=True))

    def _place(self, names: tuple[str, ...]) -> int:
        if names not in self._places:
            self._places[names] = len(self._names)
            self._names.append(names)
        return self._places[names]
