"""What a person asks `search` for, checked.

Owns the record of checked arguments and the checks that need nothing but the arguments. All mistakes of one call are
collected and raised once.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tuning.data import Data
from tuning.driver.budget import Budget
from tuning.driver.observer import Observer
from tuning.engines.registry import DEFAULT, ENGINES, option_mistakes
from tuning.errors import OptionError, TuningError, guess, must, whole_number
from tuning.preflight.verdict import CHECKS
from tuning.records import constraint
from tuning.records.constraint import Constraint
from tuning.records.lesson import Lesson
from tuning.records.objective import Objective, listed, primary
from tuning.space import SearchSpace, as_space, resolve
from tuning.storage.url import anchored
from tuning.training import callbacks
from tuning.training.summaries import Log

STUDY_NAME = re.compile(r"[A-Za-z0-9._-]*[A-Za-z0-9][A-Za-z0-9._-]*")

LEAST = {"trials": 1, "epochs": 1, "seed": 0, "keep": 0, "patience": 0, "workers": 1, "repeats": 1, "retries": 0}
"""Arguments that are whole numbers, each with the least that it may be."""

RETRIES = 1
"""Worker processes that may die in a run, where nothing else is asked for."""

AUTO = "auto"
"""For `batch_trials`: a number that suits the machine, in one program where that is found to be quicker."""

SECONDS = ("time_limit", "silence_limit")

FOREIGN = {
    "max_trials": ("KerasTuner", "it is `trials`"),
    "executions_per_trial": ("KerasTuner", "it is `repeats`"),
    "max_epochs": ("KerasTuner", "it is `epochs`"),
    "directory": ("KerasTuner", "it is `logs`"),
    "project_name": ("KerasTuner", "it is `study`"),
    "hypermodel": ("KerasTuner", "it is `space`, the first argument"),
    "hyperband_iterations": ("KerasTuner", "a larger `trials` or another `seed` does it"),
    "max_consecutive_failed_trials": ("KerasTuner", "trials that fail are stored, and the search goes on"),
    "n_trials": ("Optuna", "it is `trials`"),
    "timeout": ("Optuna", "it is `time_limit`, in seconds"),
    "n_jobs": ("Optuna and scikit-learn", "it is `workers`"),
    "study_name": ("Optuna", "it is `study`"),
    "direction": ("Optuna", "it is a part of `objective`: 'val_rmse:min', 'val_f1:max'"),
    "directions": ("Optuna", "each objective says its own: ['val_accuracy:max', 'n_params:min']"),
    "sampler": ("Optuna", "it is engine='optuna', options={'sampler': ...}"),
    "pruner": ("Optuna", "it is engine='optuna', options={'pruner': ...}"),
    "load_if_exists": ("Optuna", "a study that exists is gone on with; overwrite=True starts afresh"),
    "show_progress_bar": ("Optuna", "it is `verbose`"),
    "n_iter": ("scikit-learn", "it is `trials`"),
    "random_state": ("scikit-learn", "it is `seed`"),
    "scoring": ("scikit-learn", "it is `objective`"),
}
"""Arguments of other tuners, with whose they are and what to say here."""

Value = TypeVar("Value")


@dataclass(frozen=True)
class Request:
    """The arguments of one call of `search`, each as it is described there; None where the study or a default decides.

    Attributes:
        space: the space, whatever form it was given in.
        source: the name by which the space was given; None for one that was made in a program.
        data: what was given to train and validate on; None for the space's own.
        goals: the objectives as they were given, or the space's own.
        path: the study's folder.
        log: what to write for TensorBoard besides, read.
        warm_start: other studies, as they were given; later with the configurations of each.
        lessons: what the engine is told of them.
        batch_trials: how many trials a worker trains at once, or `AUTO`.
        told: whether a program trains, and tells what its trials come to.
        folder: the working folder when the search was asked for, where relative paths begin: a space may change it.
    """

    space: SearchSpace
    source: str | None
    data: Data | None
    goals: tuple[str | Objective, ...]
    path: Path
    log: Log = Log()
    engine: str = DEFAULT
    trials: int | None = None
    budget: str | None = None
    tolerance: float | None = None
    epochs: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    fix: Mapping[str, Any] = field(default_factory=dict)
    tries: tuple[Mapping[str, Any], ...] | None = None
    warm_start: Any = None
    lessons: Mapping[str, Sequence[Lesson]] = field(default_factory=dict)
    constraints: tuple[Constraint, ...] | None = None
    storage: str | None = None
    seed: int | None = None
    overwrite: bool = False
    patience: int | None = None
    anneal: bool | None = None
    compiled: bool = True
    keep: int = 3
    workers: int = 1
    batch_trials: int | str = 1
    in_process: bool = True
    cluster: Any = None
    retries: int = RETRIES
    time_limit: float | None = None
    silence_limit: float | None = None
    cv: Any = None
    repeats: int | None = None
    observers: tuple[Observer, ...] = ()
    fit_options: Mapping[str, Any] = field(default_factory=dict)
    checks: str = CHECKS[0]
    told: bool = False
    folder: Path = Path()

    @property
    def goal(self) -> str | Objective:
        """The objective that decides about epochs."""
        return primary(self.goals)

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Request:
        """Check the arguments of `search`, by name.

        Raises:
            TuningError: names everything that does not fit.
        """
        mistakes, no_constraints = _Mistakes(), tuple[Constraint, ...]()
        folder = Path.cwd()  # now: a space may change it
        source = given["space"] if isinstance(given["space"], str) else None
        space = mistakes.caught(
            lambda: as_space(given["space"] if source is None else resolve(source)), SearchSpace("unknown")
        )
        name = f"{space.name}-{given['engine']}" if given["study"] is None else given["study"]
        mistakes.add(
            *_number_mistakes(given),
            *_engine_mistakes(given),
            *_name_mistakes(name),
            *_logs_mistakes(given["logs"]),
            *_data_mistakes(given),
        )
        mistakes.add(*_tries_mistakes(given["tries"]), *callbacks.mistakes(given["fit_options"].get("callbacks")))
        mistakes.add(*callbacks.mistakes(space.callbacks), *_foreign_mistakes(given["fit_options"], space))
        mistakes.add(*_choice_mistakes(given), *_batch_mistakes(given), *_warm_start_mistakes(given["warm_start"]))
        mistakes.caught(lambda: None if given["budget"] is None else Budget.read(given["budget"]), None)
        fit_options = {name: value for name, value in given["fit_options"].items() if name != "sample_weight"}
        constraints = mistakes.caught(lambda: constraint.read(given["constraints"] or ()), no_constraints)
        log = mistakes.caught(lambda: Log.read(given["log"]), Log())
        wanted = space.objective if given["objective"] is None else given["objective"]
        goals: tuple[str | Objective, ...] = mistakes.caught(lambda: tuple(listed(wanted)), ())
        mistakes.raise_all()
        taken = {name: given[name] for name in cls.__dataclass_fields__ if name in given}
        return cls(
            **{
                **taken,
                "space": space,
                "source": source,
                "data": None if given["x"] is None else _data_of(given),
                "fit_options": fit_options,
                "goals": goals,
                "path": folder / given["logs"] / name,
                "storage": None if given["storage"] is None else anchored(given["storage"], folder),
                "folder": folder,
                "log": log,
                "options": dict(given["options"] or {}),
                "fix": dict(given["fix"] or {}),
                "tries": None if given["tries"] is None else tuple(given["tries"]),
                "constraints": None if given["constraints"] is None else constraints,
                "in_process": _is_in_process(given),
                "observers": tuple(given["observers"]),
            }
        )


class _Mistakes:
    """Collects what does not fit; a single mistake keeps its kind of error."""

    def __init__(self) -> None:
        self._errors: list[TuningError] = []

    def add(self, *texts: str) -> None:
        self._errors += map(OptionError, texts)

    def caught(self, make: Callable[[], Value], instead: Value) -> Value:
        """Return what `make` returns; when it raises an error of ours, that is a mistake, and `instead` is returned."""
        try:
            return make()
        except TuningError as error:
            self._errors.append(error)
            return instead

    def raise_all(self) -> None:
        if len(self._errors) == 1:
            raise self._errors[0]
        if self._errors:
            listed = " ".join(f"({i}) {error}" for i, error in enumerate(self._errors, 1))
            raise OptionError(f"{len(self._errors)} things do not fit: {listed}")


def _is_in_process(given: Mapping[str, Any]) -> bool:
    if given["in_process"] is None:
        return given["workers"] == 1 and given["cluster"] is None and given["batch_trials"] == 1
    return bool(given["in_process"])


def _number_mistakes(given: Mapping[str, Any]) -> list[str]:
    mistakes = []
    for name, least in LEAST.items():
        value = given[name]
        mistakes += [] if value is None else whole_number(name, value, least)
    for name in SECONDS:
        value = given[name]
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0):
            mistakes.append(must(name, "be a number of seconds > 0", value))
    tolerance = given["tolerance"]
    if tolerance is not None and (
        isinstance(tolerance, bool) or not isinstance(tolerance, (int, float)) or not 0 < tolerance < math.inf
    ):
        mistakes.append(must("tolerance", "be a number > 0", tolerance))
    if given["in_process"] and given["workers"] != 1:
        mistakes.append("`in_process` must be False with several workers.")
    if given["in_process"] and given["cluster"] is not None:
        mistakes.append("`in_process` must be False with a cluster.")
    return mistakes


def _batch_mistakes(given: Mapping[str, Any]) -> list[str]:
    """Find why several trials cannot be trained in one program."""
    number = given["batch_trials"]
    if number == 1:
        return []
    if number != AUTO and whole_number("batch_trials", number, 1):
        return [must("batch_trials", f"be a whole number >= 1 or '{AUTO}'", number)]
    others = {"in_process": bool(given["in_process"]), "cluster": given["cluster"] is not None}
    others["compiled=False"] = not given["compiled"]
    return [must("batch_trials", f"be 1 with {name}", number) for name, is_given in others.items() if is_given]


def _engine_mistakes(given: Mapping[str, Any]) -> list[str]:
    engine, options = given["engine"], given["options"]
    if engine not in ENGINES:
        return [must("engine", f"be one of {', '.join(ENGINES)}", engine, guess(str(engine), ENGINES))]
    return option_mistakes(engine, options or {})


def _name_mistakes(name: Any) -> list[str]:
    if isinstance(name, str) and STUDY_NAME.fullmatch(name):
        return []
    return [must("study", "be made of letters, digits, '.', '_' and '-', because it names a folder", name)]


def _data_mistakes(given: Mapping[str, Any]) -> list[str]:
    if given["validation_data"] is None:
        return []
    mistakes, cv = [], given["cv"]
    has_folds = cv is not None and not (isinstance(cv, int) and cv == 1)
    if given["x"] is None:
        mistakes.append("`validation_data` must come with x and y, but x is None.")
    if has_folds:
        mistakes.append("`validation_data` must be None with folds: each validates on a part of x and y.")
    return mistakes


def _data_of(given: Mapping[str, Any]) -> Data:
    return Data(given["x"], given["y"], given["validation_data"], given["fit_options"].get("sample_weight"))


def _choice_mistakes(given: Mapping[str, Any]) -> list[str]:
    """Find a choice that there is not, and weights of what is not given."""
    mistakes = []
    if given["checks"] not in CHECKS:
        mistakes.append(must("checks", f"be one of {', '.join(CHECKS)}", given["checks"]))
    if given["x"] is None and given["fit_options"].get("sample_weight") is not None:
        mistakes.append("`sample_weight` must come with x and y, but x is None. Give Data with sample_weight.")
    return mistakes


def _tries_mistakes(tries: Any) -> list[str]:
    is_list = isinstance(tries, Sequence) and all(isinstance(values, Mapping) for values in tries)
    return (
        []
        if tries is None or is_list
        else [must("tries", "be a list of configurations, such as [{'units': 64}]", tries)]
    )


def _warm_start_mistakes(given: Any) -> list[str]:
    is_list = isinstance(given, Sequence) and not isinstance(given, str)
    if given is None or (is_list and all(isinstance(one, (str, Path)) or hasattr(one, "path") for one in given)):
        return []
    return [must("warm_start", "be a list of studies, such as ['digits-optuna']", given)]


def _logs_mistakes(logs: str | Path) -> list[str]:
    first = next((path for path in (Path(logs), *Path(logs).parents) if path.exists()), None)
    if first is None or first.is_dir():
        return []
    return [must("logs", "be a folder, or one that can be made", str(logs), f"'{first}' is a file.")]


def _foreign_mistakes(fit_options: Mapping[str, Any], space: SearchSpace) -> list[str]:
    """Name arguments of other tuners, but for those that the space's own `fit` names."""
    try:
        own = inspect.signature(space.parts_of_code()["fit"] or SearchSpace.fit).parameters
    except (TypeError, ValueError):  # it does not say
        return []
    return [
        f"`{name}` is an argument of {tuner}; here {says}."
        for name, (tuner, says) in FOREIGN.items()
        if name in fit_options and name not in own
    ]
