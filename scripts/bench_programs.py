"""Count how many proposals of each bundled space need a compiled program of their own.

Run `python scripts/benchmark.py --only programs` from the repository's root. Proposals are built and handed to their
space's `fit`, which trains nothing here. Two share a program if their models are of one architecture and would be
trained in batches of one size; a learning rate makes no difference, nor do numbers that are arguments of programs. The
first figure is what it would be if these were constants, the last what would be left if those in `NUMBERS` made no
difference either.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Mapping
from typing import Any

from tuning.data import Data
from tuning.errors import DataError
from tuning.preflight.sample import sample_of
from tuning.space import HyperParameters, SearchSpace, bundled_spaces, resolve

PROPOSALS = 20
NUMBERS = ("dropout", "momentum", "weight_decay", "auxiliary_weight", "priority_weight")
"""Hyperparameters of the bundled spaces that a program could take as arguments."""


@dataclasses.dataclass(frozen=True)
class Share:
    """What share of a space's proposals needs a new program.

    Attributes:
        space: its name.
        with_constants: the share if no number of optimizers and regularizers were an argument.
        now: the share.
        without_numbers: what it would be if numbers were arguments of a program.
    """

    space: str
    with_constants: float
    now: float
    without_numbers: float


def measure(name: str) -> Share:
    """Draw proposals of a bundled space at random, and count the programs that they need."""
    space, draws = resolve(name), random.Random(0)
    data = sample_of(space.load_data()).data
    plain = _Visit(space, data, {}).hp.used
    constant, now, without = set(), set(), set()
    for _ in range(PROPOSALS):
        visit = _drawn(space, data, draws)
        numbers = {n: plain[n] for n in NUMBERS if n in visit.hp.used and n in plain}
        now.add(visit.program())
        constant.add((visit.program(), visit.numbers()))
        without.add(_Visit(space, data, {**visit.hp.used, **numbers}).program() if numbers else visit.program())
    return Share(name, len(constant) / PROPOSALS, len(now) / PROPOSALS, len(without) / PROPOSALS)


def _drawn(space: SearchSpace, data: Data, draws: random.Random) -> _Visit:
    """Return what is asked for with values for all of it."""
    values: dict[str, Any] = {}
    while True:
        visit = _Visit(space, data, values)
        new = {h.name: h.drawn(draws) for h in visit.hp.space if h.name not in values}
        if not new:
            return visit
        values |= new


class _Visit:
    """A model, built and handed to its space's `fit`, which trains nothing here; `hp` says what was asked for."""

    def __init__(self, space: SearchSpace, data: Data, values: Mapping[str, Any]) -> None:
        self._data, self._given = data, dict[str, Any]()
        self._program: Any = None
        self.hp = HyperParameters(values)
        self._model = space.build(self.hp)
        self._model.fit = lambda *args, **options: self._given.update(options)
        space.fit(self.hp, self._model, data.x, data.y, validation_data=data.validation)
        del self._model.fit

    def program(self) -> Any:
        """Return what its program depends on."""
        from tuning.compiled import arrays, fitting
        from tuning.compiled.architecture import key_of

        if self._program is None:
            model = self._model
            fitting.build(model, arrays.load(self._data.x, self._data.y))
            key = key_of(model, x_is_named=isinstance(self._data.x, dict))
            self._program = self._given.get("batch_size"), key or id(self)
        return self._program

    def numbers(self) -> tuple[float, ...]:
        """Return the numbers that are arguments of its program."""
        from tuning.compiled import backends
        from tuning.compiled.state import held

        return tuple(held(backends.current().numbers_of(self._model)))


def run() -> list[Share]:
    """Measure all bundled spaces, and print each as it is done."""
    print(f"{'proposals that need a new program':42}{'as constants':>14}{'now':>8}{'all as arguments':>18}", flush=True)
    shares = []
    for name in bundled_spaces():
        try:
            share = measure(name)
        except DataError as error:
            print(f"{name:42}{error}", flush=True)
            continue
        shares.append(share)
        print(f"{name:42}{share.with_constants:>14.0%}{share.now:>8.0%}{share.without_numbers:>18.0%}", flush=True)
    return shares
