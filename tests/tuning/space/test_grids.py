"""Spaces as grids and distributions of scikit-learn."""

import math

import numpy as np
import pytest
import scipy.stats
from sklearn.model_selection import ParameterGrid, ParameterSampler

import tuning
from tests.simulation import MIXED_SPACE
from tuning.errors import OptionError, SpaceError
from tuning.hyperparameters import Boolean, Choice, Condition, Float, Int
from tuning.space import active_values
from tuning.space.grids import Drawn, Range, checked_grid, distributions_of, grid_of


@pytest.mark.parametrize(
    "h, levels, expected",
    [
        (Int("n", 1, low=1, high=5, step=1), 3, [1, 3, 5]),
        (Int("n", 1, low=1, high=2, step=1), 3, [1, 2]),
        (Int("n", 16, low=16, high=256, step=16), 3, [16, 144, 256]),
        (Int("n", 16, low=16, high=250, step=16), 2, [16, 240]),
        (Int("n", 8, low=8, high=128, sampling="log"), 3, [8, 32, 128]),
        (Int("n", 8, low=8, high=128, step=2, sampling="log"), 9, [8, 16, 32, 64, 128]),
        (Int("n", 1, low=1, high=5_000, step=1), 3, [1, 2500, 5000]),
        (Float("r", 0.0, low=0.0, high=1.0), 5, [0.0, 0.25, 0.5, 0.75, 1.0]),
        (Float("r", 1e-3, low=1e-4, high=1e-2, sampling="log"), 3, [1e-4, 1e-3, 1e-2]),
        (Float("r", 0.9, low=0.9, high=0.99, sampling="reverse_log"), 2, [0.9, 0.99]),
        (Float("r", 0.0, low=0.0, high=0.5, step=0.1), 3, [0.0, 0.2, 0.5]),
        (Float("r", 0.3, low=0.0, high=1.0), 1, [0.3]),
        (Choice("c", "a", choices=("a", None, 3)), 1, ["a", None, 3]),
        (Boolean("b", True), 1, [False, True]),
    ],
)
def test_levels(h, levels, expected):
    values = h.levels(levels)
    assert values == pytest.approx(expected) if isinstance(h, Float) else values == expected
    assert all(h.contains(value) and type(value) in (int, float, str, bool, type(None)) for value in values)


def test_reverse_log_is_dense_at_the_top():
    values = Float("r", 0.9, low=0.9, high=0.99, sampling="reverse_log").levels(3)
    assert values[1] == pytest.approx(1.89 - math.sqrt(0.9 * 0.99)) and values == sorted(values)


def test_conditions_make_a_list_of_grids_in_which_everything_applies():
    grids = grid_of(MIXED_SPACE, 2)
    assert len(grids) == 4, "optimizer x clip"
    seen = set()
    for candidate in ParameterGrid(grids):
        assert active_values(MIXED_SPACE, candidate) == {**candidate, "version": 3}
        assert tuple(sorted(candidate.items(), key=str)) not in seen
        seen.add(tuple(sorted(candidate.items(), key=str)))
    assert {"nesterov"} == set(grids[0]) - set(grids[-1]) - {"version"}


def test_conditions_within_conditions():
    space = (
        Choice("a", "x", choices=("x", "y")),
        Boolean("b", False, conditions=(Condition("a", ("x",)),)),
        Int("c", 1, low=1, high=3, step=1, conditions=(Condition("a", ("x",)), Condition("b", (True,)))),
    )
    assert grid_of(space) == [
        {"a": ["x"], "b": [False]},
        {"a": ["x"], "b": [True], "c": [1, 2, 3]},
        {"a": ["y"]},
    ]


def test_a_condition_on_a_range_that_cannot_be_listed_is_refused():
    space = (
        Float("rate", 0.1, low=0.1, high=1.0),
        Boolean("b", False, conditions=(Condition("rate", (0.1,)),)),
    )
    with pytest.raises(SpaceError, match="`rate` must have at most 1000 values"):
        distributions_of(space)


@pytest.mark.medium
def test_distributions_are_legal_and_keep_their_scale():
    distributions = distributions_of(MIXED_SPACE)
    drawn = list(ParameterSampler(distributions, 400, random_state=0))
    for candidate in drawn:
        values = active_values(MIXED_SPACE, candidate)
        assert values == {**candidate, "version": 3}
        assert all(h.contains(values[h.name]) for h in MIXED_SPACE if h.is_active(values))
    rates = np.log10([candidate["learning_rate"] for candidate in drawn])
    assert abs(np.median(rates) - -2.5) < 0.25, "as many below 10^-2.5 as above"
    assert drawn == list(ParameterSampler(distributions, 400, random_state=0))


@pytest.mark.parametrize("sampling", ["log", "reverse_log"])
def test_a_range_draws_whole_numbers_within_its_bounds(sampling):
    drawn = Range(Int("n", 1, 1, 10_000, sampling=sampling)).rvs(2_000, random_state=1)
    assert drawn.dtype.kind == "i" and drawn.min() >= 1 and drawn.max() <= 10_000
    middle = 100 if sampling == "log" else 9_901
    assert 0.45 < (drawn < middle).mean() < 0.55
    assert isinstance(Range(Float("x", 0.5, 0.5, 1.0)).rvs(random_state=0), float)


def test_numbers_of_a_given_distribution_are_plain():
    for distribution in (scipy.stats.randint(2, 5), scipy.stats.binom(3, 0.5, loc=1)):
        drawn = [Drawn(Int("n", 2, 1, 10), distribution).rvs(random_state=seed) for seed in range(9)]
        assert {type(number) for number in drawn} == {int} and set(drawn) <= {1, 2, 3, 4}
    stepped = Drawn(Int("n", 16, 16, 64, step=16), scipy.stats.randint(16, 65))
    assert {stepped.rvs(random_state=seed) for seed in range(40)} == {16, 32, 48, 64}


def test_large_whole_ranges_are_drawn_from():
    drawn = distributions_of([Int("n", 1, low=1, high=5_000, step=1)])["n"].rvs(500, random_state=0)
    assert drawn.min() >= 1 and drawn.max() <= 5_000 and len(set(drawn)) > 400


def test_a_given_grid_is_read_and_all_that_is_wrong_is_named():
    assert checked_grid({"learning_rate": [0.001, 0.1], "bias": [True]}, MIXED_SPACE) == [
        {"learning_rate": [0.001, 0.1], "bias": [True]}
    ]
    whole = checked_grid([{"momentum": [0]}, {"units": [16]}], MIXED_SPACE)
    assert repr(whole) == "[{'momentum': [0.0]}, {'units': [16]}]"
    with pytest.raises(OptionError) as caught:
        checked_grid({"units": [17, 32], "optimiser": ["sgd"], "bias": ["yes"]}, MIXED_SPACE)
    for text in ("`units in grid` must be 16 .. 256 by 16, but got 17", "but got 'optimiser'", "but got 'yes'"):
        assert text in str(caught.value)


@pytest.mark.medium
def test_a_space_by_name_and_a_function():
    grid = tuning.param_grid("diabetes", levels=2)
    assert grid == {
        "n_hidden": [1, 5], "n_neurons": [10, 100], "learning_rate": pytest.approx([1e-4, 1e-2]),
        "optimizer": ["sgd", "adam"], "loss": ["mse", "huber"],
    }  # fmt: skip
    assert "batch_size" in tuning.param_grid("digits"), "what fit asks for"

    def build(hp):
        with hp.conditional_scope(hp.Choice("kind", ["a", "b"]) and "kind", "b"):
            hp.Float("rate", 1e-3, 1e-1, sampling="log")

    assert tuning.param_grid(build) == [{"kind": ["a"]}, {"kind": ["b"], "rate": pytest.approx([1e-3, 1e-2, 1e-1])}]
    assert tuning.param_distributions(build)[1]["rate"].support() == (1e-3, 1e-1)
