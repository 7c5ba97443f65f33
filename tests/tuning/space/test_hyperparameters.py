"""`hp`: what a program asks for, scopes, and values that apply."""

import numpy as np
import pytest

from tests.simulation import OBJECTIVE, Simulation
from tuning.engines.registry import make_engine, read_options, settle
from tuning.errors import SpaceError
from tuning.hyperparameters import Boolean, Choice, Condition, Fixed, Float, Int
from tuning.records.definition import Definition
from tuning.space import HyperParameters, active_values


def test_the_five_kinds_with_their_defaults():
    hp = HyperParameters()
    asked = [
        hp.Int("n", 1, 5),
        hp.Int("m", 8, 64, step=2, sampling="log", default=16),
        hp.Float("x", 0, 1),
        hp.Float("rate", 1e-3, 1e-1, sampling="LOG"),
        hp.Choice("c", ["a", "b"]),
        hp.Choice("none", ["a", None]),
        hp.Choice("size", [2, 4], default=4),
        hp.Boolean("b"),
        hp.Fixed("f", np.float32(0.5)),
    ]
    assert asked == [1, 16, 0.0, 1e-3, "a", None, 4, False, 0.5]
    assert hp.space == [
        Int("n", 1, 1, 5, step=1),
        Int("m", 16, 8, 64, step=2, sampling="log"),
        Float("x", 0.0, 0.0, 1.0),
        Float("rate", 1e-3, 1e-3, 1e-1, sampling="log"),
        Choice("c", "a", choices=("a", "b")),
        Choice("none", None, choices=("a", None)),
        Choice("size", 4, choices=(2, 4), ordered=True),
        Boolean("b", False),
        Fixed("f", 0.5),
    ]
    assert hp.used == hp.values and list(hp.used) == [h.name for h in hp.space]


def test_given_values_come_before_defaults():
    hp = HyperParameters({"n": 3, "other": 7})
    assert hp.Int("n", 1, 5) == 3 and hp.Int("m", 2, 5) == 2
    assert hp.used == {"n": 3, "m": 2} and "other" in hp and "n" in hp and "x" not in hp


def test_numbers_that_are_not_whole_and_orders_that_are_none_are_refused():
    hp = HyperParameters()
    with pytest.raises(SpaceError, match=r"`max_value` of hp.Int\('n'\) must be a whole number, but got 5.5"):
        hp.Int("n", 1, 5.5)
    with pytest.raises(SpaceError, match=r"`ordered` of hp.Choice\('c'\) must be False"):
        hp.Choice("c", ["a", 1], ordered=True)


def test_a_name_scope_goes_before_the_names_inside():
    hp = HyperParameters()
    for layer in range(2):
        with hp.name_scope(f"layer_{layer}"):
            hp.Int("units", 1, 5)
            with hp.name_scope("adam"):
                hp.Float("beta", 0.5, 1)
            assert hp.get("units") == 1 and hp["adam/beta"] == 0.5 and "units" in hp
    assert [h.name for h in hp.space] == [
        "layer_0/units", "layer_0/adam/beta", "layer_1/units", "layer_1/adam/beta",
    ]  # fmt: skip
    with pytest.raises(KeyError, match="units does not exist"):
        hp.get("units")


def test_parents_are_looked_for_in_the_name_scope():
    hp = HyperParameters()
    with hp.name_scope("head"):
        hp.Choice("kind", ["a", "b"])
        with hp.conditional_scope("kind", "a"):
            hp.Boolean("bias")
    assert hp.space[1] == Boolean("head/bias", False, conditions=(Condition("head/kind", ("a",)),))
    with pytest.raises(SpaceError, match="`parent_name` of hp.conditional_scope .* but got 'kind'"):
        hp.Boolean("bias", parent_name="kind", parent_values="a")


def test_what_does_not_apply_is_registered_and_none():
    hp = HyperParameters({"kind": "b"})
    hp.Choice("kind", ["a", "b", "c"])
    with hp.conditional_scope("kind", ["a"]):
        assert hp.Int("n", 1, 5) is None
    assert hp.Int("n", 10, 50, parent_name="kind", parent_values=["b", "c"]) == 10
    assert hp.values == {"kind": "b", "n": 10} and hp.used == hp.values
    assert [hp.is_active(h) for h in hp.space] == [True, False, True] and hp.is_active("n")
    assert hp.inactive_scopes == [(Condition("kind", ("a",)),)]
    hp.Float("x", 0, 1, parent_name="kind", parent_values="c")
    with pytest.raises(ValueError, match="x is currently inactive"):
        hp.get("x")


def test_a_scope_inside_another_on_the_same_parent():
    hp = HyperParameters({"kind": "b"})
    hp.Choice("kind", ["a", "b", "c"])
    with hp.conditional_scope("kind", ["a", "b"]):
        with hp.conditional_scope("kind", ["b", "c"]):
            assert hp.Int("both", 1, 5) == 1
        with hp.conditional_scope("kind", ["a", "c"]):
            assert hp.Int("other", 1, 5) is None
        with hp.conditional_scope("kind", "c"):
            assert hp.Int("never", 1, 5) is None
    assert [h.conditions for h in hp.space[1:]] == [(Condition("kind", v),) for v in (("b",), ("a",), ())]
    assert hp.inactive_scopes == [(Condition("kind", ("a",)),)], "one that can hold"


def test_asked_for_again_it_is_the_same():
    hp = HyperParameters()
    for _ in range(3):
        assert hp.Int("n", 1, 5) == 1
    assert hp.Int("n", 1, 5, default=3) == 1, "as in KerasTuner the first default counts"
    assert len(hp.space) == 1


@pytest.mark.parametrize(
    ("again", "got"),
    [
        (lambda hp: hp.Int("n", 1, 9), r"`hp.Int\('n'\)` must have the same values .* but got 1 .. 9;"),
        (lambda hp: hp.Int("n", 1, 5, sampling="log"), r"but got 1 .. 5 \(log\)"),
        (lambda hp: hp.Float("n", 1, 5), r"`hp.Float\('n'\)` must"),
        (lambda hp: hp.Choice("n", [1, 2, 3, 4, 5]), "but got one of 1, 2, 3, 4, 5"),
        (lambda hp: hp.Fixed("n", 2), "but got 2"),
    ],
)
def test_one_name_with_other_values_is_refused(again, got):
    hp = HyperParameters()
    hp.Int("n", 1, 5)
    with pytest.raises(SpaceError, match=got) as caught:
        again(hp)
    assert "hp.Int('n') before had 1 .. 5. Use another name, or hp.name_scope." in str(caught.value)


def test_one_name_with_other_values_under_other_conditions_is_not():
    hp = HyperParameters({"kind": "b"})
    for kind, high in (("a", 5), ("b", 9)):
        with hp.conditional_scope(hp.Choice("kind", ["a", "b"]) and "kind", kind):
            hp.Int("n", 1, high)
    assert [h.bounds for h in hp.space[1:]] == [(1, 5), (1, 9)] and hp.values["n"] == 1


def test_a_copy_is_independent():
    hp = HyperParameters()
    hp.Int("n", 1, 5)
    twin = hp.copy()
    twin.Boolean("b")
    assert hp.used == {"n": 1} and twin.used == {"n": 1, "b": False}


def test_values_that_apply():
    hp = HyperParameters()
    program(hp)
    assert active_values(hp.space, {"kind": "c", "deep": 3, "rate": 0.6}) == {
        "kind": "c", "rate": 0.6, "mixed": None, "n": 1, "late": 1,
    }  # fmt: skip


def program(hp):
    """Ask for what KerasTuner's own objects cannot hold."""
    hp.Choice("kind", ["a", "b", "c"])
    hp.Choice("rate", [0, 0.3, 0.6])
    hp.Choice("mixed", [True, "auto", None])
    hp.Int("n", 1, 3)
    with hp.conditional_scope("kind", ["a", "b"]):
        with hp.conditional_scope("kind", ["b", "c"]):
            hp.Int("deep", 1, 3)
        with hp.conditional_scope("kind", "c"):
            hp.Int("never", 1, 3)
        with hp.conditional_scope("rate", [0, 0.6]):  # a parent outside of the scope around
            hp.Boolean("beside")
    with hp.conditional_scope("mixed", [True, None]):
        hp.Int("late", 1, 3)
    with hp.conditional_scope("never", [1, 2]):  # of a parent that never applies
        hp.Int("nor_this", 1, 3)


@pytest.mark.medium
@pytest.mark.parametrize("engine", ["random", "hyperband", "bayesian", "optuna"])
def test_every_engine_searches_scopes_in_scopes_and_choices_of_mixed_types(engine):
    hp = HyperParameters()
    program(hp)
    definition = Definition(
        "study", "space", None, tuple(hp.space), OBJECTIVE, engine, read_options(engine, {}), 0, 9
    )  # fmt: skip
    runs = Simulation(make_engine(settle(definition, {}), 25)).go(25).runs
    assert len(runs) > 20
    seen = {h.name: {repr(run.values[h.name]) for run in runs if h.name in run.values} for h in hp.space}
    for run in runs:
        assert run.values == active_values(hp.space, run.values)
        assert all(h.contains(run.values[h.name]) for h in hp.space if h.is_active(run.values))
        assert ("deep" in run.values) == (run.values["kind"] == "b")
        assert ("beside" in run.values) == (run.values["kind"] in "ab" and run.values["rate"] in (0, 0.6))
        assert ("late" in run.values) == (run.values["mixed"] != "auto")
    assert seen["rate"] == {"0", "0.3", "0.6"} and seen["mixed"] == {"True", "'auto'", "None"}
    assert len(seen["deep"]) > 1 and len(seen["late"]) == 3 and not seen["never"] and not seen["nor_this"]
