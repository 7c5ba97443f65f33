"""Drive an engine as the search does, with a formula instead of training."""

from dataclasses import replace

from tuning.engines.base import Done, Wait
from tuning.hyperparameters import Boolean, Choice, Condition, Fixed, Float, Int
from tuning.records.objective import Objective
from tuning.records.trainings import extended, joined
from tuning.records.trial import State, Training, Trial

OBJECTIVE = Objective("score", "max")

MIXED_SPACE = (
    Int("units", 64, low=16, high=256, step=16),
    Int("batch_size", 32, low=8, high=128, step=2, sampling="log"),
    Float("learning_rate", 1e-3, low=1e-4, high=1e-1, sampling="log"),
    Float("momentum", 0.0, low=0.0, high=0.5, step=0.1),
    Boolean("bias", True),
    Choice("optimizer", "sgd", choices=("sgd", "adam")),
    Choice("layers", 1, choices=(1, 2, 4), ordered=True),
    Choice("clip", None, choices=(None, 1.0)),
    Fixed("version", 3),
    Boolean("nesterov", False, conditions=(Condition("optimizer", ("sgd",)),)),
    Float("beta", 0.9, low=0.8, high=0.99, conditions=(Condition("optimizer", ("adam",)),)),
    Float("rate", 0.1, low=0.05, high=0.5, conditions=(Condition("clip", (1.0,)),)),
)


def score_of(values, epoch):
    """Return a score that depends on the configuration and grows with the epochs."""
    total = sum(hash_of(name, value) for name, value in sorted(values.items()))
    return total % 1.0 + 0.1 * epoch


def hash_of(name, value):
    """Return a number of [0, 1) that is the same in every process."""
    import zlib

    return zlib.crc32(f"{name}={value!r}".encode()) / 2**32


class Simulation:
    """Asks and tells one engine; `runs` are its proposals in order, `trials` what became of them."""

    def __init__(self, engine, fails=lambda values: False, n_trainings=1):
        self.engine, self._fails, self._n_trainings = engine, fails, n_trainings
        self.runs, self.trials, self.done = [], {}, None
        self._event = 0
        self.state = None

    def ask(self):
        answer = self.engine.ask()
        if isinstance(answer, (Done, Wait)):
            self.done = answer
            return None
        run = replace(answer, asked=self._next())
        trial = self.trials.get(run.number) or self._new(run)
        self.trials[run.number] = replace(trial, runs=(*trial.runs, run), values=run.values, state=State.RUNNING)
        self.runs.append(run)
        self.state = self.engine.dump()
        return run

    def _new(self, run):
        joint = Training() if self._n_trainings > 1 else None
        return Trial(run.number, run.values, trainings=self._n_trainings * (Training(),), joint=joint)

    def train(self, run):
        trial = self.trials[run.number]
        failed = self._fails(run.values)
        training = trial.trainings[0]
        for epoch in range(len(training.curve), run.stop):
            training = extended(training, epoch, {"score": score_of(run.values, epoch)}, OBJECTIVE)
        n_epochs = len(training.curve)
        training = replace(training, checkpoint=n_epochs, untils=(*training.untils, n_epochs))
        ended = replace(run, ended=self._next(), until=n_epochs)
        state = State.FAILED if failed else State.RUNNING
        # Several trainings agree with each other, so that their mean is exactly what one would be.
        trial = replace(trial, runs=(*trial.runs[:-1], ended), trainings=self._n_trainings * (training,), state=state)
        trial = joined(trial, OBJECTIVE)
        if state is State.RUNNING and not self.engine.may_continue(run.number):
            trial = replace(trial, state=State.COMPLETED)
        self.trials[run.number] = trial
        self.engine.tell(trial)

    def go(self, count):
        """Ask and train up to `count` runs, one after the other."""
        for _ in range(count):
            run = self.ask()
            if run is None:
                break
            self.train(run)
        return self

    def resumed_on(self, engine):
        """Return a simulation that goes on with a new engine, told only what a store knows."""
        twin = Simulation(engine, self._fails, self._n_trainings)
        twin.runs, twin.trials, twin._event, twin.state = list(self.runs), dict(self.trials), self._event, self.state
        engine.restore([twin.trials[n] for n in sorted(twin.trials)], self.state)
        return twin

    def _next(self):
        self._event += 1
        return self._event - 1


def proposals(runs):
    """Return what the runs propose, without the places in the order of events; last, whose weights they go on from."""
    return [(r.number, dict(r.values), r.start, r.stop, r.number if r.start else None) for r in runs]
