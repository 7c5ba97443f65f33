"""What the engine `pbt` says of itself; `pbt` makes it.

Owns its options, what it refuses, and what a person is told. Loads no library.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tuning.engines.kind import EngineKind, Lazily
from tuning.engines.options import Option, whole_option
from tuning.errors import guess, must, raise_all
from tuning.records.definition import Definition


def _names(value: Any) -> list[str]:
    """Read "rate,dropout", or a list of names, which may have spaces in them."""
    names = [name.strip() for name in value.split(",")] if isinstance(value, str) else list(value)
    is_odd = isinstance(value, str) and any(" " in name for name in names)
    if is_odd or not all(isinstance(name, str) and name for name in names):
        raise ValueError
    return names


def n_replaced(n_members: int) -> int:
    """Return how many of so many members take over what others have learned: a quarter, at least one."""
    return max(1, n_members // 4)


def _settled(definition: Definition, objects: Mapping[str, Any]) -> Definition:
    """Return the definition with the options that it leaves open, and refuse what cannot be searched."""
    options, space = dict(definition.options), definition.hyperparameters
    if options["ready"] is None:
        options["ready"] = max(1, math.ceil(definition.epochs / 10))
    parents = {condition.name for h in space for condition in h.conditions}
    may = {h.name for h in space if not h.is_fixed and h.count() > 1 and h.name not in parents}
    wrong = [
        must("change", f"name hyperparameters that others do not depend on ({', '.join(may)})", name, guess(name, may))
        for name in options["change"] or ()
        if name not in may
    ]
    if not options["change"]:
        wrong.append(
            "`space` must have something that may change while a model is trained, such as a learning rate, a dropout "
            "or a batch size, but engine pbt has found nothing that keeps a model's weights and its optimizer's state "
            "as they are. Name it with -o change=NAME,NAME, or use another engine."
        )
    if options["ready"] >= definition.epochs:
        wrong.append(must("ready", f"be less than the {definition.epochs} epochs of a trial", options["ready"]))
    if definition.patience is not None:
        wrong.append(
            must("patience", "be 0 with engine pbt, whose members are trained side by side", definition.patience)
        )
    raise_all(wrong)
    return replace(definition, options=options)


def _remark(definition: Definition, max_trials: int | None) -> str:
    options = definition.options
    kept = _kept(definition, options["change"])
    rest = f"; {', '.join(kept)} stay what they are by default, or as --fix says" if kept else ""
    n = n_replaced(options["population"])
    epochs = "every epoch" if options["ready"] == 1 else f"every {options['ready']} epochs"
    return (
        f"a population of {options['population']}: after {epochs} the worst {n} go on with the weights of the best and "
        f"with other values of {', '.join(options['change'])}{rest}"
    )


def _kept(definition: Definition, change: Sequence[str]) -> list[str]:
    varying = [h.name for h in definition.hyperparameters if not h.is_fixed and h.count() > 1]
    return [name for name in dict.fromkeys(varying) if name not in change]


PBT = EngineKind(
    "pbt",
    Lazily("tuning.engines.pbt.engine:population_based"),
    "population based training: members train side by side, the worst go on from the best with other values",
    trials=None,
    trials_for=lambda definition: int(definition.options["population"]),
    options={
        "population": whole_option(8, 2, "members, each a trial"),
        "ready": whole_option(None, 1, "epochs after which members are compared; default: a tenth of --epochs"),
        "change": Option(
            None,
            "be names of hyperparameters, such as learning_rate,dropout",
            _names,
            "what changes; default: all that keeps weights and optimizer state as they are",
        ),
    },
    continues=True,
    settle=_settled,
    remark=_remark,
    changes=True,
)
