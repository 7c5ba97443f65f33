"""What pruners answer: once, however often a process is lost before the answer has got anywhere."""

import random
from dataclasses import replace

import pytest

from tests.simulation import MIXED_SPACE, OBJECTIVE, Simulation, score_of
from tuning.engines.registry import make_engine, read_options, settle
from tuning.records.definition import Definition
from tuning.records.trainings import cut, extended
from tuning.records.trial import State

RULES = {
    "successive_halving": {},
    "hyperband": {},
    "median": {"warmup_trials": 2},
    "percentile": {"warmup_trials": 2},
    "patient": {"warmup_trials": 2, "patience": 1},
    "threshold": {"lower": 0.4},
}


def made(pruner):
    options = read_options("optuna", {"model": "tpe", "sampler": "random", "pruner": pruner, **RULES[pruner]})
    definition = Definition("study", "space", None, MIXED_SPACE, OBJECTIVE, "optuna", options, 0, 9)
    return make_engine(settle(definition, {}), None)


class Struck(Simulation):
    """Trains as a driver does that is killed now and then between an epoch and what comes after, and resumed.

    Its checkpoints lie up to `behind` epochs back.
    """

    def __init__(self, pruner, chance, seed, behind):
        super().__init__(made(pruner))
        self.pruner, self.chance, self.behind, self.draws = pruner, chance, behind, random.Random(seed)
        self.strikes = 0

    def train(self, run):
        number, is_stopped = run.number, False
        while not is_stopped and self.trials[number].epochs < run.stop:
            trial = self.trials[number]
            epoch = trial.epochs
            score = {"score": score_of(run.values, min(epoch, 8 - epoch))}  # patience needs one that falls
            training = extended(trial.trainings[0], epoch, score, OBJECTIVE)
            trial = self.trials[number] = replace(trial, trainings=(training,))
            is_asked = self.draws.random() > self.chance / 2
            is_stopped = is_asked and self.engine.should_stop(trial)
            if not is_asked or self.draws.random() < self.chance / 2:
                is_stopped = self._struck(trial)
        trial = self.trials[number]
        ended = replace(run, ended=self._next(), until=trial.epochs)
        state = State.PRUNED if is_stopped else State.COMPLETED
        self.trials[number] = replace(trial, runs=(*trial.runs[:-1], ended), state=state)
        self.engine.tell(self.trials[number])

    def _struck(self, trial):
        """Go on with a new engine from the checkpoint; tell whether the trial is stopped there."""
        self.strikes += 1
        self.engine = made(self.pruner)
        self.engine.restore([self.trials[number] for number in sorted(self.trials)], self.state)
        checkpoint = max(trial.epochs - self.draws.randint(0, self.behind), 0)
        if checkpoint == trial.epochs:
            return self.engine.should_stop(trial)
        self.trials[trial.number] = replace(trial, trainings=(cut(trial.trainings[0], checkpoint, OBJECTIVE),))
        return False


def outcomes(simulation):
    return [(trial.values, trial.state, trial.epochs) for trial in simulation.trials.values()]


@pytest.mark.medium
@pytest.mark.parametrize("pruner", RULES)
def test_what_is_stopped_does_not_depend_on_what_is_killed(pruner):
    straight = Struck(pruner, 0.0, 0, 0).go(16)
    states = {state for _, state, _ in outcomes(straight)}
    assert states == {State.PRUNED, State.COMPLETED}
    for seed in range(4):
        struck = Struck(pruner, 0.5, seed, behind=seed % 2 * 3).go(16)
        assert struck.strikes > 5 and outcomes(struck) == outcomes(straight)


@pytest.mark.parametrize("pruner", RULES)
def test_asked_again_it_says_the_same(pruner):
    straight, asked = Struck(pruner, 0.0, 0, 0), Struck(pruner, 0.0, 0, 0)
    once = asked.engine.should_stop
    asked.engine.should_stop = lambda trial: [once(trial), once(trial), once(trial)][-1]
    assert outcomes(asked.go(16)) == outcomes(straight.go(16))
