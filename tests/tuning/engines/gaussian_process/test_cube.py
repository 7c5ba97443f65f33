"""Configurations as rows of numbers, and back."""

import numpy as np

from tests.simulation import MIXED_SPACE
from tuning.engines.gaussian_process.cube import MIDDLE, NO_CATEGORY, Cube
from tuning.hyperparameters import Boolean, Choice, Condition, Float
from tuning.space import active_values

CUBE = Cube(MIXED_SPACE)
NAMES = [h.name for h in CUBE.varying]


def drawn(n=200):
    return CUBE.legal(np.random.RandomState(0).uniform(size=(n, len(NAMES))))


def values_of(row):
    every = {h.name: h.from_unit(max(place, 0.0)) for h, place in zip(CUBE.varying, row, strict=True)}
    return active_values(MIXED_SPACE, every)


def test_what_is_fixed_has_no_column():
    assert len(NAMES) == len(MIXED_SPACE) - 1 and "version" not in NAMES


def test_legal_rows_are_the_rows_of_their_own_values():
    for row in drawn():
        values = values_of(row)
        assert all(h.contains(values[h.name]) for h in MIXED_SPACE if h.is_active(values))
        np.testing.assert_allclose(CUBE.row(values), row, atol=1e-9)


def test_what_does_not_apply_has_no_place_of_its_own():
    rows = drawn()
    is_sgd = np.array([values_of(row)["optimizer"] == "sgd" for row in rows])
    assert set(rows[is_sgd, NAMES.index("beta")]) == {MIDDLE} and len(set(rows[~is_sgd, NAMES.index("beta")])) > 50
    assert set(rows[~is_sgd, NAMES.index("nesterov")]) == {NO_CATEGORY}


def test_conditions_below_conditions():
    space = (
        Boolean("a", False),
        Choice("b", "x", choices=("x", "y"), conditions=(Condition("a", (True,)),)),
        Float("c", 0.0, low=0.0, high=1.0, conditions=(Condition("b", ("y",)),)),
    )
    cube = Cube(space)
    active = cube.active(np.array([[0.25, NO_CATEGORY, MIDDLE], [0.75, 0.25, MIDDLE], [0.75, 0.75, 0.1]]))
    assert active.tolist() == [[True, False, False], [True, True, False], [True, True, True]]


def test_two_categories_are_as_far_apart_as_the_ends_of_a_range():
    space = (
        Choice("kind", "a", choices=("a", "b", "c")),
        Float("size", 0.0, low=0.0, high=1.0),
    )
    cube = Cube(space)
    one, other, far = cube.coordinates(np.array([[1 / 6, 0.0], [5 / 6, 0.0], [1 / 6, 1.0]]))
    assert np.isclose(np.linalg.norm(one - other), 1.0) and np.isclose(np.linalg.norm(one - far), 1.0)
    assert cube.groups == [0, 0, 0, 1]


def test_neighbours_are_legal_and_most_of_a_row_stays():
    row = drawn(1)[0]
    near = CUBE.neighbours(row, 100, 0.1, np.random.RandomState(0))
    np.testing.assert_allclose(CUBE.legal(near.copy()), near)
    assert np.mean(near == row) > 0.4 and not (near == row).all(1).all()
