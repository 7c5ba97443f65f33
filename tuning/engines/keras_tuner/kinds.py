"""What KerasTuner's engines say of themselves; `keras_tuner` makes them.

Owns their options, and how long they take. Loads no library.
"""

from __future__ import annotations

import math
from typing import Any

from tuning.engines.base import Engine
from tuning.engines.kind import EngineKind, Lazily
from tuning.engines.options import Option, more_than, whole_option
from tuning.errors import OptionError, must
from tuning.records.definition import Definition


def _remark_of_bayesian(definition: Definition, max_trials: int | None) -> str:
    initial = definition.options["num_initial_points"]
    initial = max(3, 3 * len(definition.hyperparameters)) if initial is None else initial
    if max_trials is None or initial < max_trials:
        return ""
    return (
        f"all {max_trials} trials are random: the Gaussian process proposes after {initial}. "
        "Use more --trials or -o num_initial_points=N."
    )


def _epochs_of_hyperband(definition: Definition, max_trials: int | None) -> int | None:
    options = definition.options
    budget = definition.epochs if options["max_epochs"] is None else options["max_epochs"]
    return (
        None if max_trials is not None else hyperband_epochs(budget, options["factor"], options["hyperband_iterations"])
    )


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


RANDOM = EngineKind(
    "random",
    Lazily("tuning.engines.keras_tuner.engine:random_search"),
    "KerasTuner's RandomSearch: every trial drawn anew, no repeats",
    trials=10,
    options={},
)

HYPERBAND = EngineKind(
    "hyperband",
    Lazily("tuning.engines.keras_tuner.engine:hyperband"),
    "KerasTuner's Hyperband: many short trials, the best continued with more epochs",
    trials=None,
    options={
        "max_epochs": whole_option(None, 1, "epochs of the longest trial; default: --epochs"),
        "factor": whole_option(3, 2, "one in `factor` trials is continued"),
        "hyperband_iterations": whole_option(1, 1, "times the whole schedule is run"),
    },
    continues=True,
    planned_epochs=_epochs_of_hyperband,
)

BAYESIAN = EngineKind(
    "bayesian",
    Lazily("tuning.engines.keras_tuner.engine:bayesian"),
    "KerasTuner's BayesianOptimization: a Gaussian process, after 3 random trials a hyperparameter: 10 to 15 trials "
    "are random search",
    trials=10,
    options={
        "alpha": Option(1e-4, "be a number > 0", more_than(0), "noise expected in the scores"),
        "beta": Option(2.6, "be a number > 0", more_than(0), "weight of exploration"),
        "num_initial_points": whole_option(None, 1, "random trials first; default: 3 times the hyperparameters"),
    },
    remark=_remark_of_bayesian,
)


def in_its_program(*_: Any, **__: Any) -> Engine:
    """Refuse to make the engine of a study that only the program can go on with whose tuner has the oracle.

    Raises:
        OptionError: always.
    """
    raise OptionError(must("engine", "be one that the toolkit makes", PROGRAM.name, "Run its program again."))


PROGRAM = EngineKind(
    "keras-tuner",
    Lazily("tuning.engines.keras_tuner.kinds:in_its_program"),
    "the oracle of a KerasTuner program",
    trials=None,
    options={},
    planned_epochs=lambda definition, max_trials: None,
)
"""Of studies that a KerasTuner program makes; nobody can ask for it by name."""
