"""What is done to KerasTuner's private names."""

import pytest

from tuning.keras_tuner import private


def test_what_a_trial_that_is_forgotten_had_is_proposed_again(tuners):
    hp = tuners.HyperParameters()
    hp.Choice("a", [1, 2])
    oracle = tuners.oracles.RandomSearchOracle("val_loss", max_trials=2, hyperparameters=hp, seed=1)
    oracle._set_project_dir("out", "p")
    tried = [oracle.create_trial(f"tuner{i}").hyperparameters["a"] for i in range(2)]
    assert sorted(tried) == [1, 2]
    private.forget(oracle, "1")
    assert oracle.create_trial("tuner1").hyperparameters["a"] == tried[1]


@pytest.mark.parametrize(("path", "expected"), [("gs://a/b", True), ("out/p", False), ("/a/b", False)])
def test_folders_that_only_tensorflow_can_open(path, expected):
    assert private.is_elsewhere(path) == expected


@pytest.mark.parametrize("module", [None, "program"])
def test_a_run_trial_of_ones_own_is_not_the_standard_one_wherever_it_is_from(made, monkeypatch, module):
    def run_trial(self, trial, *args, **kwargs):
        return 0.0

    run_trial.__module__ = module  # None where `unittest.mock` has made it
    tuner = made()
    assert private.has_standard_run_trial(tuner) and private.own_part(tuner) is None
    monkeypatch.setattr(type(tuner), "run_trial", run_trial)
    assert not private.has_standard_run_trial(tuner) and private.own_part(tuner) == "run_trial"
