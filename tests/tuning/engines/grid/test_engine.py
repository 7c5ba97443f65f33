"""The grid engine: scikit-learn's searches, on their own results and through whole searches."""

import json
import time
import warnings
from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
from sklearn.datasets import load_diabetes
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, KFold, RandomizedSearchCV

import tuning
from tests.conftest import SPACES
from tests.contracts.engine import EngineContract
from tests.processes import Driver, finished, records, wait_until
from tests.simulation import MIXED_SPACE, Simulation, proposals
from tests.spaces.ridge import RidgeSpace, regressor
from tests.tuning.driver.test_parts import KillsWorkers, without_random
from tuning.engines.base import Wait
from tuning.errors import OptionError, StudyError
from tuning.hyperparameters import Boolean, Float
from tuning.records.trial import State
from tuning.space.grids import distributions_of, grid_of

RIDGE = str(SPACES / "ridge.py")
HYPERPARAMETERS = (
    Float("alpha", 1.0, low=1e-2, high=1e3, sampling="log"),
    Boolean("fit_intercept", True),
)


class GridContract(EngineContract):
    name = "grid"

    def test_hyperparameters_that_turn_up_later_are_searched(self):
        """They are not: the candidates are known from the beginning."""
        simulation = Simulation(self.make(0))
        run = simulation.ask()
        late = Float("late", 0.5, low=0.0, high=1.0)
        simulation.trials[run.number] = replace(simulation.trials[run.number], found=(late.to_json(),))
        simulation.train(run)
        assert all("late" not in run.values for run in simulation.go(self.length).runs)


class TestGrid(GridContract):
    options = {"levels": 1}
    test_the_same_in_another_process = None  # nothing is drawn

    def test_equal_seeds_propose_equally_and_others_do_not(self):
        assert proposals(Simulation(self.make(0)).go(14).runs) == proposals(Simulation(self.make(1)).go(14).runs)

    def test_the_candidates_are_those_of_the_grid_in_its_order(self):
        from sklearn.model_selection import ParameterGrid

        runs = Simulation(self.make(limit=None)).go(100).runs
        assert [run.values for run in runs] == [
            {h.name: {**c, "version": 3}[h.name] for h in MIXED_SPACE if h.name in {**c, "version": 3}}
            for c in ParameterGrid(grid_of(MIXED_SPACE, 1))
        ]


class TestRandom(GridContract):
    label, options = "grid-random", {"search": "random"}


class TestHalvingGrid(GridContract):
    label, limit, length = "grid-halving-grid", None, 42
    options = {"search": "halving-grid", "levels": 1}
    test_the_same_in_another_process = None

    test_equal_seeds_propose_equally_and_others_do_not = TestGrid.test_equal_seeds_propose_equally_and_others_do_not

    @pytest.mark.medium
    def test_the_best_of_each_round_are_continued(self):
        simulation = Simulation(self.make()).go(200)
        by_round = {}
        for run in simulation.runs:
            by_round.setdefault(run.stop, []).append(run)
        assert [(stop, len(runs)) for stop, runs in by_round.items()] == [(1, 36), (3, 12), (9, 4)]
        for before, now in ((1, 3), (3, 9)):
            kept = {run.number for run in by_round[now]}
            scores = {r.number: simulation.trials[r.number].curve.values("score")[before - 1] for r in by_round[before]}
            assert kept == set(sorted(scores, key=scores.get)[-len(kept) :])
            assert all(run.start == before for run in by_round[now])

    @pytest.mark.medium
    def test_equal_scores_and_failures_do_not_confuse_it(self):
        simulation = Simulation(self.make(), fails=lambda values: values["layers"] != 4).go(200)
        continued = [run for run in simulation.runs if run.start]
        assert {run.values["layers"] for run in continued if run.stop == 9} == {4}
        assert all(simulation.trials[run.number].run.ended is not None for run in continued)


class TestHalvingRandom(GridContract):
    label, options = "grid-halving-random", {"search": "halving-random"}


def test_it_waits_for_a_round_to_end():
    simulation = Simulation(TestHalvingGrid().make())
    runs = [simulation.ask() for _ in range(36)]
    assert simulation.ask() is None and isinstance(simulation.done, Wait)
    for run in runs[:-1]:
        simulation.train(run)
    assert isinstance(simulation.engine.ask(), Wait) and all(map(simulation.engine.may_continue, range(36)))
    simulation.train(runs[-1])
    assert sum(map(simulation.engine.may_continue, range(36))) == 12
    assert simulation.ask().stop == 3


# Through whole searches ------------------------------------------------------------------------------------


@pytest.fixture
def search(tmp_path):
    def call(space=RIDGE, **arguments):
        defaults = {"engine": "grid", "epochs": 1, "seed": 0, "logs": tmp_path, "cv": 3}
        return tuning.search(space, **{**defaults, **arguments})

    return call


class Estimator(RidgeSpace):
    """The same training as a plain estimator of scikit-learn."""

    def __new__(cls):
        return regressor({"alpha": 1.0, "fit_intercept": True})


def rows():
    x, y = load_diabetes(return_X_y=True)
    return x[:301], y[:301] / 100


def theirs(kind, grid, **options):
    prefixed = [
        {f"ridge__{name}": values for name, values in g.items()} for g in (grid if isinstance(grid, list) else [grid])
    ]
    splitter = KFold(3, shuffle=True, random_state=0)
    return kind(Estimator(), prefixed, cv=splitter, scoring="neg_root_mean_squared_error", **options).fit(*rows())


def compare(study, expected, is_random=False):
    mine, other = study.cv_results_, expected.cv_results_
    plain = [{name.removeprefix("ridge__"): value for name, value in params.items()} for params in other["params"]]
    assert mine["params"] == plain
    for name in other:
        if "time" not in name and name != "params":
            got = mine[name.replace("ridge__", "")]
            np.testing.assert_allclose(
                got.astype(float) if "param_" in name else got, np.asarray(other[name], float), rtol=1e-12
            )
    assert set(mine) == {name.replace("ridge__", "") for name in other}
    best = {name.removeprefix("ridge__"): value for name, value in expected.best_params_.items()}
    assert study.best_params_ == best and study.search_.best_index_ == expected.best_index_
    assert study.search_.best_score_ == pytest.approx(expected.best_score_, rel=1e-12)
    assert -study.best.score == pytest.approx(expected.best_score_, rel=1e-12)


@pytest.mark.medium
def test_a_grid_search_is_that_of_scikit_learn(search):
    study = search(options={"levels": 4})
    assert len(study.trials) == 8
    compare(study, theirs(GridSearchCV, grid_of(HYPERPARAMETERS, 4)))
    compare(tuning.load(study.path), theirs(GridSearchCV, grid_of(HYPERPARAMETERS, 4)))
    times = study.cv_results_["mean_fit_time"]
    assert times.tolist() == [np.mean([p.seconds for p in t.trainings]) for t in study.trials]


@pytest.mark.medium
def test_a_random_search_is_that_of_scikit_learn(search):
    study = search(options={"search": "random"}, trials=5)
    options = {"n_iter": 5, "random_state": 0}
    compare(study, theirs(RandomizedSearchCV, distributions_of(HYPERPARAMETERS), **options))
    more = search(options={"search": "random"}, trials=7)
    assert [t.values for t in more.trials[:5]] == [t.values for t in study.trials] and len(more.trials) == 7
    compare(more, theirs(RandomizedSearchCV, distributions_of(HYPERPARAMETERS), **{**options, "n_iter": 7}))


@pytest.mark.medium
def test_a_given_grid(search):
    grid = [{"alpha": [0.1, 10], "fit_intercept": [True]}, {"alpha": [1.0]}]
    study = search(options={"grid": grid})
    assert [t.values for t in study.trials] == [{"alpha": a, "fit_intercept": True} for a in (0.1, 10.0, 1.0)]
    compare(search(options={"grid": json.dumps(grid)}), theirs(GridSearchCV, grid))
    with pytest.raises(StudyError, match="option 'grid' is"):
        search(options={"grid": {"alpha": [1.0]}})


@pytest.mark.medium
def test_a_grid_of_numpy_s_values(search):
    study = search(options={"grid": {"alpha": np.logspace(-1, 1, 3), "fit_intercept": np.array([True])}})
    assert [t.values["alpha"] for t in study.trials] == pytest.approx([0.1, 1.0, 10.0])
    assert type(study.trials[0].values["alpha"]) is float and type(study.trials[0].values["fit_intercept"]) is bool
    again = search(options={"grid": {"alpha": [*np.logspace(-1, 1, 3)], "fit_intercept": (np.True_,)}})
    assert len(again.trials) == 3, "it is the same grid"


@pytest.mark.medium
def test_distributions_of_scipy_are_those_of_a_random_search_of_scikit_learn(search):
    grid = {"alpha": scipy.stats.loguniform(0.1, 10), "fit_intercept": [True, False]}
    study = search(options={"search": "random", "grid": grid}, trials=4)
    compare(study, theirs(RandomizedSearchCV, grid, n_iter=4, random_state=0))
    written = json.dumps({"alpha": {"distribution": "loguniform", "args": [0.1, 10]}, "fit_intercept": [True, False]})
    assert len(search(options={"search": "random", "grid": written}, trials=5).trials) == 5, "it goes on with that"


@pytest.mark.medium
@pytest.mark.parametrize(("score", "expected"), [("last", lambda v: v[-1]), ("own", min)])
def test_other_rules_of_scoring(score, expected, search):
    study = search(options={"grid": {"alpha": [0.1, 10.0]}, "score": score}, epochs=3)
    for trial, row in zip(study.trials, study.cv_results_["mean_test_score"], strict=True):
        assert trial.score == -row == np.mean([expected(t.curve.values("val_rmse")) for t in trial.trainings])
    with pytest.raises(StudyError, match="option 'score' is common"):
        search(options={"grid": {"alpha": [0.1, 10.0]}, "score": "common"}, epochs=3)


@pytest.mark.medium
def test_halving_continues_the_best_candidates(search):
    options = {"search": "halving-grid", "levels": 6}
    study = search(options=options, epochs=9)
    results = study.cv_results_
    assert [(n, results["n_resources"].tolist().count(n)) for n in (1, 3, 9)] == [(1, 12), (3, 4), (9, 2)]
    assert {t.state for t in study.trials} == {State.COMPLETED}
    assert sorted(t.epochs for t in study.trials) == [1] * 8 + [3] * 2 + [9] * 2
    assert study.best_params_["epochs"] == 9 and -study.search_.best_score_ == pytest.approx(study.best.score)
    by_values = {(t.values["alpha"], t.values["fit_intercept"]): t for t in study.trials}
    for params, score in zip(results["params"], results["mean_test_score"], strict=True):
        trial = by_values[params["alpha"], params["fit_intercept"]]
        scores = [min(p.curve.until(params["epochs"]).values("val_rmse")) for p in trial.trainings]
        assert score == pytest.approx(-np.mean(scores), rel=1e-12)
    assert "mean_train_score" not in results and isinstance(study.search_, HalvingGridSearchCV)


@pytest.mark.medium
def test_a_candidate_that_fails_is_ranked_last(search, monkeypatch):
    monkeypatch.setenv("RIDGE_FAILS_ALPHA", "10.0")
    study = search(options={"grid": {"alpha": [0.1, 10.0, 1.0]}})
    assert [t.state for t in study.trials] == [State.COMPLETED, State.FAILED, State.COMPLETED]
    results = study.cv_results_
    assert np.isnan(results["mean_test_score"]).tolist() == [False, True, False]
    assert results["rank_test_score"][1] == 3


@pytest.mark.medium
def test_without_a_number_of_folds_there_are_five_as_in_scikit_learn(search):
    study = search(cv=None, options={"levels": 1})
    assert [len(t.trainings) for t in study.trials] == [5, 5] and study.search_.n_splits_ == 5
    assert [len(t.trainings) for t in search(cv=None, options={"levels": 1}).trials] == [5, 5]


@pytest.mark.medium
def test_repeats_are_further_splits(search):
    study = search(repeats=2, options={"levels": 1})
    assert study.search_.n_splits_ == 6


@pytest.mark.medium
def test_trials_limits_a_grid_and_its_results_wait_for_the_rest(search):
    study = search(options={"levels": 3}, trials=4)
    assert len(study.trials) == 4
    with pytest.raises(StudyError, match="others are still to be trained"):
        study.cv_results_  # noqa: B018
    compare(search(options={"levels": 3}), theirs(GridSearchCV, grid_of(HYPERPARAMETERS, 3)))
    plain = search(engine="random", trials=1, study="plain")
    with pytest.raises(StudyError, match="must be of the engine grid, but it is of random"):
        plain.search_  # noqa: B018


@pytest.mark.parametrize(
    "options, text",
    [
        ({"grid": {"beta": [1]}}, r"`grid` must name hyperparameters \(alpha, fit_intercept\), but got 'beta'"),
        ({"grid": {"alpha": [1e9]}}, r"`alpha in grid` must be 0.01 .. 1000.0 \(log\), but got 1000000000.0"),
        ({"grid": {"alpha": 1.0}}, "`grid` must be"),
        ({"grid": "{"}, "`grid` must be"),
        ({"grid": {"alpha": "abc"}}, "`grid` must be"),
        ({"grid": {"alpha": scipy.stats.loguniform(0.1, 1)}}, "`alpha in grid` must be a list of values, because"),
        (
            {"search": "random", "grid": {"alpha": scipy.stats.uniform(0, 9)}},
            r"`alpha in grid` must draw nothing but 0.01 .. 1000.0 \(log\), but got 'uniform\(0, 9\)'",
        ),
        ({"search": "random", "grid": {"fit_intercept": scipy.stats.randint(0, 2)}}, "must be a list of values"),
        ({"search": "random", "grid": {"alpha": {"distribution": "norms"}}}, "must name a distribution of scipy.stats"),
        ({"score": "best"}, "`score` must be one of common, last, own"),
        ({"search": "bayes"}, "`search` must be one of grid, random, halving-grid, halving-random"),
        ({"search": "halving-grid", "min_resources": 20}, "scikit-learn refuses the options.*min_resources_=20"),
        ({"factor": 1}, "`factor` must be a number > 1"),
    ],
)
def test_options_that_do_not_fit_are_refused_before_anything_is_written(options, text, search, tmp_path):
    with pytest.raises(OptionError, match=text):
        search(options=options)
    assert not list(tmp_path.iterdir())


# Going on ------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_killed_and_resumed_it_ends_like_an_uninterrupted_search(search, tmp_path):
    options = {"search": "halving-grid", "levels": 3}
    arguments = {"engine": "grid", "epochs": 3, "seed": 0, "cv": 3, "options": options}
    database = tmp_path / "killed" / "trials.db"
    for count in (1, 4):
        driver = Driver(RIDGE, env={"RIDGE_EPOCH_SECONDS": "0.03"}, logs=tmp_path, study="killed", **arguments)
        wait_until(lambda count=count: len(records(database)) > count)
        time.sleep(0.04)
        driver.kill()
    before = finished(records(database))
    resumed, straight = search(**arguments, study="killed"), search(**arguments, study="straight")
    assert before.items() <= records(database).items()
    assert without_random(resumed) == without_random(straight)
    for name, column in straight.cv_results_.items():
        if "time" not in name:
            assert list(resumed.cv_results_[name]) == list(column)


@pytest.mark.slow
def test_workers_train_folds_in_parallel_and_a_killed_one_costs_one_fold(search):
    options = {"grid": {"alpha": [0.1, 10.0]}}
    alone, kills = search(options=options, epochs=3, study="alone"), KillsWorkers((0, 1, 2))
    killed = search(options=options, epochs=3, study="killed", workers=2, observers=[kills])
    assert not kills.targets and without_random(killed) == without_random(alone)
    retrained = [(t, p) for t in range(2) for p in range(3) if sum(e[:2] == (t, p) for e in kills.trained) > 3]
    assert retrained == [(0, 1)]
    assert killed.best_params_ == alone.best_params_


@pytest.mark.slow
def test_candidates_and_folds_are_stored_as_they_end(tmp_path):
    driver = Driver(
        RIDGE, env={"RIDGE_EPOCH_SECONDS": "0.2"}, logs=tmp_path, study="s", engine="grid", epochs=1, seed=0, cv=3
    )
    database = tmp_path / "s" / "trials.db"

    def n_ended():
        trials = [json.loads(text) for text in records(database).values()]
        return [sum(bool(part["untils"]) for part in trial["trainings"]) for trial in trials]

    wait_until(lambda: n_ended() == [3, 1])
    board = tmp_path / "s" / "tensorboard"
    sessions = {str(path.parent.relative_to(board)) for path in board.rglob("*.session-*.tuning")}
    driver.kill()
    assert sessions == {f"trial_0000/fold_{fold}" for fold in range(3)}
    assert (board / "trial_0001" / "fold_0" / "running").is_dir()


@pytest.mark.slow
def test_tune_run(tune_here):
    done = tune_here(
        "run", RIDGE, "--engine", "grid", "--cv", 2, "--epochs", 1, "--workers", 1, "--seed", 0, "-o",
        'grid={"alpha": [0.1, 10], "fit_intercept": [true]}', "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    trials = json.loads(done.stdout)["trials"]
    assert [t["values"]["alpha"] for t in trials] == [0.1, 10.0]
    assert all(len(t["part_scores"]) == 2 for t in trials)


@pytest.mark.medium
def test_no_warnings_reach_the_user(search, monkeypatch):
    monkeypatch.setenv("RIDGE_FAILS_ALPHA", "10.0")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        search(options={"grid": {"alpha": [0.1, 10.0]}}).cv_results_  # noqa: B018
