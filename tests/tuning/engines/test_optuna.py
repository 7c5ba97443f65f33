"""The engine on Optuna: the contract for each sampler, and what samplers and pruners are told."""

import pytest

from tests.contracts.engine import EngineContract
from tests.simulation import MIXED_SPACE
from tuning.space import Condition, Hyperparameter

FINITE_SPACE = (
    *(h for h in MIXED_SPACE if h.kind != "float"),
    Hyperparameter("rate", "float", 0.1, low=0.1, high=0.5, step=0.1, conditions=(Condition("clip", (1.0,)),)),
    Hyperparameter("decay", "float", 0.1, low=0.001, high=0.1, step=10, sampling="log"),
)
FLAT_FINITE_SPACE = (
    *(h for h in MIXED_SPACE if h.kind != "float" and not h.conditions and h.name != "units"),
    Hyperparameter("decay", "float", 0.1, low=0.001, high=0.1, step=10, sampling="reverse_log"),
)


class OptunaContract(EngineContract):
    name = "optuna"
    options = {"n_startup_trials": 4}

    def test_golden_proposals(self):
        pytest.skip("one sampler's proposals are enough to see whether the engine has changed")


class TestAuto(OptunaContract):
    options = {"sampler": "auto", "n_startup_trials": 4, "model": "tpe"}
    test_golden_proposals = EngineContract.test_golden_proposals


class TestTpe(OptunaContract):
    options = {"sampler": "tpe", "n_startup_trials": 4}


class TestQmc(OptunaContract):
    options = {"sampler": "qmc"}


class TestRandom(OptunaContract):
    options = {"sampler": "random"}


class TestCmaEs(OptunaContract):
    options = {"sampler": "cmaes", "n_startup_trials": 1}

    def make(self, *args, **kwargs):
        pytest.importorskip("cmaes")
        return super().make(*args, **kwargs)


class TestGp(OptunaContract):
    options = {"sampler": "gp", "n_startup_trials": 3}
    length = 6

    def make(self, *args, **kwargs):
        pytest.importorskip("torch")
        return super().make(*args, **kwargs)


class TestNsga2(OptunaContract):
    options = {"sampler": "nsga2", "population_size": 4}


class TestNsga3(OptunaContract):
    options = {"sampler": "nsga3", "population_size": 4}


class TestBruteForce(OptunaContract):
    options = {"sampler": "brute_force"}
    space = FINITE_SPACE


class TestGrid(OptunaContract):
    options = {"sampler": "grid"}
    space = FLAT_FINITE_SPACE
