"""Engine optuna with constraints: it learns to keep them, and goes on as if it had never been cut."""

from dataclasses import replace

import pytest

from tests.simulation import MIXED_SPACE, OBJECTIVE, Simulation, proposals
from tuning.engines.base import Done
from tuning.engines.registry import make_engine, read_options, settle
from tuning.records.constraint import Constraint, limited
from tuning.records.definition import Definition
from tuning.records.trial import State

LIMITS = (Constraint("n_params", "<=", 8000.0), Constraint("score", ">=", 0.2))
MODELS = ["gaussian_process", "tpe"]


def engine(seed=0, limit=14, limits=LIMITS, name="optuna", **options):
    read = read_options(name, options)
    definition = Definition("s", "s", None, MIXED_SPACE, OBJECTIVE, name, read, seed, 9, constraints=limits)
    return make_engine(settle(definition, {}), limit)


class Limited(Simulation):
    """Does not train what has too many parameters, and knows what else a trial must keep."""

    limits = LIMITS

    def train(self, run):
        n_params = run.values["units"] * run.values["layers"] * 100.0
        trial = replace(self.trials[run.number], resources={"n_params": n_params})
        self.trials[run.number] = trial
        if LIMITS[0].is_kept_by(n_params):
            tell, self.engine.tell = self.engine.tell, lambda _: None
            super().train(run)
            self.engine.tell = tell
        else:
            ended = replace(run, ended=self._next(), until=0)
            self.trials[run.number] = replace(trial, state=State.PRUNED, runs=(ended,))
        self.trials[run.number] = limited(self.trials[run.number], LIMITS)
        self.engine.tell(self.trials[run.number])

    def resumed_on(self, engine):
        twin = Limited(engine)
        twin.runs, twin.trials, twin._event, twin.state = list(self.runs), dict(self.trials), self._event, self.state
        engine.restore([twin.trials[n] for n in sorted(twin.trials)], self.state)
        return twin


def refused(simulation):
    return [t for t in simulation.trials.values() if not t.epochs]


SEARCHES = [{"model": model, "n_startup_trials": 5} for model in MODELS] + [{"name": n} for n in ("random", "bayesian")]


@pytest.mark.medium
@pytest.mark.parametrize("options", SEARCHES, ids=lambda options: next(iter(options.values())))
def test_what_was_refused_does_not_count(options):
    simulation = Limited(engine(**options, limit=8)).go(200)
    n_refused = len(refused(simulation))
    assert n_refused and len(simulation.trials) - n_refused == 8 and simulation.done == Done()
    larger = simulation.resumed_on(engine(**options, limit=9)).go(200)
    assert len(larger.trials) - len(refused(larger)) == 9


@pytest.mark.medium
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("cut", [3, 12])
def test_resumed_it_proposes_what_it_would_have_proposed(model, cut):
    straight = proposals(Limited(engine(model=model, n_startup_trials=5)).go(200).runs)
    killed = Limited(engine(model=model, n_startup_trials=5)).go(cut)
    run = killed.ask()
    resumed = killed.resumed_on(engine(model=model, n_startup_trials=5))
    resumed.train(run)
    assert proposals(resumed.go(200).runs) == straight


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_it_learns_to_keep_them(model):
    """At random one of seven configurations has so few parameters."""
    kept = {}
    for name, options in (("random", {"sampler": "random"}), (model, {"model": model})):
        late = [
            t.is_feasible
            for seed in range(2)
            for t in list(Limited(engine(seed, limit=None, **options)).go(30).trials.values())[15:]
        ]
        kept[name] = sum(late) / len(late)
    assert kept[model] > 2 * kept["random"], kept


def test_hyperband_continues_nothing_that_breaks_them():
    simulation = Limited(engine(limit=None, name="hyperband")).go(200)
    infeasible = [t for t in simulation.trials.values() if not t.is_feasible]
    assert refused(simulation) and infeasible and all(len(t.runs) == 1 for t in refused(simulation))
    assert not any(simulation.engine.may_continue(t.number) for t in refused(simulation))


def test_it_ends_where_nothing_keeps_them(monkeypatch):
    monkeypatch.setattr("tuning.engines.refusals.MAX_IN_A_ROW", 6)
    monkeypatch.setattr(Limited, "train", _refusing)
    for options in ({"sampler": "random"}, {"name": "random"}):
        simulation = Limited(engine(**options)).go(50)
        assert len(simulation.trials) == 6
        assert simulation.done == Done("the last 6 configurations break a constraint and were not trained")


def _refusing(self, run):
    ended = replace(run, ended=self._next(), until=0)
    trial = replace(self.trials[run.number], resources={"n_params": 1e6}, state=State.PRUNED, runs=(ended,))
    self.trials[run.number] = limited(trial, LIMITS)
    self.engine.tell(self.trials[run.number])
