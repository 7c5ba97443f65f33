"""What the engine `optuna` says of itself; `optuna_definition` makes it.

Owns the names of samplers and pruners, and the options. Loads no library.
"""

from __future__ import annotations

from tuning.engines.kind import EngineKind, Lazily
from tuning.engines.options import Option, name_or_object, number, one_of, whole_option
from tuning.records.definition import Definition

SAMPLERS = ("auto", "gaussian_process", "tpe", "gp", "cmaes", "qmc", "random", "grid", "brute_force", "nsga2", "nsga3")
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


LEAST_TRIALS, TRIALS_EACH = 15, 5
"""Trials of a search that is given no number: so many, and so many more for each hyperparameter."""


def _default_trials(definition: Definition) -> int:
    varying = [h for h in definition.hyperparameters if not h.is_fixed]
    return LEAST_TRIALS + TRIALS_EACH * len(varying)


def _remark(definition: Definition, max_trials: int | None) -> str:
    said = str(Lazily("tuning.engines.optuna.definition:remark")(definition))
    if max_trials == _default_trials(definition):
        size = f"{max_trials} trials at most, as the space is large; say --trials or --budget for others"
        return f"{size}; {said}" if said else size
    return said


OPTUNA = EngineKind(
    "optuna",
    Lazily("tuning.engines.optuna.definition:make"),
    "Optuna: any of its samplers and pruners, several objectives",
    trials=None,
    trials_for=_default_trials,
    options={
        "sampler": Option(
            "auto",
            f"be one of {', '.join(SAMPLERS)}, or an optuna.samplers.BaseSampler",
            name_or_object(SAMPLERS, "sample_independent"),
            f"{', '.join(SAMPLERS)}",
        ),
        "model": Option(
            None,
            "be gaussian_process, tpe or gp",
            one_of("gaussian_process", "tpe", "gp"),
            "what proposes for sampler=auto after its first trials; default: gaussian_process, and tpe for "
            "conditional hyperparameters or several objectives",
        ),
        "n_startup_trials": whole_option(
            None, 0, "trials before the sampler's model proposes; default: 5 for gaussian_process, else 10"
        ),
        "population_size": whole_option(10, 2, "trials of a generation, for nsga2 and nsga3"),
        "pruner": Option(
            "auto",
            f"be one of {', '.join(PRUNERS)}, or an optuna.pruners.BasePruner",
            name_or_object(PRUNERS, "prune"),
            f"{', '.join(PRUNERS)}; auto is successive_halving, with folds wilcoxon, and none for several objectives",
        ),
        "warmup_epochs": whole_option(
            None, 0, "epochs that are not judged; default: a tenth of --epochs, at least 2, or 1 where rungs follow"
        ),
        "warmup_trials": whole_option(5, 0, "trials before median and percentile judge"),
        "percentile": Option(
            25.0, "be a number of 0 .. 100", number(0, 100), "of pruner=percentile: the best that go on"
        ),
        "reduction_factor": whole_option(3, 2, "of successive_halving and hyperband: one in so many goes on"),
        "lower": Option(None, "be a number", number(), "of pruner=threshold: a smaller objective ends the trial"),
        "upper": Option(None, "be a number", number(), "of pruner=threshold: a larger objective ends the trial"),
        "patience": whole_option(2, 0, "of pruner=patient: epochs without improvement first"),
        "p_threshold": Option(0.1, "be a number of 0 .. 1", number(0, 1), "of pruner=wilcoxon: chance of an error"),
    },
    settle=Lazily("tuning.engines.optuna.definition:settled"),
    remark=_remark,
    many_objectives=True,
    constrains=True,
    learns_from_others=True,
)
