"""Killed between any two uses of the database, a search goes on as if nothing had happened."""

import pytest

import tuning
from tests.processes import CURVE, finished, is_sound, outcome, records
from tuning.storage.database import Database

pytestmark = pytest.mark.slow

SEARCHES = {
    "random": {"engine": "random", "trials": 3, "epochs": 2},
    "hyperband": {"engine": "hyperband", "epochs": 3},
    "bayesian": {"engine": "bayesian", "trials": 3, "epochs": 1, "options": {"num_initial_points": 2}},
    "optuna": {
        "engine": "optuna",
        "trials": 5,
        "epochs": 2,
        "options": {"sampler": "gaussian_process"},  # which auto would leave to TPE, as these trials take no time
        "constraints": ["val_loss<=1.5"],
        "warm_start": ["other"],
    },
}


class Killed(BaseException):
    """Passes through everything, as a kill does; unlike a kill it closes connections, which loses no transaction."""


def killed_at(call, monkeypatch, **arguments):
    """Search, but die at the n-th use of the database; tell whether it came to that."""
    genuine, calls = Database.do, [0]

    def dying(self, action):
        calls[0] += 1
        if calls[0] == call:
            raise Killed
        return genuine(self, action)

    with monkeypatch.context() as patch:
        patch.setattr(Database, "do", dying)
        try:
            tuning.search(CURVE, **arguments)
        except Killed:
            return True
    return False


EXHAUSTIVE = [pytest.param(engine, marks=pytest.mark.exhaustive) for engine in ("random", "bayesian")]


@pytest.mark.parametrize("engine", ["hyperband", "optuna", *EXHAUSTIVE])
def test_killed_between_any_two_uses_of_the_database(engine, tmp_path, monkeypatch):
    arguments = {**SEARCHES[engine], "seed": 0, "logs": tmp_path, "verbose": 0}
    tuning.search(CURVE, engine="random", trials=4, epochs=1, seed=1, logs=tmp_path, study="other", verbose=0)
    straight = outcome(tuning.search(CURVE, study="straight", **arguments))
    call = 1
    while killed_at(call, monkeypatch, study=f"killed-{call}", **arguments):
        database = tmp_path / f"killed-{call}" / "trials.db"
        before = finished(records(database))
        again = tuning.search(CURVE, study=f"killed-{call}", **arguments)
        assert outcome(again) == straight, f"killed at use {call}"
        assert before.items() <= records(database).items() and is_sound(database)
        states = {trial.state.name for trial in _rows(database, again.name)}
        assert states <= {"COMPLETE", "PRUNED"}, "no row is left open"
        call += 1
    assert call > 15


def _rows(database, name):
    import optuna

    return optuna.load_study(study_name=name, storage=f"sqlite:///{database}").trials
