"""The engines on KerasTuner's oracles: the contract, and equality with KerasTuner itself."""

import keras_tuner
import numpy as np
import pytest
import threadpoolctl
from keras_tuner.oracles import BayesianOptimizationOracle, HyperbandOracle, RandomSearchOracle

from tests.conftest import loaded_by
from tests.contracts.engine import EngineContract
from tests.simulation import MIXED_SPACE, Simulation, score_of
from tuning.engines.base import Done, Wait
from tuning.engines.keras_tuner.kinds import hyperband_epochs
from tuning.engines.keras_tuner.predictor import GaussianProcess
from tuning.hyperparameters import Choice, Condition, Int
from tuning.records.trial import State

OWN = ("tuner/trial_id", "tuner/epochs", "tuner/initial_epoch", "tuner/bracket", "tuner/round")
# What KerasTuner itself can hold: no None, and no stepped floats, whose last value it loses.
PLAIN_SPACE = tuple(h for h in MIXED_SPACE if h.name not in ("clip", "rate", "momentum"))


class TestRandom(EngineContract):
    name = "random"


class TestHyperband(EngineContract):
    name = "hyperband"
    limit = None
    options = {"max_epochs": 9}


@pytest.mark.slow
class TestBayesian(EngineContract):
    name = "bayesian"
    options = {"num_initial_points": 4}
    length = 7  # a proposal of the Gaussian process takes half a second


def kerastuner_space():
    """Declare `PLAIN_SPACE` with KerasTuner's own methods."""
    hp = keras_tuner.HyperParameters()
    hp.Int("units", 16, 256, step=16, default=64)
    hp.Int("batch_size", 8, 128, step=2, sampling="log", default=32)
    hp.Float("learning_rate", 1e-4, 1e-1, sampling="log", default=1e-3)
    hp.Boolean("bias", default=True)
    hp.Choice("optimizer", ["sgd", "adam"])
    hp.Choice("layers", [1, 2, 4])
    hp.Fixed("version", 3)
    with hp.conditional_scope("optimizer", ["sgd"]):
        hp.Boolean("nesterov")
    with hp.conditional_scope("optimizer", ["adam"]):
        hp.Float("beta", 0.8, 0.99, default=0.9)
    return hp


def kerastuner_proposals(oracle, tmp_path, count):
    """Run an oracle as KerasTuner's own tuner does; return (values, first epoch, last epoch) of each trial."""
    oracle._set_project_dir(tmp_path, "reference")
    oracle.verbose = 0
    proposed, curves = [], {}
    for _ in range(count):
        trial = oracle.create_trial("tuner")
        if trial.status != "RUNNING":
            break
        values = dict(trial.hyperparameters.values)
        start, stop = values.get("tuner/initial_epoch", 0), values.get("tuner/epochs", 9)
        own = {k: getattr(v, "item", lambda v=v: v)() for k, v in values.items() if k not in OWN}
        proposed.append((own, start, stop))
        curves[trial.trial_id] = [score_of(own, epoch) for epoch in range(start, stop)]
        for epoch, value in zip(range(start, stop), curves[trial.trial_id], strict=True):
            oracle.update_trial(trial.trial_id, {"score": value}, step=epoch)
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
    return proposed


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 7])
@pytest.mark.parametrize(
    ("contract", "oracle", "options", "count"),
    [
        (TestRandom, RandomSearchOracle, {}, 14),
        (TestHyperband, HyperbandOracle, {"max_epochs": 9, "factor": 3, "hyperband_iterations": 2}, 80),
        (TestBayesian, BayesianOptimizationOracle, {"num_initial_points": 4, "alpha": 1e-3, "beta": 2.0}, 7),
    ],
    ids=["random", "hyperband", "bayesian"],
)
def test_it_proposes_what_kerastuner_proposes(contract, oracle, options, count, seed, tmp_path):
    limits = {} if oracle is HyperbandOracle else {"max_trials": count}
    theirs = oracle(
        objective=keras_tuner.Objective("score", "max"),
        hyperparameters=kerastuner_space(),
        seed=seed,
        **options,
        **limits,
    )
    with threadpoolctl.threadpool_limits(1):
        expected = kerastuner_proposals(theirs, tmp_path, count)
    ours = Simulation(contract().make(seed, PLAIN_SPACE, **options)).go(count).runs
    assert [(dict(r.values), r.start, r.stop) for r in ours] == expected


def test_hyperband_continues_trials_and_ends():
    simulation = Simulation(TestHyperband().make(0)).go(500)
    promoted = [run for run in simulation.runs if run.start]
    assert promoted and all(run.start in [r.until for r in simulation.trials[run.number].runs] for run in promoted)
    assert max(t.epochs for t in simulation.trials.values()) == 9
    assert sum(t.epochs for t in simulation.trials.values()) == hyperband_epochs(9, 3, 1)
    assert simulation.done.reason == ""


@pytest.mark.parametrize(
    ("max_epochs", "factor", "iterations"), [(10, 3, 2), (6, 3, 1), (4, 2, 1), (1, 3, 1), (20, 4, 1)]
)
def test_the_planned_epochs_are_the_trained_ones(max_epochs, factor, iterations):
    engine = TestHyperband().make(0, max_epochs=max_epochs, factor=factor, hyperband_iterations=iterations)
    simulation = Simulation(engine).go(1000)
    assert sum(t.epochs for t in simulation.trials.values()) == hyperband_epochs(max_epochs, factor, iterations)


def test_hyperband_with_failures_ends_and_closes_everything():
    engine = TestHyperband().make(0)
    simulation = Simulation(engine, fails=lambda values: values["bias"]).go(500)
    assert simulation.done is not None
    assert {t.state for t in simulation.trials.values()} >= {State.FAILED, State.COMPLETED}


def test_hyperband_keeps_nothing_open_for_rounds_that_failures_have_left_short():
    """One of nine fails: the next round takes two instead of three, and then none of the others any more."""
    engine = TestHyperband().make(0)
    failed = []

    def fails(values):
        failed.append(values)
        return len(failed) == 2

    simulation = Simulation(engine, fails=fails)
    while simulation.ask() is not None and len(simulation.runs) < 500:
        simulation.train(simulation.runs[-1])
        bracket = [n for n, t in simulation.trials.items() if t.runs[0].note["own"]["tuner/bracket"] == 2]
        if len(simulation.runs) > 20:
            assert not any(engine.may_continue(n) for n in bracket), "the bracket is over"
    promoted = [r for r in simulation.runs if r.start and r.note["own"]["tuner/bracket"] == 2]
    assert len(promoted) == 2
    assert simulation.done.reason == "" and not any(map(engine.may_continue, simulation.trials))


def test_two_runs_at_once_wait_and_go_on():
    simulation = Simulation(TestHyperband().make(0))
    first, second = simulation.ask(), simulation.ask()
    assert first.number != second.number
    simulation.train(second)
    simulation.train(first)
    assert len(simulation.go(300).trials) == len(Simulation(TestHyperband().make(0)).go(300).trials)


@pytest.mark.parametrize("contract", [TestRandom, TestHyperband])
@pytest.mark.parametrize("seed", [0, 3])
def test_a_space_that_can_be_counted_is_exhausted_when_nothing_is_left(contract, seed):
    space = (
        Int("a", 1, low=1, high=10),
        Choice("b", "x", choices=("x", "y", "z")),
        Int("c", 1, low=1, high=3, conditions=(Condition("b", ("x",)),)),
    )
    options = {"max_epochs": 27, "hyperband_iterations": 9} if contract is TestHyperband else {}
    simulation = Simulation(contract().make(seed, space, limit=None, **options)).go(1000)
    assert len({str(t.values) for t in simulation.trials.values()}) == len(simulation.trials) == 10 * (3 + 1 + 1)
    assert "every configuration" in simulation.done.reason


@pytest.mark.medium
def test_the_last_value_of_a_stepped_float_is_reached():
    values = {run.values["momentum"] for run in Simulation(TestRandom().make(0, limit=200)).go(200).runs}
    assert values == {0.0, 0.1, 0.2, 0.3, 0.4, 0.5}


@pytest.mark.medium
@pytest.mark.parametrize("n_rows", [1, 5])
def test_the_faster_gaussian_process_predicts_the_same_to_the_last_bit(n_rows):
    rng = np.random.default_rng(n_rows)
    x, y = rng.random((9, 6)), rng.random(9)
    theirs = BayesianOptimizationOracle(keras_tuner.Objective("score", "max"), seed=3).gpr
    ours = GaussianProcess.like(theirs)
    for process in (theirs, ours):
        process.fit(x, y)
    for _ in range(50):
        row = rng.random((n_rows, 6))
        for mine, their in zip(ours.predict(row, return_std=True), theirs.predict(row, return_std=True), strict=True):
            assert mine.shape == their.shape and (mine == their).all()
        assert (ours.predict(row) == theirs.predict(row)).all()
    assert ours.predict(x, return_std=True)[1] == pytest.approx(theirs.predict(x, return_std=True)[1])
    assert (GaussianProcess.like(theirs).predict(x, return_std=True)[1] == 1).all(), "before it was fitted"


@pytest.mark.slow
def test_a_bayesian_search_that_has_all_its_trials_waits_without_looking_for_more(monkeypatch):
    engine = TestBayesian().make(limit=6)
    simulation = Simulation(engine).go(5)
    last = simulation.ask()
    monkeypatch.setattr(type(engine._oracle), "populate_space", None)
    assert simulation.ask() is None and isinstance(simulation.done, Wait)
    simulation.train(last)
    assert simulation.ask() is None and isinstance(simulation.done, Done)


@pytest.mark.medium
def test_random_search_loads_neither_scikit_learn_nor_scipy():
    code = "from tuning.engines.keras_tuner import private"
    assert loaded_by(code, "sklearn", "scipy", "pandas", "tensorflow") == []
