"""A grid is counted before it is listed."""

import pytest

from tuning.engines.grid.engine import grid
from tuning.errors import OptionError
from tuning.hyperparameters import Float, Int
from tuning.records.objective import Objective

SCORE = Objective("score", "max")


def floats(n):
    return [Float(f"h{i}", 0.5, low=0.0, high=1.0) for i in range(n)]


@pytest.mark.parametrize("search", ["grid", "halving-grid"])
@pytest.mark.parametrize("n", [16, 200])
def test_a_grid_that_is_too_large_is_refused_with_its_size_and_the_ways_out(search, n):
    with pytest.raises(OptionError) as error:
        grid(floats(n), SCORE, 0, 9, 5, search=search)
    assert f"{3**n:,}" in str(error.value)
    assert all(way in str(error.value) for way in ("search=random", "levels=3", "fix", "grid={"))


def test_a_given_grid_of_a_large_space_is_no_matter():
    engine = grid(floats(16), SCORE, 0, 9, 5, grid={"h0": [0.1, 0.2]})
    assert engine.ask().values["h0"] == 0.1


def test_drawing_from_a_space_that_cannot_be_listed():
    space = [Int(f"i{i}", 0, low=0, high=9) for i in range(15)]
    assert grid(space, SCORE, 0, 9, 5, search="random").ask().number == 0
    try:
        assert grid([Int(f"i{i}", 0, low=0, high=9) for i in range(60)], SCORE, 0, 9, 5, search="random").ask()
    except OptionError as error:
        assert "scikit-learn refuses" in str(error)
