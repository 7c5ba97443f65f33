"""The sampler on a Gaussian process of our own: what it proposes, and when it makes way for another."""

from dataclasses import replace

import numpy as np
import optuna
import pytest
from scipy.stats import spearmanr

from tests.simulation import OBJECTIVE, Simulation, proposals, score_of
from tuning.engines.gaussian_process.cube import Cube
from tuning.engines.gaussian_process.model import fitted
from tuning.engines.gaussian_process.sampler import (
    GaussianProcessSampler,
    fitted_at,
    log_expected_improvement,
    proposal_seconds,
)
from tuning.engines.gaussian_process.scores import told_of
from tuning.engines.optuna.engine import SLOW
from tuning.engines.registry import engine_kind, make_engine, read_options, settle
from tuning.hyperparameters import Boolean, Condition, Float
from tuning.records.definition import Definition
from tuning.records.lesson import Lesson
from tuning.records.trainings import extended
from tuning.records.trial import State, Training

FLAT = tuple(Float(f"x{i}", 0.1, low=0.0, high=1.0) for i in range(3))
CONDITIONAL = (*FLAT, Boolean("a", True), Float("b", 0.1, low=0.0, high=1.0, conditions=(Condition("a", (True,)),)))


def definition(space=FLAT, **options):
    made = Definition("study", "space", None, space, OBJECTIVE, "optuna", read_options("optuna", options), 0, 9)
    return settle(made, {})


def optimised(sampler, n_trials=25):
    study = optuna.create_study(sampler=sampler)
    names = [h.name for h in FLAT]
    study.optimize(lambda t: sum((t.suggest_float(n, 0, 1) - 0.6) ** 2 for n in names), n_trials=n_trials)
    return study


@pytest.fixture(autouse=True)
def silent():
    optuna.logging.set_verbosity(optuna.logging.WARNING)


@pytest.mark.medium
def test_as_a_sampler_of_optuna_it_finds_a_minimum_that_chance_does_not():
    assert optimised(GaussianProcessSampler(FLAT)).best_value < 1e-3
    assert optimised(optuna.samplers.RandomSampler(seed=0)).best_value > 1e-3


def test_trials_under_way_are_not_proposed_again():
    study = optimised(GaussianProcessSampler(FLAT), 8)
    asked = np.array([[t.suggest_float(h.name, 0, 1) for h in FLAT] for t in (study.ask() for _ in range(4))])
    apart = [np.abs(asked[i] - asked[j]).max() for i in range(4) for j in range(i)]
    assert min(apart) > 0.01


def test_scores_that_are_far_too_bad_count_as_bad():
    study = optuna.create_study(direction="maximize")
    for value in (0.9, 0.8, 0.7, -1e9):
        study.add_trial(optuna.trial.create_trial(value=value))
    told = told_of(study.trials, is_max=True)
    scores = told.scores
    assert told.numbers == [0, 1, 2, 3] and scores.argmax() == 0 and set(told.shares) == {1.0}
    assert scores[2] - scores[3] < 2 * (scores[0] - scores[2])
    assert scores.mean() == pytest.approx(0) and scores.std() == pytest.approx(1)


class Judged(Simulation):
    """Trials that the engine may stop after each epoch."""

    def train(self, run):
        trial, training = self.trials[run.number], self.trials[run.number].trainings[0]
        is_stopped = False
        while len(training.curve) < run.stop and not is_stopped:
            score = {"score": score_of(run.values, len(training.curve))}
            training = extended(training, len(training.curve), score, OBJECTIVE)
            trial = replace(trial, trainings=(training,))
            is_stopped = self.engine.should_stop(trial)
        ended = replace(run, ended=self._next(), until=len(training.curve))
        state = State.PRUNED if is_stopped else State.COMPLETED
        self.trials[run.number] = replace(trial, runs=(*trial.runs[:-1], ended), state=state)
        self.engine.tell(self.trials[run.number])


@pytest.mark.medium
def test_with_stopped_trials_it_goes_on_as_if_it_had_not_been_cut():
    straight = Judged(make_engine(definition(), None)).go(13)
    lengths = [trial.epochs for trial in straight.trials.values()]
    assert min(lengths) < max(lengths) == 9
    resumed = Judged(make_engine(definition(), None)).go(9).resumed_on(make_engine(definition(), None))
    resumed.__class__ = Judged
    assert proposals(resumed.go(4).runs) == proposals(straight.runs)


def trial_of(curve, state):
    """Return a trial with one value an epoch and the best of them as its score."""
    create = optuna.trial.create_trial
    return create(state=state, value=max(curve), intermediate_values=dict(enumerate(curve)))


def test_what_others_had_reached_when_a_trial_was_stopped_stands_beside_what_they_came_to():
    complete, pruned = optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED
    study = optuna.create_study(direction="maximize")
    for curve in ([0.1, 0.3, 0.5, 0.6], [0.2, 0.4, 0.5, 0.8]):
        study.add_trial(trial_of(curve, complete))
    study.add_trial(trial_of([0.1, 0.2], pruned))
    study.add_trial(trial_of([0.5, 0.4, 0.3, 0.3], pruned))  # at the last epoch, so it was trained to its end
    told = told_of(study.trials, is_max=True)
    assert told.numbers == [0, 0, 1, 1, 2, 3, 3] and told.shares.tolist() == [0.5, 1, 0.5, 1, 0.5, 0.5, 1]
    at = dict(zip(zip(told.numbers, told.shares, strict=True), told.scores, strict=True))
    assert at[0, 0.5] == at[0, 1.0], "what most gain from there on is added"
    assert at[2, 0.5] == told.scores.min() and at[3, 0.5] > at[1, 0.5] > at[0, 0.5]
    assert told_of(study.trials, is_max=True, by_epochs=False).shares.tolist() == 4 * [1.0], "folds are no epochs"


def test_early_scores_are_believed_as_far_as_late_ones_agree():
    draws = np.random.default_rng(0)
    rows, places = draws.uniform(size=(40, 3)), draws.uniform(size=(200, 3))
    late, truth = (-((x[:, 0] - 0.7) ** 2) - (x[:, 1] - 0.2) ** 2 for x in (rows, places))
    shares = np.repeat([1.0, 0.2], [8, 32])

    def learned(early, n=40):
        scores = np.where(shares == 1.0, late, early)[:n]
        model = fitted(Cube(FLAT), rows[:n], shares[:n], (scores - scores.mean()) / scores.std())
        return spearmanr(model.predict(places)[0], truth).statistic

    assert learned(late - 0.02) > 0.995 > learned(late, 8) + 0.01, "early scores with the order of late ones teach"


def test_the_parameters_are_fitted_again_with_each_tenth_part_more():
    fits = [fitted_at(n) for n in range(3, 200)]
    assert fits[:8] == list(range(3, 11)) and all(0.9 * n <= fit <= n for n, fit in enumerate(fits, start=3))


def test_the_logarithm_of_the_expected_improvement_goes_on_where_the_number_ends():
    gain = np.linspace(-60, 5, 500)
    worth = log_expected_improvement(gain, np.ones(500))
    assert np.isfinite(worth).all() and (np.diff(worth) > 0).all()
    assert worth[-1] == pytest.approx(np.log(5), abs=1e-3)


def model_of(settled):
    return settled.options["model"], settled.options["n_startup_trials"]


def test_auto_is_the_process_on_flat_spaces_and_tpe_on_conditional_ones():
    flat, conditional = definition(), definition(CONDITIONAL)
    assert (model_of(flat), model_of(conditional)) == (("gaussian_process", 5), ("tpe", 10))
    remark = engine_kind("optuna").remark
    assert "5 trials, then a Gaussian process; TPE after 150 trials" in remark(flat, None)
    assert "10 trials, then TPE" in remark(conditional, None)
    assert (flat.options["pruner"], flat.options["warmup_epochs"]) == ("successive_halving", 1)


def test_where_other_studies_teach_auto_is_what_learns_from_them():
    new = Definition("study", "space", None, CONDITIONAL, OBJECTIVE, "optuna", read_options("optuna", {}), 0, 9)
    lessons = {"other": (Lesson({"x0": 0.5}, 1.0),)}
    assert model_of(settle(replace(new, lessons=lessons), {})) == ("gaussian_process", 5)


def test_a_study_of_a_conditional_space_keeps_the_model_that_it_has():
    begun = definition(CONDITIONAL, model="gaussian_process")
    assert settle(begun, {}) == begun and model_of(begun) == ("gaussian_process", 5)
    assert isinstance(make_engine(begun, None)._plan.model, GaussianProcessSampler)


class Quick(Simulation):
    """Trials that take less than ten proposals."""

    def _new(self, run):
        return replace(super()._new(run), trainings=(Training(seconds=0.02),))


def test_where_a_proposal_would_take_more_than_a_tenth_of_a_trial_tpe_proposes_and_goes_on_so():
    assert proposal_seconds(6, 3) > 0.002
    straight = Quick(make_engine(definition(), None)).go(9)
    assert [bool(run.note.get(SLOW)) for run in straight.runs] == 5 * [False] + 4 * [True]
    cut = Quick(make_engine(definition(), None)).go(7)
    resumed = cut.resumed_on(make_engine(definition(), None))
    resumed.__class__ = Quick
    assert proposals(resumed.go(2).runs) == proposals(straight.runs)
    patient = Simulation(make_engine(definition(), None)).go(9)
    assert not any(run.note.get(SLOW) for run in patient.runs)
    assert proposals(patient.runs)[5:] != proposals(straight.runs)[5:]


def test_many_trials_are_left_to_tpe():
    engine = make_engine(definition(), None)
    assert engine._plan.is_slow(150, FLAT, 0.0) and not engine._plan.is_slow(149, FLAT, 0.0)
    asked = make_engine(definition(sampler="gaussian_process"), None)
    assert not asked._plan.is_slow(500, FLAT, 0.0)


def lessons_of(function, n=30):
    rng = np.random.default_rng(0)
    points = [{h.name: float(x) for h, x in zip(FLAT, point, strict=True)} for point in rng.uniform(size=(n, 3))]
    return tuple(Lesson(point, function(*point.values())) for point in points)


def test_other_studies_are_believed_as_far_as_the_own_trials_agree():
    def hill(x, y, z):
        return -((x - 0.7) ** 2) - (y - 0.2) ** 2 - 0.01 * z

    rows = np.random.default_rng(2).uniform(size=(12, 3))
    places = np.random.default_rng(9).uniform(size=(200, 3))
    truth = [hill(*place) for place in places]

    def learned(lessons, n):
        own = np.array([hill(*row) for row in rows[:n]])
        model = fitted(Cube(FLAT), rows[:n], np.ones(n), (own - own.mean()) / own.std(), lessons)
        lengths = np.exp(model.process.theta[len(FLAT) : -3])
        return spearmanr(model.predict(places)[0], truth).statistic, list(lengths)

    right, wrong = lessons_of(hill), lessons_of(lambda *point: -50 * hill(*point))
    assert learned([], 3)[0] < 0.8 and learned([right], 3)[0] > 0.95, "three trials know little, and the others much"
    assert learned([wrong], 12)[0] > 0.95, "what is wrong does no harm"
    quality, (far, near) = learned([wrong, right], 5)
    assert quality > 0.95 and far < 0.5 < 1 < near, "each study weighs by itself"
