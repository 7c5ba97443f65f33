"""Searches of a planted space: what Optuna's samplers and pruners are told, and those that a person has made."""

from dataclasses import replace

import numpy as np
import optuna
import pytest

import tuning
from tuning.engines.registry import make_engine
from tuning.errors import OptionError, StudyError
from tuning.records.trial import State, Training
from tuning.tensorboard.hparams import session_starts_in

# What samplers and pruners are told -----------------------------------------------------------------------


class Planted(tuning.SearchSpace):
    """A loss that falls with the epochs, and the faster the better `quality` is; below 0.05 it grows."""

    name, objective = "planted", "val_loss:min"

    def build(self, hp):
        return hp.Float("quality", 0, 1, default=0.5)

    def fit(self, hp, model, x, *, epochs, initial_epoch=0, callbacks=(), **_):
        for epoch in range(initial_epoch, epochs):
            loss = 5.0 + epoch if model < 0.05 else 1 - model + 1 / (epoch + 1)
            if model > 0.99 and epoch:
                loss = float("nan")
            if any(callback.on_epoch_end(epoch, {"val_loss": loss}) for callback in callbacks):
                break

    def load_data(self):
        return tuning.Data([0])


@pytest.fixture
def search(tmp_path):
    def call(space=None, **arguments):
        given = {"engine": "optuna", "epochs": 12, "seed": 0, "logs": tmp_path, **arguments}
        return tuning.search(Planted() if space is None else space, **given)

    return call


GOOD = [{"quality": 0.2 + 0.05 * i} for i in range(12)]
BAD = {"quality": 0.01}


@pytest.mark.medium
@pytest.mark.parametrize(
    ("pruner", "options", "first"),
    [
        ("median", {}, 3),
        ("median", {"warmup_epochs": 5}, 6),
        ("percentile", {"percentile": 50}, 3),
        ("successive_halving", {"reduction_factor": 2}, 3),
        ("hyperband", {}, 7),  # trial 12 falls into the bracket that begins with three times the warm-up
        ("threshold", {"upper": 4.0}, 3),
        ("patient", {"patience": 3}, 5),
    ],
)
def test_a_planted_bad_trial_is_pruned(search, pruner, options, first):
    study = search(tries=[*GOOD, BAD], trials=13, options={"pruner": pruner, **options})
    bad = study.trials[-1]
    assert bad.state is State.PRUNED and bad.epochs == first, "judged after its warm-up, and then at once"
    assert bad.score == 5.0 and bad.best_epoch == 0 and len(bad.curve) == bad.epochs and bad.values == BAD
    assert study.best.state is State.COMPLETED and study.best.epochs == 12
    theirs = optuna.load_study(study_name=study.name, storage=f"sqlite:///{study.path}/trials.db").trials[-1]
    assert theirs.state.name == "PRUNED" and theirs.intermediate_values == {e: 5.0 + e for e in range(first)}
    folder = study.path / "tensorboard" / "trial_0012"
    (start,) = session_starts_in(folder)
    assert start.hparams["trial_state"].string_value == "pruned" and not (folder / "running").exists()


@pytest.mark.medium
@pytest.mark.parametrize(("epochs", "first"), [(3, 2), (12, 3), (40, 5)])
def test_the_default_pruner_has_a_warm_up_and_never_judges_early(search, epochs, first):
    study = search(tries=[*GOOD, BAD], trials=13, epochs=epochs)
    assert study.definition.options["pruner"] == "successive_halving"
    assert study.trials[-1].epochs == first


@pytest.mark.medium
@pytest.mark.parametrize("pruner", ["successive_halving", "median"])
def test_what_has_been_trained_to_its_end_is_not_stopped(search, pruner):
    study = search(tries=[*GOOD, BAD], trials=13, epochs=3, options={"pruner": pruner, "warmup_epochs": 2})
    assert {(t.state, t.epochs) for t in study.trials} == {(State.COMPLETED, 3)}


@pytest.mark.medium
def test_nothing_is_pruned_without_a_pruner(search):
    study = search(tries=[*GOOD, BAD], trials=13, options={"pruner": "none"})
    assert {(t.state, t.epochs) for t in study.trials} == {(State.COMPLETED, 12)}


@pytest.mark.medium
def test_wilcoxon_spares_a_bad_trial_its_last_folds(search):
    class Folded(Planted):
        def fit(self, hp, model, x, y, *, validation_data, callbacks=(), **_):
            loss = 1 - model + float(validation_data[0][0]) / 100
            any(callback.on_epoch_end(0, {"val_loss": loss}) for callback in callbacks)

        def load_data(self):
            return tuning.Data(np.arange(16.0), np.arange(16) / 7)

    study = search(Folded(), tries=[{"quality": 0.9}, {"quality": 0.2}], trials=2, epochs=1, cv=8)
    assert study.definition.options["pruner"] == "wilcoxon"
    good, bad = study.trials
    assert good.state is State.COMPLETED and None not in good.part_scores
    assert bad.state is State.PRUNED and bad.part_scores.count(None) in range(1, 6)


@pytest.mark.medium
def test_a_diverged_trial_is_failed_and_teaches(search):
    study = search(tries=[{"quality": 1.0}, {"quality": 0.5}], trials=2)
    assert [t.state for t in study.trials] == [State.FAILED, State.COMPLETED]
    definition = replace(study.definition, tries=())
    engine = make_engine(definition, 9)
    engine.restore(study.trials, None)
    diverged, other = engine._study().trials
    assert other.value == study.trials[1].score
    assert diverged.state.name == "COMPLETE" and diverged.value > other.value, "worse than all others"
    engine = make_engine(definition, 9)
    engine.restore(
        [replace(study.trials[0], trainings=(Training(study.trials[0].curve.until(1)),)), study.trials[1]], None
    )
    assert engine._study().trials[0].state.name == "FAIL", "what failed for another reason says nothing"


@pytest.mark.medium
def test_trials_after_a_diverged_one_stay_away(search):
    tries = [{"quality": q} for q in (1.0, 0.995, 0.999, 0.991, 0.2, 0.3, 0.4, 0.6)]
    study = search(tries=tries, trials=24, options={"sampler": "tpe", "n_startup_trials": 8, "pruner": "none"})
    later = [t.values["quality"] for t in study.trials[8:]]
    assert sum(q > 0.99 for q in later) <= 2 and max(later) > 0.7


# Samplers and pruners that a person has made --------------------------------------------------------------


@pytest.mark.medium
def test_instances_are_used_remembered_by_class_and_left_as_they_were(search):
    sampler = optuna.samplers.TPESampler(n_startup_trials=3)
    pruner = optuna.pruners.PercentilePruner(50.0, n_startup_trials=2, n_warmup_steps=3)
    before = (repr(vars(pruner)), sampler._rng._rng)
    options = {"sampler": sampler, "pruner": pruner}
    straight = search(trials=10, options=options, study="straight")
    search(trials=4, options=options, study="parts")
    parts = search(
        trials=10, options={"sampler": optuna.samplers.TPESampler(n_startup_trials=3), "pruner": pruner}, study="parts"
    )
    assert [t.values for t in parts.trials] == [t.values for t in straight.trials]
    assert [(t.state, t.epochs) for t in parts.trials] == [(t.state, t.epochs) for t in straight.trials]
    assert any(t.state is State.PRUNED and t.epochs == 4 for t in parts.trials)
    assert (repr(vars(pruner)), sampler._rng._rng) == before
    stored = parts.definition.options
    assert stored["sampler"] == "instance of optuna.samplers.TPESampler"
    assert stored["pruner"] == "instance of optuna.pruners.PercentilePruner"
    with pytest.raises(OptionError, match=r"`sampler` must be given again.*`pruner` must be given again"):
        search(trials=12, study="parts")
    with pytest.raises(StudyError, match="option 'sampler' is tpe"):
        search(trials=12, study="parts", options={**options, "sampler": "tpe"})


@pytest.mark.medium
def test_a_sampler_of_ones_own_class(search):
    class Descending(optuna.samplers.BaseSampler):
        def infer_relative_search_space(self, study, trial):
            return {}

        def sample_relative(self, study, trial, search_space):
            return {}

        def sample_independent(self, study, trial, param_name, param_distribution):
            return param_distribution.high - 0.1 * (trial.number + 1)

    study = search(trials=4, options={"sampler": Descending(), "pruner": "none"})
    assert [t.values["quality"] for t in study.trials] == pytest.approx([0.9, 0.8, 0.7, 0.6])


@pytest.mark.medium
def test_pruned_trials_are_restored_with_all_that_the_pruner_knows(search):
    options = {"pruner": "successive_halving", "reduction_factor": 2, "sampler": "tpe", "n_startup_trials": 4}
    straight = search(trials=16, options=options, study="straight")
    search(trials=7, options=options, study="parts")
    parts = search(trials=16, study="parts")
    assert [(t.values, t.state, t.epochs) for t in parts.trials] == [
        (t.values, t.state, t.epochs) for t in straight.trials
    ]
    assert {t.state for t in parts.trials} >= {State.PRUNED, State.COMPLETED}
