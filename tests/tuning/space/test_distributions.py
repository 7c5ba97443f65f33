"""Any space in Optuna's terms: what is drawn is legal for KerasTuner's own hyperparameters, and comes back the same."""

import math

import keras_tuner
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.simulation import Simulation
from tuning.engines.keras_tuner.space import Translation
from tuning.engines.registry import make_engine, read_options, settle
from tuning.hyperparameters import Boolean, Choice, Condition, Fixed, Float, Int, Number
from tuning.records.definition import Definition
from tuning.records.objective import Objective
from tuning.space import active_values
from tuning.space.distributions import (
    distribution,
    from_parameter,
    from_sampled,
    parameter_names,
    parameters,
    sampled_distribution,
    to_parameter,
    to_sampled,
)

SAMPLINGS = st.sampled_from(["linear", "log", "reverse_log"])
quickly = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@st.composite
def ranges(draw, name="h", conditions=()):
    """Return an int or a float, with or without steps, of any sampling."""
    kind, sampling = draw(st.sampled_from(["int", "float"])), draw(SAMPLINGS)
    if kind == "int":
        low = draw(st.integers(1 if sampling != "linear" else -50, 50))
        high = low + draw(st.integers(0, 300))
        steps = st.integers(2, 5) if sampling != "linear" else st.integers(1, 7)
        step = draw(st.none() | steps) if sampling != "linear" else draw(steps)
    else:
        low = draw(st.floats(1e-3, 1.0) if sampling != "linear" else st.floats(-2.0, 2.0))
        high = low + draw(st.floats(0, 5.0))
        steps = st.sampled_from([0.1, 0.25, 0.3]) if sampling == "linear" else st.sampled_from([1.5, 2.0, 10.0])
        step = draw(st.none() | steps)
    # Steps of a reversed logarithm are counted from the other end, so that `low` need not be one of them.
    default = (high if kind == "int" else float(f"{high:.12g}")) if sampling == "reverse_log" else low
    made = Int if kind == "int" else Float
    return made(name, min(default, high), low, high, step, sampling, conditions=conditions)


@st.composite
def choices(draw, name="h", conditions=()):
    """Return a choice, ordered where it is one of numbers, a boolean, or something fixed."""
    kind = draw(st.sampled_from(["text", "numbers", "unordered", "mixed", "boolean", "fixed"]))
    if kind in ("boolean", "fixed"):
        made, default = (Boolean, False) if kind == "boolean" else (Fixed, 7)
        return made(name, default, conditions=conditions)
    values = {
        "text": st.text("abc", min_size=1, max_size=3),
        "numbers": st.integers(0, 20),
        "unordered": st.integers(0, 20),
        "mixed": st.sampled_from([None, "a", 0.5, 3, True]),
    }[kind]
    listed = tuple(draw(st.lists(values, min_size=1, max_size=4, unique=True)))
    if kind == "mixed" and None not in listed:
        listed = (*listed, None)
    return Choice(name, listed[0], choices=listed, ordered=kind == "numbers", conditions=conditions)


@st.composite
def spaces(draw):
    """Return a space with nested conditions, and with one name under several parents."""
    space = [draw(ranges("first")), Choice("kind", "a", choices=("a", "b", "c"))]
    for index in range(draw(st.integers(0, 3))):
        space.append(draw(ranges(f"flat_{index}") | choices(f"flat_{index}")))
    for value in ("a", "b"):
        if draw(st.booleans()):
            under = (Condition("kind", (value,)),)
            space.append(draw(ranges("shared", under)))
            space.append(Boolean(f"switch_{value}", False, conditions=under))
            nested = (*under, Condition(f"switch_{value}", (True,)))
            space.append(draw(ranges("deep", nested) | choices("deep", nested)))
    return tuple(space)


def engine_of(space, **options):
    definition = Definition(
        "study", "space", None, space, Objective("score", "max"), "optuna", read_options("optuna", options), 0, 9
    )
    return make_engine(settle(definition, {}), 6)


def assert_legal_for_keras_tuner(space, values):
    """Look every value up among those of KerasTuner's own hyperparameter of that name."""
    translation = Translation(space, keras_tuner.engine.hyperparameters)
    theirs, raw = translation.hyperparameters(), translation.to_oracle(values)
    for h in space:
        if h.is_fixed or not h.is_active(values):
            continue
        (own,) = [
            one
            for one in theirs._hps[h.name]
            if all(c.name in raw for c in one.conditions) and conditions_hold(one, raw)
        ]
        if isinstance(h, Number):
            assert own.min_value - 1e-9 <= raw[h.name] <= own.max_value + 1e-9
            listed = None if h.step is None else own.values
        else:
            listed = own.values
        if listed is not None:
            assert any(
                math.isclose(v, raw[h.name], rel_tol=1e-6, abs_tol=1e-9) if isinstance(h, Float) else v == raw[h.name]
                for v in listed
            ), (h, raw[h.name], listed)
        assert 0 <= own.value_to_prob(raw[h.name]) <= 1 if hasattr(own, "value_to_prob") else True


def conditions_hold(own, raw):
    return all(raw[condition.name] in condition.values for condition in own.conditions)


@pytest.mark.slow
@quickly
@given(spaces())
@pytest.mark.parametrize("sampler", ["random", "qmc", "tpe"])
def test_every_proposal_is_legal_for_keras_tuner_and_comes_back(sampler, space):
    for run in Simulation(engine_of(space, sampler=sampler, n_startup_trials=2)).go(6).runs:
        assert run.values == active_values(space, run.values)
        assert all(h.contains(run.values[h.name]) for h in space if h.is_active(run.values))
        assert_legal_for_keras_tuner(space, run.values)
        params, distributions = parameters(space, run.values)
        names = parameter_names(space)
        for h, name in names.items():
            if h.is_active(run.values):
                assert distributions[name]._contains(distributions[name].to_internal_repr(params[name]))
                back = from_parameter(h, params[name])
                assert back == run.values[h.name] and type(back) is type(run.values[h.name])


@pytest.mark.medium
@quickly
@given(ranges() | choices(), st.floats(0, 1))
def test_what_is_sampled_stands_for_a_legal_value_and_back(h, part):
    if h.is_fixed:
        return
    drawn_from = sampled_distribution(h)
    low, high = (0, len(h.values()) - 1) if not hasattr(drawn_from, "low") else (drawn_from.low, drawn_from.high)
    inner = low + part * (high - low)
    if not isinstance(drawn_from.to_external_repr(low), float):
        step = getattr(drawn_from, "step", 1) or 1
        inner = low + step * ((inner - low) // step)
    drawn = drawn_from.to_external_repr(inner)
    value = from_sampled(h, drawn)
    assert h.contains(value), (h, drawn, value)
    again = from_sampled(h, to_sampled(h, value))
    assert again == pytest.approx(value, rel=1e-12) if isinstance(value, float) else again == value
    assert distribution(h)._contains(distribution(h).to_internal_repr(to_parameter(h, value)))


@pytest.mark.parametrize(
    ("h", "values"),
    [
        (Float("m", 0.0, low=0.0, high=0.5, step=0.1), [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]),
        (Int("b", 8, low=8, high=100, step=2, sampling="log"), [8, 16, 32, 64]),
        (Int("r", 8, low=8, high=64, step=2, sampling="reverse_log"), [64, 56, 40, 8]),
        (Float("d", 0.001, low=0.001, high=0.1, step=10, sampling="log"), [0.001, 0.01, 0.1]),
    ],
)
def test_every_step_is_drawn_as_often_as_the_others(h, values):
    drawn_from = sampled_distribution(h)
    assert [from_sampled(h, index) for index in range(drawn_from.low, drawn_from.high + 1)] == values
    assert [to_sampled(h, value) for value in values] == list(range(len(values)))


def test_one_name_under_several_parents_is_several_parameters():
    space = (
        Choice("kind", "a", choices=("a", "b")),
        Int("width", 1, low=1, high=5, conditions=(Condition("kind", ("a",)),)),
        Int("width", 10, low=10, high=50, conditions=(Condition("kind", ("b",)),)),
    )
    assert list(parameter_names(space).values()) == ["kind", "width@kind=a", "width@kind=b"]
    seen = {(r.values["kind"], r.values["width"]) for r in Simulation(engine_of(space, sampler="tpe")).go(6).runs}
    assert {kind for kind, _ in seen} == {"a", "b"}
    assert all(width <= 5 if kind == "a" else width >= 10 for kind, width in seen)
