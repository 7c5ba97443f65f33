"""Conditions, and what tells hyperparameters apart."""

import pytest

from tuning.errors import SpaceError
from tuning.hyperparameters import Boolean, Choice, Condition, Fixed, Float, Int, intersected, unknown


def test_conditions_on_one_parent_are_intersected():
    wide, narrow, other = Condition("a", (1, 2, 3)), Condition("a", (3, 2, 4)), Condition("b", ("x",))
    assert intersected([wide, other, narrow]) == (Condition("a", (2, 3)), other)
    nested, flat = (Boolean("h", False, conditions=c) for c in ((wide, narrow), (Condition("a", (2, 3)),)))
    assert nested.key == flat.key and nested == flat
    assert nested.is_active({"a": 2}) and not nested.is_active({"a": 1})
    assert not nested.is_active({}), "whose parent has no value does not apply"


def test_a_condition_without_values_never_holds():
    never = Boolean("h", False, conditions=(Condition("a", (1,)), Condition("a", (2,))))
    assert not never.is_active({"a": 1}) and not never.is_active({"a": 2})
    assert never.conditions[0].describe() == "a is nothing"
    assert Condition("a", (1, "x")).describe() == "a is 1 or 'x'"


def test_unknown_ones_by_name_and_conditions():
    under = (Condition("a", (1,)),)
    known = [Int("n", 1, 1, 3)]
    found = [Int("n", 2, 1, 9), Int("n", 1, 1, 3, conditions=under), Boolean("b", True), Boolean("b", False)]
    assert unknown(known, found) == [found[1], found[2]]


def test_the_same_values_with_another_default():
    n = Int("n", 1, 1, 9)
    assert n.has_values_of(Int("m", 5, 1, 9, conditions=(Condition("a", (1,)),)))
    assert not n.has_values_of(Int("n", 1, 1, 8)) and not n.has_values_of(Float("n", 1.0, 1, 9))
    assert not n.has_values_of(Int("n", 1, 1, 9, sampling="log"))
    assert not Choice("c", 1, choices=(1, 2)).has_values_of(Choice("c", 1, choices=(1, 2, 3)))
    assert Fixed("f", 1).has_values_of(Fixed("f", 1)) and not Fixed("f", 1).has_values_of(Fixed("f", 2))


@pytest.mark.parametrize(
    "make", [lambda t: Boolean(t, True), lambda t: Fixed("f", t), lambda t: Choice("c", "x", ("x", t))]
)
def test_text_that_nothing_can_write_is_refused(make):
    with pytest.raises(SpaceError, match="be text that UTF-8 can hold"):
        make("\ud800")


def test_names_that_kerastuner_has_for_itself_are_refused():
    with pytest.raises(SpaceError, match="must not begin with tuner/"):
        Int("tuner/epochs", 1, low=1, high=3)
