"""The tables that engines are compared on, and the searches that look trainings up in them."""

import json

import numpy as np
import pytest

from scripts import tables
from scripts.tables import ROWS, SLOW, TABLES, WITHOUT_CURVES, Table, searched

PATHS = sorted(TABLES.glob("*.npz"))


@pytest.mark.medium
def test_they_are_small_and_have_all_that_a_search_needs():
    assert len(PATHS) == 4 and sum(path.stat().st_size for path in PATHS) < 5e6
    conditional = [any(h.conditions for h in Table(path).space) for path in PATHS]
    assert sum(conditional) == 2


def test_a_configuration_of_a_table_trains_as_it_did():
    table, stored = Table(PATHS[0]), np.load(PATHS[0])
    configurations = json.loads(str(stored["values"]))
    assert len(configurations) == len(stored["curves"]) and stored["curves"].shape[1:] == (2, table.epochs)
    for values, (first, second) in list(zip(configurations, table.sign * stored["curves"], strict=True))[:5]:
        found = [table.curve(values, str(seed)) for seed in range(8)]
        assert all(np.allclose(curve, first) or np.allclose(curve, second) for curve in found)
        assert {np.allclose(curve, first) for curve in found} == {True, False}, "another seed is another training"


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_nothing_between_them_is_better_than_the_best(path):
    table, draws = Table(path), np.random.default_rng(0)
    for _ in range(30):
        values = {}
        for h in table.space:
            if h.is_active(values):
                values[h.name] = h.from_unit(draws.uniform()) if h.is_ordered else draws.choice(h.values())
        assert table.regret(table.curve(values, "0").max()) >= 0


@pytest.mark.medium
def test_a_search_ends_after_its_budget_and_never_gets_worse(monkeypatch):
    monkeypatch.setattr(tables, "BUDGETS", (1, 3, 6))
    found = {row: searched(PATHS[2], row, 1, 1, True) for row in ROWS if row not in SLOW}
    found |= {f"{row} at once": searched(PATHS[2], row, 1, 4, False) for row in WITHOUT_CURVES if row not in SLOW}
    for regrets in found.values():
        assert len(regrets) == 3 and regrets == sorted(regrets, reverse=True) and min(regrets) >= 0
    assert found["`random`"] == searched(PATHS[2], "`random`", 1, 1, True), "equal seeds search equally"
    assert found["`random`"] != searched(PATHS[2], "`random`", 2, 1, True)
