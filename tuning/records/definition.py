"""The definition of a study: everything that must stay the same for it to be continued.

Owns the record, its JSON form and the comparison that refuses to resume a different study.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tuning.hyperparameters import Hyperparameter
from tuning.records import arguments, fingerprint
from tuning.records.constraint import Constraint
from tuning.records.lesson import Lesson
from tuning.records.objective import Objective

VERSION = 6
"""Of what a study stores, the definition and the trials; `tuning.storage.upgrade` reads the earlier ones."""


@dataclass(frozen=True)
class Definition:
    """What a study searches and how.

    Attributes:
        study: the study's name, also its folder's name.
        space: the space's name.
        space_source: what `resolve` needs to find the space again; None for one made in a program.
        hyperparameters: the space as found before trial 0, parents before children.
        objective: what is optimised.
        engine: the engine's name.
        options: the engine's options, defaults included.
        seed: the study's seed.
        epochs: the budget of one trial, in epochs.
        data: fingerprint of the data trained and validated on.
        fit: patience, annealing, and further arguments of `fit`, in the form of `tuning.records.arguments`.
        cv: how the data are divided into folds, as `tuning.data.folds` describes it; None without folds.
        repeats: how often each configuration is trained, with different seeds; None for once.
        several: all objectives where there are several, `objective` among them, which decides about epochs.
        tries: configurations that are tried before the engine proposes any, complete.
        scoring: the rule by which folds and repeats come to one score: "common", "last" or "own"; see
            `tuning.records.trainings`.
        model: the fingerprint of the default model and of the code that trains it; empty where it is not known.
        warm_start: other studies, and the configurations of each that are tried after `tries`, complete.
        lessons: what an engine that learns from other studies is told of each.
        constraints: what a trial must keep to be one of the best.
        told: whether a program trains the trials in a loop of its own, and tells what they come to.
        backend: what Keras computes with.
    """

    study: str
    space: str
    space_source: str | None
    hyperparameters: tuple[Hyperparameter, ...]
    objective: Objective
    engine: str
    options: Mapping[str, Any]
    seed: int
    epochs: int
    data: Mapping[str, Any] = field(default_factory=dict)
    fit: Mapping[str, Any] = field(default_factory=dict)
    cv: Mapping[str, Any] | None = None
    repeats: int | None = None
    several: tuple[Objective, ...] = ()
    tries: tuple[Mapping[str, Any], ...] = ()
    scoring: str = "common"
    model: Mapping[str, Any] = field(default_factory=dict)
    warm_start: Mapping[str, Any] = field(default_factory=dict)
    constraints: tuple[Constraint, ...] = ()
    told: bool = False
    lessons: Mapping[str, Sequence[Lesson]] = field(default_factory=dict)
    backend: str = "tensorflow"

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """All that is optimised, in the order in which it was given."""
        return self.several or (self.objective,)

    @property
    def elsewhere(self) -> str:
        """What Keras computes with, as a few words to append, where it is not TensorFlow."""
        return "" if self.backend == "tensorflow" else f", on {self.backend}"

    @property
    def further(self) -> list[tuple[int, Objective]]:
        """The objectives besides `objective`, each with its place among all: a trial's `scores` are in that order."""
        return [(i, o) for i, o in enumerate(self.objectives) if o != self.objective]

    @property
    def anneal(self) -> bool:
        """Whether the learning rate of each trial falls over its budget of epochs."""
        return self.fit.get("anneal") is True

    @property
    def patience(self) -> int | None:
        """Epochs without a better objective after which a run ends; None for never."""
        return self.fit.get("patience")

    @property
    def n_folds(self) -> int | None:
        """Number of folds; None without folds."""
        return None if self.cv is None else self.cv["folds"]

    @property
    def is_divided(self) -> bool:
        """Whether there are folds or repeats, so that a trial's trainings have names of their own."""
        return self.cv is not None or self.repeats is not None

    @property
    def training_names(self) -> tuple[str, ...]:
        """The names of a trial's trainings in order, such as "fold_0"; one empty name where it is trained once."""
        folds = [] if self.n_folds is None else [f"fold_{fold}" for fold in range(self.n_folds)]
        repeats = [] if self.repeats is None else [f"repeat_{repeat}" for repeat in range(self.repeats)]
        if folds and repeats:
            return tuple(f"{repeat}_{fold}" for repeat in repeats for fold in folds)
        return tuple(folds or repeats or [""])

    def fold_and_repeat(self, training: int) -> tuple[int | None, int]:
        """Return the fold (None for all data) and the repeat (from 0) of one of a trial's trainings."""
        if self.n_folds is None:
            return None, training
        return training % self.n_folds, training // self.n_folds

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object that `from_json` reads."""
        return {
            "version": VERSION,
            "study": self.study,
            "space": self.space,
            "space_source": self.space_source,
            "hyperparameters": [h.to_json() for h in self.hyperparameters],
            "objective": str(self.objective),
            "engine": self.engine,
            "options": dict(self.options),
            "seed": self.seed,
            "epochs": self.epochs,
            "data": dict(self.data),
            "fit": dict(self.fit),
            **({} if self.cv is None else {"cv": dict(self.cv)}),
            **({} if self.repeats is None else {"repeats": self.repeats}),
            **({"several": list(map(str, self.several))} if self.several else {}),
            **({"tries": list(map(dict, self.tries))} if self.tries else {}),
            **({"scoring": self.scoring} if self.is_divided else {}),
            **({"model": dict(self.model)} if self.model else {}),
            **({"warm_start": {k: list(map(dict, v)) for k, v in self.warm_start.items()}} if self.warm_start else {}),
            **({"constraints": list(map(str, self.constraints))} if self.constraints else {}),
            **({"told": True} if self.told else {}),
            **({"lessons": {k: [*map(_listed_lesson, v)] for k, v in self.lessons.items()}} if self.lessons else {}),
            **({"backend": self.backend} if self.backend != "tensorflow" else {}),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Definition:
        """Read what `to_json` wrote."""
        fields = {k: v for k, v in record.items() if k != "version"}
        fields["hyperparameters"] = tuple(Hyperparameter.from_json(h) for h in record["hyperparameters"])
        fields["objective"] = Objective.parse(record["objective"])
        fields["several"] = tuple(map(Objective.parse, record.get("several", ())))
        fields["tries"] = tuple(record.get("tries", ()))
        fields["constraints"] = tuple(map(Constraint.parse, record.get("constraints", ())))
        fields["lessons"] = {k: tuple(Lesson(*one) for one in v) for k, v in record.get("lessons", {}).items()}
        return cls(**fields)

    def differences(self, other: Definition) -> list[str]:
        """Name what differs from `other`, the stored definition; an empty list when nothing does."""
        found = []
        for name in ("space", "objective", "engine", "seed", "epochs", "repeats"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                found.append(f"{name} is {mine}, in the study {theirs}")
        if self.several != other.several:
            found.append(f"objectives are {_listed(self.objectives)}, in the study {_listed(other.objectives)}")
        if self.tries != other.tries:
            found.append(f"tries are {_listed(self.tries)}, in the study {_listed(other.tries)}")
        if list(self.warm_start) != list(other.warm_start):
            found.append(
                f"studies to begin with are {_listed(self.warm_start)}, in the study {_listed(other.warm_start)}"
            )
        if set(self.constraints) != set(other.constraints):
            found.append(f"constraints are {_listed(self.constraints)}, in the study {_listed(other.constraints)}")
        if self.told != other.told:
            by = {False: "by the toolkit", True: "by a program (tuning.open)"}
            found.append(f"trials are trained {by[self.told]}, in the study {by[other.told]}")
        if self.backend != other.backend:
            found.append(f"Keras runs on {self.backend} (KERAS_BACKEND), in the study on {other.backend}")
        found += _differing("option", self.options, other.options)
        found += _differing("data", self.data, other.data)
        found += _differing("cv", self.cv or {}, other.cv or {})
        found += [
            f"argument of fit '{name}' is {mine}, in the study {theirs}"
            for name, mine, theirs in arguments.differences(self.fit, other.fit)
        ]
        found += _differing_spaces(self, other)
        return [*found, *(fingerprint.differences(self.model, other.model) if self._is_same_default(other) else [])]

    def _is_same_default(self, other: Definition) -> bool:
        """Whether the default values are the same: with others, there is another default model, which says nothing."""
        return _described(self) == _described(other)


def _listed(things: Iterable[Any]) -> str:
    return ", ".join(map(str, things)) or "none"


def _listed_lesson(lesson: Lesson) -> list[Any]:
    return [dict(lesson.values), lesson.score]


def _described(definition: Definition) -> dict[str, Any]:
    """Map each hyperparameter, told apart by name and conditions, to its JSON form."""
    described = {}
    for h in definition.hyperparameters:
        record = h.to_json()
        conditions = " and ".join(f"{c['name']} in {list(c['values'])}" for c in record.pop("conditions", ()))
        described[f"{h.name} if {conditions}" if conditions else h.name] = {
            key: list(value) if isinstance(value, tuple) else value for key, value in record.items()
        }
    return described


def _differing(what: str, mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    return [
        f"{what} '{name}' is {_known(mine.get(name))}, in the study {_known(theirs.get(name))}"
        for name in {**theirs, **mine}
        if mine.get(name) != theirs.get(name)
    ]


def _differing_spaces(mine: Definition, theirs: Definition) -> list[str]:
    """Name the hyperparameters that differ, by their values and defaults in words wherever these tell them apart."""
    records, words = (_described(mine), _described(theirs)), (_in_words(mine), _in_words(theirs))
    alike = {name for name in records[0] if words[0][name] == words[1].get(name)}
    shown = [{name: (record if name in alike else said[name]) for name, record in of.items()}
             for of, said in zip(records, words, strict=True)]  # fmt: skip
    return _differing("hyperparameter", *shown)


def _in_words(definition: Definition) -> dict[str, str]:
    """Map each hyperparameter, in the order of `_described`, to what it may be, and what it is by default."""
    said = (f"{h.describe()}, by default {h.default}" for h in definition.hyperparameters)
    return dict(zip(_described(definition), said, strict=True))


def _known(value: Any) -> str:
    return "absent" if value is None else str(value)
