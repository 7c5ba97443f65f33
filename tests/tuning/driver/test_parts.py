"""Trials that are trained several times: folds and repeats, through the whole search."""

import json
import os
import signal
import time

import numpy as np
import pytest
from sklearn.model_selection import KFold, cross_val_score

import tuning
from tests.conftest import SPACES
from tests.layers import few
from tests.processes import Driver, finished, records, wait_until
from tests.spaces.ridge import RidgeSpace, regressor
from tuning.driver.observer import Observer
from tuning.driver.seeds import seed_of_trial
from tuning.engines.base import Done, Engine
from tuning.errors import OptionError, SearchFailedError, StudyError
from tuning.records.trainings import not_ended
from tuning.records.trial import Run, State
from tuning.storage.store import Store

RIDGE = str(SPACES / "ridge.py")
ENGINES = {
    "random": {"engine": "random", "trials": 4},
    "hyperband": {"engine": "hyperband", "trials": None},
    "bayesian": {"engine": "bayesian", "trials": 5, "options": {"num_initial_points": 3}},
}


@pytest.fixture
def search(tmp_path):
    def call(space=RIDGE, **arguments):
        defaults = {"engine": "random", "trials": 3, "epochs": 4, "seed": 0, "logs": tmp_path, "cv": 3}
        return tuning.search(space, **{**defaults, **arguments})

    return call


def without_random(study):
    """Return all of a study that must be the same in each search with the same seed."""
    return [
        (t.number, t.state, t.part_scores, dict(t.values), *map(t.curve.values, ("val_rmse", "random")))
        for t in study.trials
    ]


# Searches ------------------------------------------------------------------------------------------------


@pytest.mark.medium
@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_scores_by_the_mean_over_folds(engine, search):
    study = search(**ENGINES[engine], epochs=9)
    splitter = KFold(3, shuffle=True, random_state=0)
    data = RidgeSpace().load_data()
    x, y = np.concatenate([data.x, data.validation[0]]), np.concatenate([data.y, data.validation[1]])
    for trial in study.trials:
        assert trial.state is State.COMPLETED and len(trial.trainings) == 3
        theirs = -cross_val_score(regressor(trial.values), x, y, cv=splitter, scoring="neg_root_mean_squared_error")
        np.testing.assert_allclose(trial.part_scores, theirs - 0.001 * (trial.epochs - 1), rtol=1e-12)
        assert trial.score == pytest.approx(np.mean(trial.part_scores), rel=1e-12)
        assert all(len(p.curve) == trial.epochs == p.untils[-1] and p.seconds > 0 for p in trial.trainings)
        assert trial.seconds == pytest.approx(sum(p.seconds for p in trial.trainings))
        assert [p.curve.values("rows")[0] for p in trial.trainings] == [200, 201, 201]
    assert study.best.score == min(t.score for t in study.trials)
    if engine == "hyperband":
        assert max(len(t.runs) for t in study.trials) > 1, "promoted with all its folds"


@pytest.mark.medium
def test_repeats_train_with_other_seeds_and_the_first_is_the_plain_training(search):
    plain, repeated = search(cv=None), search(cv=None, repeats=3, study="repeated")
    for mine, theirs in zip(plain.trials, repeated.trials, strict=True):
        draws = [p.curve.values("random") for p in theirs.trainings]
        assert draws[0] == mine.curve.values("random") and len(set(map(tuple, draws))) == 3
        assert len(mine.trainings) == 1 and mine.part_scores == (mine.score,) and "part_scores" not in mine.to_json()
    assert len({seed_of_trial(0, 1), seed_of_trial(0, 1, 1), seed_of_trial(0, 1, 2), seed_of_trial(0, 2)}) == 4


@pytest.mark.medium
def test_folds_and_repeats_together(search):
    study = search(repeats=2)
    assert study.definition.training_names == tuple(f"repeat_{r}_fold_{f}" for r in range(2) for f in range(3))
    for trial in study.trials:
        assert trial.part_scores[:3] == trial.part_scores[3:]
        assert [p.curve.values("rows")[0] for p in trial.trainings] == 2 * [200, 201, 201]
        draws = [p.curve.values("random")[0] for p in trial.trainings]
        assert draws[0] == draws[1] == draws[2] != draws[3] == draws[4] == draws[5], "folds of a repeat share a seed"


@pytest.mark.slow
def test_workers_train_folds_side_by_side_with_the_same_result(search):
    alone, together = search(study="alone"), search(study="together", workers=2)
    assert without_random(alone) == without_random(together)
    pids = [[p.curve.values("pid")[0] for p in t.trainings] for t in together.trials]
    assert len({pid for trial in pids for pid in trial}) > 1


class Listener(Observer):
    def __init__(self):
        self.heard, self.trained = [], []

    def epoch_ended(self, trial):
        self.heard.append(("epoch", trial.number, trial.epochs))

    def training_epoch_ended(self, trial, part):
        self.trained.append((trial.number, part, len(trial.trainings[part].curve)))

    def run_ended(self, trial):
        self.heard.append(("run", trial.number))

    def trial_ended(self, trial):
        self.heard.append(("trial", trial.number))


@pytest.mark.medium
def test_observers_and_optuna_see_the_mean_curve(search):
    import optuna

    listener = Listener()
    study = search(trials=1, observers=[listener])
    assert listener.trained == [(0, fold, epochs) for fold in range(3) for epochs in range(1, 5)]
    assert listener.heard == [("epoch", 0, epochs) for epochs in range(1, 5)] + [("run", 0), ("trial", 0)]
    theirs = optuna.load_study(study_name=study.name, storage=f"sqlite:///{study.path}/trials.db")
    assert theirs.best_value == study.best.score
    assert theirs.best_trial.intermediate_values == dict(enumerate(study.best.curve.values("val_rmse")))


# Failures ------------------------------------------------------------------------------------------------


@pytest.mark.medium
@pytest.mark.parametrize(
    "how, error, workers",
    few(
        [
            ("FAILS", "ValueError: 200 rows", 1),
            ("DIVERGES", "training diverged", 1),
            ("FAILS", "ValueError: 200 rows", 2),
        ]
    ),
)
def test_a_fold_that_fails_fails_its_trial(how, error, workers, search, monkeypatch):
    monkeypatch.setenv(f"RIDGE_{how}", "200")  # the rows of the first fold
    listener = Listener()
    with pytest.raises(SearchFailedError, match="all 3 trials failed"):
        search(observers=[listener], workers=workers)
    study = tuning.load(folder_of(search))
    assert {t.state for t in study.trials} == {State.FAILED} and study.best is None
    assert all(error in t.error and t.run.ended is not None for t in study.trials)
    if workers == 1:
        assert all(part == 0 for _, part, _ in listener.trained), "the other folds are not trained in vain"


def folder_of(search):
    return search.__closure__[0].cell_contents / "ridge-random"


class Stopping(Engine):
    """Asks for one trial, and stops it after a number of calls."""

    def __init__(self, after):
        self.after, self.seen = after, []

    def ask(self):
        return Done() if self.seen or self.asked else self._run()

    asked = False

    def _run(self):
        self.asked = True
        return Run(0, {"alpha": 1.0, "fit_intercept": True}, 0, 4)

    def tell(self, trial):
        self.told = trial

    def should_stop(self, trial):
        self.seen.append((trial.epochs, sum(score is not None for score in trial.part_scores)))
        return len(self.seen) == self.after

    def may_continue(self, number):
        return False

    def dump(self):
        return None

    def restore(self, trials, state):
        pass


@pytest.mark.medium
@pytest.mark.parametrize("after", [3, 5, 13])
def test_an_engine_stops_a_trial_whatever_fold_is_being_trained(after, search, monkeypatch):
    engine = Stopping(after)
    monkeypatch.setattr("tuning.driver.opening.make_engine", lambda *_: engine)
    study = search()
    (trial,) = study.trials
    assert trial.state is State.PRUNED and engine.told == trial and len(engine.seen) == after
    # 4 epochs of a fold, and one look after the end of each but the last
    if after == 13:
        assert engine.seen == [(0, 0)] * 4 + [(0, 1)] * 5 + [(0, 2)] + [(1, 2), (2, 2), (3, 2)]
    assert [len(p.curve) for p in trial.trainings] == {3: [3, 0, 0], 5: [4, 0, 0], 13: [4, 4, 3]}[after]
    assert (trial.score is None) == (after < 13)


class KillsWorkers(Observer):
    """Kills the worker of a part after an epoch."""

    def __init__(self, *targets):
        self.targets, self.trained = list(targets), []

    def training_epoch_ended(self, trial, part):
        entry = (trial.number, part, len(trial.trainings[part].curve))
        self.trained.append(entry)
        if entry in self.targets:
            self.targets.remove(entry)
            os.kill(int(trial.trainings[part].curve.epochs[-1]["pid"]), signal.SIGKILL)


@pytest.mark.slow
def test_a_killed_worker_costs_one_fold_and_a_second_one_its_trial(search):
    straight, kills = search(study="straight"), KillsWorkers((0, 1, 2), (1, 0, 1), (1, 0, 2))
    killed = search(study="killed", workers=2, observers=[kills])
    assert not kills.targets
    assert [t.state for t in killed.trials] == [State.COMPLETED, State.FAILED, State.COMPLETED]
    assert "training was lost 2 times" in killed.trials[1].error
    assert [without_random(killed)[n] for n in (0, 2)] == [without_random(straight)[n] for n in (0, 2)]
    trained = [e[:2] for e in kills.trained]
    assert {key for key in trained if trained.count(key) > 4} <= {(0, 1)}, "no other fold is trained again"


# Going on ------------------------------------------------------------------------------------------------


@pytest.mark.medium
@pytest.mark.parametrize("method", ["save", "close_trial"])
def test_killed_at_any_write_it_goes_on_as_if_nothing_had_happened(search, monkeypatch, method):
    arguments = {**ENGINES["hyperband"], "epochs": 3}
    straight = search(**arguments, study="straight")

    class Killed(BaseException):
        pass

    genuine, calls = getattr(Store, method), [0]
    for moment in (2, 3, 1):

        def dying(self, *given, moment=moment):
            calls[0] += 1
            if calls[0] == moment:
                raise Killed
            return genuine(self, *given)

        calls[0] = 0
        with monkeypatch.context() as patch:
            patch.setattr(Store, method, dying)
            with pytest.raises(Killed):
                search(**arguments, study="killed")
    assert without_random(search(**arguments, study="killed")) == without_random(straight)


@pytest.mark.slow
def test_a_fold_that_has_ended_is_not_trained_again_after_a_kill(search, tmp_path):
    arguments = {"engine": "random", "trials": 2, "epochs": 4, "seed": 0, "cv": 3}
    driver = Driver(RIDGE, env={"RIDGE_EPOCH_SECONDS": "0.05"}, logs=tmp_path, study="s", **arguments)

    def ended_folds():
        texts = records(tmp_path / "s" / "trials.db").values()
        return sum(bool(t["untils"]) for text in texts for t in json.loads(text)["trainings"])

    wait_until(lambda: ended_folds() == 2)
    time.sleep(0.07)
    driver.kill()
    assert ended_folds() == 2 and not finished(records(tmp_path / "s" / "trials.db"))
    listener = Listener()
    resumed = search(**arguments, study="s", observers=[listener])
    assert listener.trained[0] == (0, 2, 1) and len(listener.trained) == 4 + 3 * 4
    assert without_random(resumed) == without_random(search(**arguments, study="straight"))


class Interrupts(Observer):
    """Presses Ctrl-C after an epoch of a part."""

    def __init__(self, part, epochs):
        self.moment, self.trained = (part, epochs), []

    def training_epoch_ended(self, trial, part):
        self.trained.append((part, len(trial.trainings[part].curve)))
        if self.trained[-1] == self.moment:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.medium
def test_interrupted_in_the_middle_of_a_fold_it_goes_on(search):
    observer = Interrupts(1, 2)
    with pytest.raises(KeyboardInterrupt):
        search(trials=1, observers=[observer])
    (trial,) = tuning.load(folder_of(search)).trials
    assert trial.is_training and not_ended(trial) == [1, 2] and [len(p.curve) for p in trial.trainings] == [4, 2, 0]
    assert without_random(search(trials=1)) == without_random(search(trials=1, study="straight"))


@pytest.mark.medium
def test_folds_and_repeats_that_are_not_given_are_those_of_the_study_and_others_are_refused(search):
    search(repeats=2)
    assert len(search(cv=None, trials=4).trials[3].trainings) == 6
    with pytest.raises(StudyError, match="cv 'folds' is 4, in the study 3.*repeats is 2, in the study 2|cv 'folds'"):
        search(cv=4)
    with pytest.raises(StudyError, match="repeats is 3, in the study 2"):
        search(repeats=3)
    search(cv=KFold(3), study="own")
    with pytest.raises(StudyError, match="cv 'folds' is absent, in the study 3"):
        search(cv=None, study="own")
    assert len(search(cv=KFold(3), study="own", trials=4).trials) == 4


def test_what_does_not_fit_is_refused_before_anything_is_written(search, tmp_path):
    x, y = np.arange(20.0)[:, None], np.arange(20.0)
    for given in ({"cv": 3}, {"cv": 2, "engine": "grid", "trials": None}):
        with pytest.raises(OptionError, match="`validation_data` must be None with folds"):
            search(x=x, y=y, validation_data=(x, y), **given)
    for wrong in ({"cv": 0}, {"cv": "3"}, {"cv": 400}, {"repeats": 0}, {"repeats": 2.5}):
        with pytest.raises(OptionError, match=f"`{next(iter(wrong))}` must"):
            search(**wrong)
    assert not list(tmp_path.iterdir())


@pytest.mark.medium
@pytest.mark.parametrize("door", [{"cv": 1}, {"cv": None, "validation": True}])
def test_a_grid_without_folds_validates_as_every_other_engine_does(search, door):
    x = np.random.default_rng(0).normal(size=(60, 3))
    y = x @ [1.0, 2.0, 3.0]
    given = {"x": x[:40], "y": y[:40], "validation_data": (x[40:], y[40:])} if door.pop("validation", False) else {}
    arguments = {"engine": "grid", "trials": 2, "options": {"levels": 2}, **given}
    study = search(**arguments, **door)
    assert study.definition.cv is None and len(study.trials) == 2
    assert all(len(trial.trainings) == 1 and trial.score == trial.curve.epochs[trial.best_epoch]["val_rmse"]
               for trial in study.trials)  # fmt: skip
    again = search(**{**arguments, "cv": None, "trials": 3})
    assert again.definition.cv is None and len(again.trials) == 3


@pytest.mark.medium
def test_given_arrays_are_divided(search):
    x = np.random.default_rng(0).normal(size=(90, 3))
    study = search(x=x, y=x @ [1.0, 2.0, 3.0], trials=1)
    assert [p.curve.values("rows")[0] for p in study.best.trainings] == 3 * [60]


@pytest.mark.medium
def test_epochs_can_be_a_hyperparameter(search):
    class Epochs(RidgeSpace):
        def fit(self, hp, model, x, y, **options):
            return super().fit(hp, model, x, y, **{**options, "epochs": hp.Choice("epochs", [1, 3, 6])})

    study = search(Epochs(), trials=5)
    assert {t.values["epochs"] for t in study.trials} == {1, 3, 6}
    for trial in study.trials:
        assert [len(p.curve) for p in trial.trainings] == 3 * [trial.values["epochs"]] and trial.epochs == len(
            trial.curve
        )


@pytest.mark.medium
def test_folds_that_end_early_leave_the_others_alone(search):
    class Uneven(RidgeSpace):
        def fit(self, hp, model, x, y, **options):
            return super().fit(hp, model, x, y, **{**options, "epochs": 2 if len(x) == 200 else 4})

    study = search(Uneven(), trials=2)
    for trial in study.trials:
        assert [len(p.curve) for p in trial.trainings] == [2, 4, 4] and trial.epochs == 4
        assert trial.curve.values("rows") == pytest.approx([602 / 3, 602 / 3, 201, 201])


# The command line ------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_tune_run_and_show(tune_here):
    limits = ["--trials", 2, "--epochs", 2, "--seed", 0, "--workers", 1]
    done = tune_here("run", RIDGE, "--engine", "random", "--cv", 3, *limits)
    assert done.returncode == 0 and "± 0.0" in done.stderr and "in 3 parts" in done.stderr, done.stderr
    shown = tune_here("show", "ridge-random").stdout
    record = json.loads(tune_here("show", "ridge-random", "--json").stdout)
    assert "3 folds by KFold(n_splits=3, random_state=0, shuffle=True)" in shown
    assert record["cv"]["folds"] == 3 and "repeats" not in record
    for trial in record["trials"]:
        assert trial["score"] == pytest.approx(np.mean(trial["part_scores"]))
        assert trial["score_std"] == pytest.approx(np.std(trial["part_scores"]))
        assert " ".join(f"{score:.4f}" for score in trial["part_scores"]) in shown
        assert f"{trial['score_std']:.4f}" in shown
