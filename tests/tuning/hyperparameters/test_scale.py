"""Scales: places and indices, and back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuning.hyperparameters.scale import SCALES, Linear, Log, ReverseLog

quickly = settings(max_examples=100, deadline=None)


@st.composite
def scales(draw, stepped=False):
    """Return any scale, with a step of a sensible size where one is wanted."""
    made = SCALES[draw(st.sampled_from(sorted(SCALES)))]
    low = draw(st.floats(1e-3, 1.0) if made.is_logarithmic else st.floats(-5.0, 5.0))
    high = low + draw(st.floats(0.01, 100.0))
    steps = st.floats(1.2, 10.0) if made.is_logarithmic else st.floats(0.05, 7.0)
    return made(low, high, draw(steps) if stepped else None)


@pytest.mark.medium
@quickly
@given(scales(), st.floats(0, 1), st.floats(0, 1))
def test_places_go_up_with_the_numbers_and_come_back(scale, one, other):
    assert scale.low <= scale.at(one) <= scale.high
    assert scale.place(scale.at(one)) == pytest.approx(one, abs=1e-6)
    assert scale.at(min(one, other)) <= scale.at(max(one, other)) + 1e-12 * abs(scale.high)
    assert scale.at(0) == pytest.approx(scale.low) and scale.at(1) == pytest.approx(scale.high)
    assert 0 <= scale.place(scale.low) <= scale.place(scale.high) <= 1


@pytest.mark.medium
@quickly
@given(scales(stepped=True), st.data())
def test_indices_come_back_and_lie_within_the_bounds(scale, data):
    index = data.draw(st.integers(0, scale.count() - 1))
    value = scale.value_at(index)
    assert scale.low - 1e-6 <= value <= scale.high + 1e-6
    assert scale.allows(value) and scale.index_of(value) == index
    listed = scale.values()
    assert len(listed) == scale.count() and listed == sorted(listed) and value in listed
    assert scale.value_at(0) == pytest.approx(scale.high if scale.is_falling else scale.low)


@quickly
@given(st.floats(1e-3, 1.0), st.floats(0.01, 100.0), st.floats(0, 1))
def test_reverse_log_is_log_in_a_mirror(low, width, place):
    log, reverse = Log(low, low + width, 2.0), ReverseLog(low, low + width, 2.0)
    assert reverse.at(place) == pytest.approx(log.low + log.high - log.at(1 - place))
    assert reverse.place(reverse.mirrored(log.at(place))) == pytest.approx(1 - log.place(log.at(place)), abs=1e-6)
    assert [reverse.mirrored(reverse.value_at(i)) for i in range(reverse.count())] == pytest.approx(log.values())


def test_what_a_step_does_not_allow():
    assert not Linear(0, 1, 0.25).allows(0.3) and Linear(0, 1, 0.25).index_of(0.3) == 1
    assert not Log(1, 100, 10).allows(20) and Log(1, 100, 10).index_of(20) == 1
    assert Linear(0, 1, 0.25).index_of(7) == 4, "the nearest there is"
    with pytest.raises(ValueError, match="no step"):
        Linear(0, 1).count()


def test_one_number_lies_in_the_middle():
    assert Log(2.0, 2.0).place(2.0) == 0.5 and Log(2.0, 2.0).at(0.9) == 2.0
