"""What every engine must do. An engine's tests subclass `EngineContract` and say how it is made."""

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pytest

from tests.simulation import MIXED_SPACE, OBJECTIVE, Simulation, proposals
from tuning.engines.base import Done
from tuning.engines.registry import make_engine, read_options, settle
from tuning.hyperparameters import Boolean, Choice, Float
from tuning.records.definition import Definition
from tuning.space import active_values

GOLDEN = Path(__file__).parent.parent / "golden" / "proposals"


class EngineContract:
    """Subclass it with `name`, and with the rest where the defaults do not fit.

    `limit` is the number of trials, `length` the number of runs that are compared.
    """

    name: str
    label = ""  # tells apart engines of one name with other options
    options: dict = {}
    limit: int | None = 14
    length = 14
    space = MIXED_SPACE

    def make(self, seed=0, space=None, limit=-1, **options):
        definition = Definition(
            "study",
            "space",
            None,
            tuple(self.space if space is None else space),
            OBJECTIVE,
            self.name,
            read_options(self.name, {**self.options, **options}),
            seed,
            9,
        )
        return make_engine(settle(definition, {}), self.limit if limit == -1 else limit)

    _searches: ClassVar[dict] = {}

    def straight(self, seed=0):
        """Return the proposals of an uninterrupted search; made once a seed."""
        key = (type(self), seed)
        if key not in self._searches:
            self._searches[key] = proposals(Simulation(self.make(seed)).go(self.length).runs)
        return self._searches[key]

    def test_equal_seeds_propose_equally_and_others_do_not(self):
        first = self.straight()
        assert proposals(Simulation(self.make(0)).go(self.length).runs) == first
        assert proposals(Simulation(self.make(1)).go(self.length).runs) != first

    def test_every_proposal_is_legal_and_has_just_the_active_values(self):
        for run in Simulation(self.make(3)).go(self.length).runs:
            assert run.values == active_values(self.space, run.values)
            for h in self.space:
                if h.is_active(run.values):
                    assert h.contains(run.values[h.name]), (h, run.values[h.name])
            assert 0 <= run.start < run.stop

    def test_proposals_are_json(self):
        for run in Simulation(self.make(3)).go(6).runs:
            assert json.loads(json.dumps(dict(run.values))) == dict(run.values)
            json.dumps([dict(run.note), self.make().dump()])

    @pytest.mark.parametrize("part", [0.2, 0.8])
    def test_resumed_between_runs_it_proposes_what_it_would_have_proposed(self, part):
        cut = int(part * self.length)
        resumed = Simulation(self.make(0)).go(cut).resumed_on(self.make(0)).go(self.length - cut)
        assert proposals(resumed.runs) == self.straight()

    @pytest.mark.parametrize("part", [0.0, 0.7])
    def test_resumed_in_the_middle_of_a_run(self, part):
        cut = int(part * self.length)
        killed = Simulation(self.make(0)).go(cut)
        run = killed.ask()
        resumed = killed.resumed_on(self.make(0))
        resumed.train(run)
        assert proposals(resumed.go(self.length - 1 - cut).runs) == self.straight()

    @pytest.mark.slow
    def test_the_same_in_another_process(self):
        mine = proposals(Simulation(self.make(5)).go(5).runs)
        code = (
            f"from {type(self).__module__} import {type(self).__name__} as C; import json\n"
            "from tests.simulation import Simulation, proposals\n"
            "print('|' + json.dumps(proposals(Simulation(C().make(5)).go(5).runs)))"
        )
        root = Path(__file__).parent.parent.parent
        done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
        assert json.loads(done.stdout.partition("|")[2]) == json.loads(json.dumps(mine))

    def test_golden_proposals(self):
        """Regenerate by deleting the file and running the test twice."""
        path = GOLDEN / f"{self.label or self.name}.json"
        got = json.loads(json.dumps(self.straight(42)))
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(got, indent=1) + "\n")
            pytest.fail(f"{path} was missing and has been written; look at it")
        for run, expected in zip(got, json.loads(path.read_text()), strict=True):
            assert run[0] == expected[0] and run[2:] == expected[2:]
            assert list(run[1]) == list(expected[1])
            for name, value in expected[1].items():
                assert run[1][name] == (pytest.approx(value, rel=1e-6) if isinstance(value, float) else value), name

    def test_it_learns_from_folds_what_it_learns_from_their_mean(self):
        cut = self.length // 2
        resumed = Simulation(self.make(0), n_trainings=2).go(cut).resumed_on(self.make(0)).go(self.length - cut)
        assert all(len(trial.trainings) == 2 for trial in resumed.trials.values())
        assert proposals(resumed.runs) == self.straight()

    def test_failed_trials_do_not_stop_it(self):
        simulation = Simulation(self.make(0), fails=lambda values: values["bias"]).go(self.length)
        assert len(simulation.runs) == self.length

    def test_the_limit_counts_trials(self):
        simulation = Simulation(self.make(0, limit=5)).go(100)
        assert len(simulation.trials) == 5
        assert isinstance(simulation.done, Done)
        larger = simulation.resumed_on(self.make(0, limit=6)).go(100)
        assert len(larger.trials) == 6

    def test_a_small_space_is_exhausted_without_duplicates(self):
        space = (Boolean("a", False), Choice("b", "x", choices=("x", "y", "z")))
        simulation = Simulation(self.make(0, space=space, limit=50)).go(200)
        tried = [tuple(t.values.items()) for t in simulation.trials.values()]
        assert len(set(tried)) == len(tried) <= 6
        assert isinstance(simulation.done, Done) and "every configuration" in simulation.done.reason

    def test_nothing_is_continued_after_the_end(self):
        simulation = Simulation(self.make(0)).go(200)
        if self.limit is None:
            assert not any(simulation.engine.may_continue(number) for number in simulation.trials)

    def test_hyperparameters_that_turn_up_later_are_searched(self):
        from dataclasses import replace

        simulation = Simulation(self.make(0))
        run = simulation.ask()
        late = Float("late", 0.5, low=0.0, high=1.0)
        trial = simulation.trials[run.number]
        simulation.trials[run.number] = replace(trial, found=(late.to_json(),))
        simulation.train(run)
        later = [r.values["late"] for r in itertools.islice(self._new_runs(simulation), 4)]
        assert len(set(later)) == 4

    @staticmethod
    def _new_runs(simulation):
        while (run := simulation.ask()) is not None:
            simulation.train(run)
            if not run.start:
                yield run

    def test_a_trial_that_is_gone_from_the_database_does_not_keep_the_others_from_going_on(self):
        """Its number is not given again, and nothing waits for it."""
        simulation = Simulation(self.make()).go(self.length // 2)
        gone = min(simulation.trials)
        del simulation.trials[gone]
        known = set(simulation.trials)
        twin = simulation.resumed_on(self.make()).go(self.length)
        new = [run for run in twin.runs[len(simulation.runs) :] if run.number not in known]
        assert gone not in {run.number for run in new}
        assert all(trial.runs[-1].ended is not None for trial in twin.trials.values())
