"""Places in [0, 1]: every legal value has one, and every place stands for a legal value."""

import math

import pytest

from tests.simulation import MIXED_SPACE
from tuning.hyperparameters import Choice, Float, Int

RANGES = [
    Int("n", 3, low=1, high=9, step=1),
    Int("n", 3, low=1, high=9, sampling="log"),
    Int("n", 3, low=1, high=9, sampling="reverse_log"),
    Float("x", 0.9, low=0.9, high=0.999, sampling="reverse_log"),
    Float("x", 0.1, low=0.001, high=1.0, step=10.0, sampling="log"),
    Float("x", 2.0, low=2.0, high=2.0),
    Choice("c", 0, choices=(0, 0.5, False, "0")),
]


@pytest.mark.parametrize("h", [*MIXED_SPACE, *RANGES], ids=str)
def test_every_place_is_a_legal_value_and_every_value_has_its_place(h):
    for i in range(101):
        value = h.from_unit(i / 100)
        assert h.contains(value)
        again = h.from_unit(h.to_unit(value))
        assert again == pytest.approx(value) if isinstance(value, float) else again == value
    if h.count() < math.inf:
        assert len({repr(h.from_unit(i / 999)) for i in range(1000)}) == h.count() or h.kind == "int"


def test_the_scale_is_the_hyperparameters_own():
    rate = Float("x", 1e-2, low=1e-4, high=1e-2, sampling="log")
    assert rate.from_unit(0.5) == pytest.approx(1e-3) and rate.to_unit(1e-4) == 0 and rate.to_unit(1e-2) == 1
    mirrored = Float("x", 1e-2, low=1e-4, high=1e-2, sampling="reverse_log")
    assert mirrored.from_unit(0.5) == pytest.approx(1e-2 + 1e-4 - 1e-3)
    assert mirrored.to_unit(1e-4) == 0 and mirrored.to_unit(1e-2) == 1


def test_counted_values_are_equally_wide():
    n = Int("n", 1, low=1, high=4, step=1)
    assert [n.from_unit(u) for u in (0, 0.24, 0.26, 0.49, 0.51, 0.74, 0.76, 1)] == [1, 1, 2, 2, 3, 3, 4, 4]
    assert [n.to_unit(v) for v in (1, 2, 3, 4)] == [0.125, 0.375, 0.625, 0.875]
