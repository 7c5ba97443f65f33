"""Engines by name: their options, with defaults and rules, and how each is made.

Owns the table that `tune engines` prints and the check of options, which reports all mistakes at once.
Importing this module loads no engine.
"""

from __future__ import annotations

import importlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuning.engines.base import Engine
from tuning.engines.first import First
from tuning.errors import OptionError, guess, must, raise_all
from tuning.records.definition import Definition


@dataclass(frozen=True)
class Option:
    """An option of an engine: how to read it from text, and what it must be."""

    default: Any
    rule: str
    read: Callable[[Any], Any]
    help: str


@dataclass(frozen=True)
class EngineKind:
    """An engine that can be asked for by name.

    Attributes:
        factory: "module:function" that makes the engine.
        description: one line for `tune engines`.
        options: its options by name.
        trials: default number of trials; None when the engine knows when it is done.
        continues: whether trials rest and are continued.
        settle: "module:function" that completes and checks a definition once the space is known; "" for none.
        remark: "module:function" that says what a person should know about a search; "" for none.
        several: whether it can optimise several objectives.
        folds: number of folds when none is asked for; None for no folds. Such an engine is told the number of parts.
    """

    factory: str
    description: str
    trials: int | None
    options: Mapping[str, Option]
    continues: bool = False
    settle: str = ""
    remark: str = ""
    several: bool = False
    folds: int | None = None


def _whole(least: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        number = int(value)
        if isinstance(value, bool) or number != float(value) or number < least:
            raise ValueError
        return number

    return read


def _positive(value: Any) -> float:
    number = float(value)
    if isinstance(value, bool) or not 0 < number < float("inf"):
        raise ValueError
    return number


def _ratio(value: Any) -> float:
    number = float(value)
    if isinstance(value, bool) or not 1 < number < float("inf"):
        raise ValueError
    return number


def _yes_or_no(value: Any) -> bool:
    if value not in (True, False):
        raise ValueError
    return bool(value)


def _one_of(*names: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in names:
            raise ValueError
        return str(value)

    return read


def _number(low: float = -math.inf, high: float = math.inf) -> Callable[[Any], float]:
    def read(value: Any) -> float:
        number = float(value)
        if isinstance(value, bool) or not low <= number <= high or not math.isfinite(number):
            raise ValueError
        return number

    return read


def _grid(value: Any) -> Any:
    value = json.loads(value) if isinstance(value, str) else value
    grids = [value] if isinstance(value, Mapping) else value
    if not isinstance(grids, (list, tuple)) or not grids:
        raise ValueError
    if not all(isinstance(v, (list, tuple)) and v for grid in grids for v in dict(grid).values()):
        raise ValueError
    read = [{str(name): list(values) for name, values in dict(grid).items()} for grid in grids]
    return read[0] if isinstance(value, Mapping) else read


def _resources(value: Any) -> Any:
    return value if value in ("smallest", "exhaust") else _whole(1)(value)


def _name_or_object(names: Sequence[str], method: str) -> Callable[[Any], Any]:
    """Read a name, or take an object that has `method`; how a stored object is remembered is a name as well."""

    def read(value: Any) -> Any:
        is_named = isinstance(value, str) and (value in names or value.startswith(INSTANCE))
        if not is_named and (isinstance(value, str) or not hasattr(value, method)):
            raise ValueError
        return value

    return read


INSTANCE = "instance of "
"""What the stored text of an option begins with that was given as an object."""

SAMPLERS = ["auto", "tpe", "gp", "cmaes", "qmc", "random", "grid", "brute_force", "nsga2", "nsga3"]
PRUNERS = (
    "auto",
    "median",
    "percentile",
    "successive_halving",
    "hyperband",
    "wilcoxon",
    "threshold",
    "patient",
    "none",
)
_GRIDS = ("grid", "random", "halving-grid", "halving-random")

_KERAS_TUNER = "tuning.engines.keras_tuner"
_OPTUNA = "tuning.engines.optuna_definition"

_OPTUNA_OPTIONS = {
    "sampler": Option(
        "auto",
        f"be one of {', '.join(SAMPLERS)}, or an optuna.samplers.BaseSampler",
        _name_or_object(SAMPLERS, "sample_independent"),
        f"{', '.join(SAMPLERS)}",
    ),
    "model": Option(
        None,
        "be tpe or gp",
        _one_of("tpe", "gp"),
        "what proposes for sampler=auto after its first trials: tpe or gp; default: gp where torch is installed and "
        "the space is flat and numeric",
    ),
    "n_startup_trials": Option(10, "be a whole number >= 0", _whole(0), "trials before the sampler's model proposes"),
    "population_size": Option(10, "be a whole number >= 2", _whole(2), "trials of a generation, for nsga2 and nsga3"),
    "pruner": Option(
        "auto",
        f"be one of {', '.join(PRUNERS)}, or an optuna.pruners.BasePruner",
        _name_or_object(PRUNERS, "prune"),
        f"{', '.join(PRUNERS)}; auto is median, with folds wilcoxon, and none for several objectives",
    ),
    "warmup_epochs": Option(
        None, "be a whole number >= 0", _whole(0), "epochs that are not judged; default: 2 or a tenth of --epochs"
    ),
    "warmup_trials": Option(5, "be a whole number >= 0", _whole(0), "trials before median and percentile judge"),
    "percentile": Option(25.0, "be a number of 0 .. 100", _number(0, 100), "of pruner=percentile: the best that go on"),
    "reduction_factor": Option(
        3, "be a whole number >= 2", _whole(2), "of successive_halving and hyperband: one in so many goes on"
    ),
    "lower": Option(None, "be a number", _number(), "of pruner=threshold: a smaller objective ends the trial"),
    "upper": Option(None, "be a number", _number(), "of pruner=threshold: a larger objective ends the trial"),
    "patience": Option(2, "be a whole number >= 0", _whole(0), "of pruner=patient: epochs without improvement first"),
    "p_threshold": Option(0.1, "be a number of 0 .. 1", _number(0, 1), "of pruner=wilcoxon: chance of an error"),
}

ENGINES: dict[str, EngineKind] = {
    "random": EngineKind(
        f"{_KERAS_TUNER}:random_search", "KerasTuner's RandomSearch: every trial drawn anew, no repeats", 10, {}
    ),
    "hyperband": EngineKind(
        f"{_KERAS_TUNER}:hyperband",
        "KerasTuner's Hyperband: many short trials, the best continued with more epochs",
        None,
        {
            "max_epochs": Option(
                None, "be a whole number >= 1", _whole(1), "epochs of the longest trial; default: --epochs"
            ),
            "factor": Option(3, "be a whole number >= 2", _whole(2), "one in `factor` trials is continued"),
            "hyperband_iterations": Option(1, "be a whole number >= 1", _whole(1), "times the whole schedule is run"),
        },
        continues=True,
    ),
    "bayesian": EngineKind(
        f"{_KERAS_TUNER}:bayesian",
        "KerasTuner's BayesianOptimization: a Gaussian process proposes",
        10,
        {
            "alpha": Option(1e-4, "be a number > 0", _positive, "noise expected in the scores"),
            "beta": Option(2.6, "be a number > 0", _positive, "weight of exploration"),
            "num_initial_points": Option(
                None, "be a whole number >= 1", _whole(1), "random trials first; default: 3 times the hyperparameters"
            ),
        },
    ),
    "optuna": EngineKind(
        f"{_OPTUNA}:make",
        "Optuna: any of its samplers and pruners, several objectives",
        20,
        _OPTUNA_OPTIONS,
        settle=f"{_OPTUNA}:settled",
        remark=f"{_OPTUNA}:remark",
        several=True,
    ),
    "grid": EngineKind(
        "tuning.engines.grid:grid",
        "scikit-learn's GridSearchCV, RandomizedSearchCV and halving searches, with cross-validation",
        None,
        {
            "search": Option("grid", f"be one of {', '.join(_GRIDS)}", _one_of(*_GRIDS), " or ".join(_GRIDS)),
            "grid": Option(
                None,
                'be {"NAME": [VALUE, ...], ...} or a list of such',
                _grid,
                "the values to try, as JSON; default: derived from the space",
            ),
            "levels": Option(3, "be a whole number >= 1", _whole(1), "most values of a range in a derived grid"),
            "factor": Option(3.0, "be a number > 1", _ratio, "halving: one candidate in `factor` is kept"),
            "min_resources": Option(
                None,
                "be a whole number >= 1, smallest or exhaust",
                _resources,
                "halving: epochs of the first candidates; default: scikit-learn's",
            ),
            "aggressive_elimination": Option(
                False, "be true or false", _yes_or_no, "halving: begin with more rounds of the fewest epochs"
            ),
        },
        continues=True,
        folds=5,
    ),
}


def engine_kind(name: str) -> EngineKind:
    """Return the engine of that name.

    Raises:
        OptionError: there is none.
    """
    if name not in ENGINES:
        raise OptionError(must("engine", f"be one of {', '.join(ENGINES)}", name, guess(name, ENGINES)))
    return ENGINES[name]


def read_options(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return all options of an engine: the given ones, read and checked, and the defaults.

    Raises:
        OptionError: names every option that is unknown or does not fit.
    """
    known = engine_kind(name).options
    read, mistakes = {key: option.default for key, option in known.items()}, []
    for key, value in given.items():
        if key not in known:
            has = f"be one of {', '.join(known)}" if known else "not be given: this engine has none"
            mistakes.append(must(f"option of {name}", has, key, guess(key, known)))
            continue
        try:
            read[key] = None if value is None else known[key].read(value)
        except (TypeError, ValueError):
            mistakes.append(must(key, known[key].rule, value))
    raise_all(mistakes)
    return read


def stored_options(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part options into what is stored, with a text for each object, and the objects."""
    objects = {k: v for k, v in options.items() if not isinstance(v, (bool, int, float, str, list, dict, type(None)))}
    named = {k: f"{INSTANCE}{type(v).__module__.partition('._')[0]}.{type(v).__qualname__}" for k, v in objects.items()}
    return {**options, **named}, objects


def load_engine(name: str) -> Callable[..., Engine]:
    """Import what makes the engine, and the library behind it."""
    return _imported(engine_kind(name).factory)


def _imported(name: str) -> Callable[..., Any]:
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


def settled(definition: Definition, objects: Mapping[str, Any]) -> Definition:
    """Return the definition of a search, complete: with what its engine's options leave to the space.

    Args:
        definition: its options are those of `read_options`, stored as `stored_options` says.
        objects: options that are given as objects.

    Raises:
        OptionError: the engine cannot search the space in this way.
    """
    kind = engine_kind(definition.engine)
    if len(definition.objectives) > 1 and not kind.several:
        able = " or ".join(name for name, other in ENGINES.items() if other.several)
        raise OptionError(
            must("engine", "be one for several objectives", definition.engine, f"Use engine {able}, or one objective.")
        )
    return _imported(kind.settle)(definition, objects) if kind.settle else definition


def make_engine(definition: Definition, max_trials: int | None, objects: Mapping[str, Any] | None = None) -> Engine:
    """Make the engine of a study.

    Args:
        definition: a settled one, which names the engine.
        max_trials: number of trials in all; None for as many as the engine wants.
        objects: options that are given as objects.

    Raises:
        OptionError: the engine cannot begin with the configurations to try first.
    """
    kind = engine_kind(definition.engine)
    n_parts = {} if kind.folds is None else {"n_parts": len(definition.part_names)}
    engine = load_engine(definition.engine)(
        definition.hyperparameters,
        definition.objectives if kind.several else definition.objective,
        definition.seed,
        definition.epochs,
        max_trials,
        **n_parts,
        **{**definition.options, **(objects or {})},
    )
    if not definition.tries:
        return engine
    if not hasattr(engine, "begin_with"):
        raise OptionError(must("engine", "be one that can begin with given configurations", definition.engine))
    return First(engine, definition.tries, max_trials)  # type: ignore[arg-type]


def remark(definition: Definition, max_trials: int | None) -> str:
    """Return what a person should know about this search; empty when there is nothing."""
    if definition.engine == "bayesian" and max_trials is not None:
        initial = definition.options["num_initial_points"]
        initial = max(3, 3 * len(definition.hyperparameters)) if initial is None else initial
        if initial >= max_trials:
            return (
                f"all {max_trials} trials are random: the Gaussian process proposes after {initial}. "
                "Use more --trials or -o num_initial_points=N."
            )
    kind = engine_kind(definition.engine)
    return _imported(kind.remark)(definition) if kind.remark else ""


def planned_epochs(definition: Definition, max_trials: int | None) -> int | None:
    """Return the number of epochs that a whole search trains, if no run ends early; None when unknown."""
    if definition.engine == "hyperband":
        options = definition.options
        budget = definition.epochs if options["max_epochs"] is None else options["max_epochs"]
        return (
            None
            if max_trials is not None
            else hyperband_epochs(budget, options["factor"], options["hyperband_iterations"])
        )
    if definition.options.get("search", "").startswith("halving"):
        return None
    return None if max_trials is None else max_trials * definition.epochs


def hyperband_epochs(max_epochs: int, factor: int, iterations: int) -> int:
    """Return the epochs of all brackets of Hyperband, promoted runs counted from where they go on."""
    total, bracket = 0, 0
    while max_epochs / factor**bracket >= 1:
        end_size = math.ceil(1 + math.log(max_epochs, factor)) / (bracket + 1)
        before = 0
        for index in range(bracket + 1):
            epochs = math.ceil(max_epochs / factor ** (bracket - index))
            total += math.ceil(end_size * factor ** (bracket - index)) * (epochs - before)
            before = epochs
        bracket += 1
    return total * iterations
