"""Count how many proposals of each bundled space need a compiled program of their own.

Run `python scripts/benchmark.py --only programs` from the repository's root. Proposals are built and handed to their
space's `fit`, which trains nothing here. Two share a program if their models are of one architecture and would be
trained in batches of one size; a learning rate makes no difference. The second figure is what would be left if the
numbers in `NUMBERS` made none either.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Mapping
from typing import Any

from tuning.data import Data
from tuning.preflight.sample import sample_of
from tuning.space import HyperParameters, SearchSpace, bundled_spaces, resolve
from tuning.training.models import ensure_built

PROPOSALS = 20
NUMBERS = ("dropout", "momentum", "weight_decay", "auxiliary_weight", "priority_weight")
"""Hyperparameters of the bundled spaces that a program could take as arguments."""


@dataclasses.dataclass(frozen=True)
class Share:
    """What share of a space's proposals needs a new program.

    Attributes:
        space: its name.
        now: the share.
        without_numbers: what it would be if numbers were arguments of a program.
    """

    space: str
    now: float
    without_numbers: float


def measure(name: str) -> Share:
    """Draw proposals of a bundled space at random, and count the programs that they need."""
    space, draws = resolve(name), random.Random(0)
    data = sample_of(space.load_data()).data
    proposals = [_drawn(space, data, draws) for _ in range(PROPOSALS)]
    known, _ = _visit(space, data, {})
    plain = [
        {**values, **{n: known.used[n] for n in NUMBERS if n in values and n in known.used}} for values in proposals
    ]
    now, without = (len({_visit(space, data, values)[1] for values in each}) for each in (proposals, plain))
    return Share(name, now / PROPOSALS, without / PROPOSALS)


def _drawn(space: SearchSpace, data: Data, draws: random.Random) -> dict[str, Any]:
    """Return values for all that a space asks for."""
    values: dict[str, Any] = {}
    while True:
        hp, _ = _visit(space, data, values)
        new = {h.name: h.drawn(draws) for h in hp.space if h.name not in values}
        if not new:
            return values
        values |= new


def _visit(space: SearchSpace, data: Data, values: Mapping[str, Any]) -> tuple[HyperParameters, Any]:
    """Return what a space asks for with these values, and what its program depends on."""
    from tuning.compiled.architecture import key_of

    hp, given = HyperParameters(values), dict[str, Any]()
    model = space.build(hp)
    model.fit = lambda *args, **options: given.update(options)
    space.fit(hp, model, data.x, data.y, validation_data=data.validation)
    del model.fit
    ensure_built(model, data.x)
    model.optimizer.build(model.trainable_variables)
    return hp, (given.get("batch_size"), key_of(model, x_is_named=isinstance(data.x, dict)) or model)


def run() -> list[Share]:
    """Measure all bundled spaces, and print each as it is done."""
    print(f"{'proposals that need a new program':42}{'now':>8}{'numbers as arguments':>24}", flush=True)
    shares = []
    for name in bundled_spaces():
        shares.append(measure(name))
        print(f"{name:42}{shares[-1].now:>8.0%}{shares[-1].without_numbers:>24.0%}", flush=True)
    return shares
