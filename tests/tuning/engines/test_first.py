"""Configurations that are tried first, with every engine."""

import json
from dataclasses import replace

import pytest

import tuning
from tests.conftest import SPACES
from tests.layers import few
from tests.simulation import MIXED_SPACE, Simulation, proposals
from tuning.engines.first import completed
from tuning.engines.registry import ENGINES, make_engine, read_options, settle
from tuning.errors import OptionError, SpaceError, StudyError
from tuning.records.definition import Definition
from tuning.records.objective import Objective
from tuning.space import active_values

CURVE = str(SPACES / "curve.py")
GIVEN = [{"a": 0.31, "k": "y"}, {"b": 7}]
OPTIONS = {"bayesian": {"num_initial_points": 3}, "optuna": {"n_startup_trials": 4}}
BEGINNING = [name for name in ENGINES if name in ("random", "hyperband", "bayesian", "optuna")]


@pytest.fixture
def search(tmp_path):
    def call(**arguments):
        return tuning.search(CURVE, **{"epochs": 9, "seed": 0, "logs": tmp_path, **arguments})

    return call


def told(study):
    return [(t.values, t.score, t.epochs) for t in study.trials]


@pytest.mark.parametrize(("sampler", "thinks"), [("tpe", True), (None, False)])
def test_an_engine_that_thinks_long_does_so_behind_them(sampler, thinks):
    name, options = ("optuna", {"sampler": sampler}) if sampler else ("random", {})
    given = read_options(name, options)
    definition = Definition("s", "space", None, tuple(MIXED_SPACE), Objective("loss", "min"), name, given, 0, 9)
    tries = ({h.name: h.default for h in MIXED_SPACE},)
    assert make_engine(settle(definition, {}), 14).thinks_long is thinks
    assert make_engine(settle(replace(definition, tries=tries), {}), 14).thinks_long is thinks


@pytest.mark.medium
@pytest.mark.parametrize("engine", few(BEGINNING))
def test_they_come_first_and_a_search_that_is_cut_goes_on_as_if_it_were_not(search, engine):
    given, total = {"engine": engine, "options": OPTIONS.get(engine)}, 4 if engine == "bayesian" else 8
    straight = search(**given, trials=total, tries=GIVEN, study="straight")
    assert straight.trials[0].values == {"a": 0.31, "b": 1, "k": "y", "c": 1e-3}
    assert straight.trials[1].values == {"a": 0.0, "b": 7, "k": "x", "c": 1e-3}
    if engine != "optuna":  # whose pruner stops them as it stops others
        assert all(trial.epochs == 9 for trial in straight.trials[:2]), "with the whole budget"
    values = [repr(trial.values) for trial in straight.trials]
    assert len(set(values)) == len(values) == total
    search(**given, trials=1, tries=GIVEN, study="parts")
    search(**given, trials=3, study="parts")  # what is tried first is taken from the study
    parts = search(**given, trials=total, study="parts")
    assert told(parts) == told(straight)
    with pytest.raises(StudyError, match="tries are"):
        search(**given, trials=9, tries=GIVEN[:1], study="parts")


def engine_of(name, tries, limit=14, **options):
    definition = Definition(
        "study",
        "space",
        None,
        MIXED_SPACE,
        Objective("score", "max"),
        name,
        read_options(name, options),
        0,
        9,
        tries=completed(MIXED_SPACE, tries),
    )
    return make_engine(settle(definition, {}), limit)


TRIES = [{"optimizer": "adam", "beta": 0.85, "clip": 1.0}, {"units": 256, "momentum": 0.3, "nesterov": True}]


@pytest.mark.parametrize("engine", BEGINNING)
def test_values_of_every_kind_in_any_order_of_ends(engine):
    limit = None if engine == "hyperband" else 9
    simulation = Simulation(engine_of(engine, TRIES, limit))
    first, second = simulation.ask(), simulation.ask()
    assert [first.values, second.values] == [active_values(MIXED_SPACE, values) for values in TRIES]
    assert [first.number, second.number] == [0, 1]
    simulation.train(second)
    twin = simulation.resumed_on(engine_of(engine, TRIES, limit))
    for one in (simulation, twin):
        one.train(first)
        one.go(500 if limit is None else 3)
    assert proposals(simulation.runs) == proposals(twin.runs)
    if limit is None:  # Hyperband goes through all its brackets, besides
        assert len(simulation.trials) == 2 + len(Simulation(engine_of(engine, [], None)).go(500).trials)
        assert simulation.done.reason == ""


@pytest.mark.medium
def test_the_engine_learns_from_them():
    plain = Simulation(engine_of("bayesian", [], num_initial_points=3)).go(3)
    tries = [dict(run.values) for run in plain.runs]
    given = Simulation(engine_of("bayesian", tries, num_initial_points=3)).go(4)
    assert len(given.trials) == 4
    assert given.engine._engine._oracle.draws > 0, "the Gaussian process has proposed the first trial of its own"


def test_the_limit_counts_them():
    simulation = Simulation(engine_of("random", [{"units": 16 * i} for i in range(1, 6)], limit=3)).go(10)
    assert len(simulation.trials) == 3 and simulation.done is not None


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"unitz": 64}, "`try` must name hyperparameters of the space, but got 'unitz'. Did you mean 'units'?"),
        ({"units": 65}, "`units` must be 16 .. 256 by 16, but got 65"),
        ({"optimizer": "rmsprop"}, "`optimizer` must be one of 'sgd', 'adam', but got 'rmsprop'"),
        ({"beta": 0.9}, "`beta` applies only where optimizer is 'adam'"),
        ({"version": 4}, "`version` must be 3, but got 4"),
    ],
)
def test_what_is_not_legal_is_named(values, says):
    with pytest.raises(SpaceError) as error:
        completed(MIXED_SPACE, [values, {"units": 16}])
    assert says in str(error.value)


def test_whole_numbers_are_floats_too_and_equal_ones_are_tried_once():
    (one,) = completed(MIXED_SPACE, [{"momentum": 0}, {}, {"units": 64}])
    assert one == active_values(MIXED_SPACE, {}) and isinstance(one["momentum"], float)


def test_nothing_is_written_when_they_do_not_fit(search, tmp_path):
    with pytest.raises(SpaceError, match="2 things do not fit"):
        search(engine="random", tries=[{"a": 2.0}, {"z": 1}])
    with pytest.raises(OptionError, match="`tries` must be a list of configurations"):
        search(engine="random", tries={"a": 0.5})
    assert not list(tmp_path.iterdir())


def test_an_engine_that_cannot_begin_with_them_refuses_before_anything_is_written(search, tmp_path):
    with pytest.raises(OptionError, match="that can begin with given configurations, but got 'grid'"):
        search(engine="grid", cv=2, x=[1.0, 2.0, 3.0, 4.0], tries=GIVEN)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_from_the_command_line(tune_here):
    arguments = ("run", CURVE, "--engine", "random", "--trials", 3, "--epochs", 2, "--seed", 1, "--workers", 1)
    done = tune_here(*arguments, "--try", "a=0.25,k=z", "--try", "b=9", "--json")
    trials = json.loads(done.stdout)["trials"]
    assert (trials[0]["values"]["a"], trials[0]["values"]["k"], trials[1]["values"]["b"]) == (0.25, "z", 9)
    refused = tune_here(*arguments, "--study", "other", "--try", "a=7")
    assert refused.returncode == 1 and refused.stderr.strip() == "error: `a` must be 0.0 .. 1.0, but got 7.0."
