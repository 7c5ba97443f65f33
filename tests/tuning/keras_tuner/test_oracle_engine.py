"""The engine around an oracle: which trials it takes up, and which it forgets."""

import pytest

from tuning.engines.base import Wait
from tuning.keras_tuner import private
from tuning.keras_tuner.oracle_engine import OracleEngine
from tuning.keras_tuner.space import TunerSpace


@pytest.fixture
def engine(tuners):
    hp = tuners.HyperParameters()
    hp.Int("a", 0, 99)
    oracle = tuners.oracles.RandomSearchOracle(max_trials=5, hyperparameters=hp, seed=1)
    oracle.verbose = 0

    class Given(tuners.Tuner):
        def run_trial(self, trial, *args, **kwargs):
            return 0.0

    return OracleEngine(TunerSpace(Given(oracle, directory="out", project_name="p"), (), {}), 1)


def test_trials_are_forgotten_so_that_the_next_one_has_a_name_of_its_own(engine):
    oracle, under_way = engine._tuner.oracle, engine._space.trials
    for _ in range(4):
        engine.ask()
    ended = under_way.pop("1")
    ended.status = "COMPLETED"
    oracle.update_trial("1", {oracle.objective.name: 1.0})
    oracle.end_trial(ended)
    engine.abandon()
    assert {i: trial.status for i, trial in oracle.trials.items()} == {"0": "RUNNING", "1": "COMPLETED"}
    assert [trial.trial_id for trial in oracle.ongoing_trials.values()] == ["0"]
    engine.ask()
    assert set(oracle.trials) == {"0", "1", "2"}


def test_one_failure_before_too_many(engine):
    oracle = engine._tuner.oracle
    for number, expected in enumerate([False, False, True]):
        assert private.is_at_its_limit(oracle) == expected
        engine.ask()
        oracle.trials[str(number)].status = "FAILED"
        if not expected:
            oracle.end_trial(oracle.trials[str(number)])


def test_a_hook_that_raises_ends_the_search_when_the_trials_before_have_ended(engine, monkeypatch):
    def refuse(trial):
        if trial.trial_id == "2":
            raise OSError("no more")

    monkeypatch.setattr(engine._tuner, "on_trial_begin", refuse)
    engine.ask(), engine.ask()
    under_way = engine._space.trials
    for ended in ("1", "0"):
        assert isinstance(engine.ask(), Wait)
        del under_way[ended]
    with pytest.raises(OSError, match="no more"):
        engine.ask()
    assert list(engine._tuner.oracle.trials) == ["0", "1", "2"] and not under_way


def test_an_error_at_the_end_of_a_trial_waits_only_for_those_before(engine):
    for _ in range(3):
        engine.ask()
    assert not engine.ends_before("2")
    engine.end_with(OSError("the end"), {"0"})
    assert [engine.ends_before(trial_id) for trial_id in "012"] == [False, True, True]
    engine.end_with(OSError("another"), set())
    assert isinstance(engine.ask(), Wait)
    del engine._space.trials["0"]
    with pytest.raises(OSError, match="the end"):
        engine.ask()
    assert set(engine._tuner.oracle.trials) == {"0", "1", "2"}, "nothing more is proposed"
