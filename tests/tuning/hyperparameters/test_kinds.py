"""What every kind of hyperparameter answers: legal values, places, indices, words and JSON."""

import json
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.simulation import MIXED_SPACE
from tuning.errors import SpaceError
from tuning.hyperparameters import KINDS, Boolean, Choice, Condition, Fixed, Float, Hyperparameter, Int, Number

quickly = settings(max_examples=60, deadline=None)
EXAMPLES = [
    *MIXED_SPACE,
    Int("n", 3, 1, 9),
    Int("n", 3, 1, 9, sampling="log"),
    Int("n", 3, 1, 9, sampling="reverse_log"),
    Int("n", 1, 1, 50_000, step=1),
    Float("x", 0.9, 0.9, 0.999, sampling="reverse_log"),
    Float("x", 0.1, 0.001, 1.0, step=10.0, sampling="log"),
    Float("x", 1.0, 0.1, 1.0, step=3.0, sampling="reverse_log"),
    Float("x", 2.0, 2.0, 2.0),
    Choice("c", 0, choices=(0, 0.5, False, "0")),
]
every = pytest.mark.parametrize("h", EXAMPLES, ids=lambda h: f"{h.kind} {h.describe()}")


@pytest.mark.medium
@every
@quickly
@given(unit=st.floats(0, 1), seed=st.integers(0, 1000))
def test_places_and_draws_are_legal_values_and_come_back(h, unit, seed):
    value = h.from_unit(unit)
    assert h.contains(value) and h.contains(h.drawn(random.Random(seed)))
    assert 0 <= h.to_unit(value) <= 1
    again = h.from_unit(h.to_unit(value))
    assert type(again) is type(value)
    assert again == (pytest.approx(value) if isinstance(value, float) else value)
    if h.is_ordered:
        assert h.to_unit(h.from_unit(unit / 2)) <= h.to_unit(value)


@every
def test_indices_values_and_count_agree(h):
    if h.count() == math.inf:
        assert h.values() is None
        return
    last = int(h.count()) - 1
    for index in {0, last // 2, last}:
        assert h.contains(h.value_at(index)) and h.index_of(h.value_at(index)) == index
    listed = h.values()
    if listed is None:
        assert h.count() > 1000
        return
    assert len(listed) == h.count() and all(h.contains(value) for value in listed)
    assert {repr(h.from_unit((i + 0.5) / 5000)) for i in range(5000)} >= {repr(h.value_at(i)) for i in range(last + 1)}


@every
@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_levels_are_legal_and_no_more_than_asked_for_of_a_range(h, n):
    levels = h.levels(n)
    assert levels and all(h.contains(value) for value in levels)
    assert len(levels) <= n if isinstance(h, Number) else levels == list(h.values())
    if isinstance(h, Number) and 1 < n < h.count():
        assert levels[0] == pytest.approx(h.from_unit(0)) and levels == sorted(levels)


@every
def test_json_and_back(h):
    text = json.dumps(h.to_json())
    assert Hyperparameter.from_json(json.loads(text)) == h
    assert hash(Hyperparameter.from_json(json.loads(text))) == hash(h)


def test_the_json_form_is_what_stored_studies_hold():
    under = (Condition("optimizer", ("sgd", "adam")),)
    for h, text in [
        (Int("n", 2, 1, 9, step=1), '{"name": "n", "kind": "int", "default": 2, "low": 1, "high": 9, "step": 1}'),
        (
            Float("x", 0.1, 0.1, 1.0, sampling="log", conditions=under),
            '{"name": "x", "kind": "float", "default": 0.1, "low": 0.1, "high": 1.0, "sampling": "log", '
            '"conditions": [{"name": "optimizer", "values": ["sgd", "adam"]}]}',
        ),
        (
            Choice("c", None, choices=(None, 2), ordered=True),
            '{"name": "c", "kind": "choice", "default": null, "choices": [null, 2], "ordered": true}',
        ),
        (Boolean("b", False), '{"name": "b", "kind": "boolean", "default": false}'),
        (Fixed("f", "a"), '{"name": "f", "kind": "fixed", "default": "a"}'),
    ]:
        assert json.dumps(h.to_json()) == text
    earlier = {"name": "x", "kind": "fixed", "default": 0.1, "sampling": "log"}  # what was fixed kept its scale once
    assert Hyperparameter.from_json(earlier) == Fixed("x", 0.1)
    with pytest.raises(SpaceError, match="`kind of 'x'` must be one of int, float, choice, boolean, fixed"):
        Hyperparameter.from_json({"name": "x", "kind": "complex", "default": 1j})


def test_every_kind_has_its_word():
    assert list(KINDS) == ["int", "float", "choice", "boolean", "fixed"]
    assert {type(h) for h in EXAMPLES} == set(KINDS.values())


@pytest.mark.parametrize(
    ("h", "legal", "not_legal"),
    [
        (Int("n", 16, 16, 64, step=16), [16, 48, 64], [17, 80, 0, 16.0, True, "16", None]),
        (Int("n", 8, 8, 64, step=2, sampling="log"), [8, 9, 64], [7, 65]),
        (Float("x", 0.5, 0.0, 0.5), [0.0, 0, 0.3], [-0.1, 0.6, True, "0.1", None, math.nan]),
        (Float("x", 0.0, 0.0, 0.5, step=0.1), [0.1, 0.3, 0.1 + 0.2], [0.15]),
        (Float("x", 1e-3, 1e-3, 1.0, step=10.0, sampling="log"), [1e-2, 1.0], [0.5]),
        (Choice("c", 0, choices=(0, 0.5, "a", None)), [0, 0.5, "a", None], [False, 0.0, "0", 1]),
        (Boolean("b", False), [True, False], [0, 1, None]),
        (Fixed("f", 3), [3], [4, "3"]),
    ],
)
def test_legal_values(h, legal, not_legal):
    assert [value for value in [*legal, *not_legal] if h.contains(value)] == legal


@pytest.mark.parametrize(
    ("h", "text"),
    [
        (Int("n", 16, 16, 64, step=16), "16 .. 64 by 16"),
        (Int("n", 1, 1, 64, step=1), "1 .. 64"),
        (Int("n", 8, 8, 64, step=2, sampling="log"), "8 .. 64 times 2 (log)"),
        (Float("x", 1e-4, 1e-4, 0.01, sampling="reverse_log"), "0.0001 .. 0.01 (reverse_log)"),
        (Choice("c", 0, choices=(0, "a")), "one of 0, 'a'"),
        (Boolean("b", False), "True or False"),
        (Fixed("f", "a"), "'a'"),
    ],
)
def test_words(h, text):
    assert h.describe() == text


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Int("n", 3, 3, 1), r"`hp.Int\('n'\)` must have min_value <= max_value, but got \(3, 1\)"),
        (lambda: Float("x", 0.0, 0.0, 1.0, sampling="log"), "must have min_value > 0 for sampling='log', but got 0.0"),
        (lambda: Float("x", 0.0, 0.0, 1.0, sampling="cubic"), "sampling of linear, log, reverse_log, but got 'cubic'"),
        (lambda: Float("x", 0.0, 0.0, 1.0, step=0.0), "must have step > 0 for sampling='linear', but got 0.0"),
        (lambda: Int("n", 2, 2, 8, step=1, sampling="log"), "must have step > 1 for sampling='log', but got 1"),
        (lambda: Choice("c", None, choices=()), r"`hp.Choice\('c'\)` must have at least one value"),
        (lambda: Int("n", 9, 1, 3), "`default of 'n'` must be 1 .. 3, but got 9"),
        (lambda: Choice("c", 1.0, choices=(1, 2)), "`default of 'c'` must be one of 1, 2, but got 1.0"),
    ],
)
def test_what_is_no_hyperparameter_is_refused(make, text):
    with pytest.raises(SpaceError, match=text):
        make()


def test_fixed_at_a_value():
    under = (Condition("a", (1,)),)
    assert Float("x", 0.5, 0.0, 1.0, conditions=under).fixed_at(1) == Fixed("x", 1.0, conditions=under)
    assert type(Float("x", 0.5, 0.0, 1.0).fixed_at(1).default) is float
    with pytest.raises(SpaceError, match="`n` must be 1 .. 3, but got 4"):
        Int("n", 1, 1, 3).fixed_at(4)


def test_evenly_drawn_places_are_evenly_drawn_values():
    n = Int("n", 1, 1, 4, step=1)
    assert [n.from_unit(u) for u in (0, 0.24, 0.26, 0.49, 0.51, 0.74, 0.76, 1)] == [1, 1, 2, 2, 3, 3, 4, 4]
    assert [n.to_unit(v) for v in (1, 2, 3, 4)] == [0.125, 0.375, 0.625, 0.875]
    assert [Int("n", 1, 1, 4).to_unit(v) for v in (1, 4)] == [0.125, 0.875]
    rate = Float("x", 1e-2, 1e-4, 1e-2, sampling="log")
    assert rate.from_unit(0.5) == pytest.approx(1e-3) and rate.to_unit(1e-4) == 0 and rate.to_unit(1e-2) == 1
    stepped = Float("x", 1.0, 0.1, 1.0, step=3.0, sampling="reverse_log")
    assert stepped.from_unit(1) == 1.0 and stepped.value_at(0) == 1.0, "places go up where indices go down"
