"""Tuners that train nothing: what reaches the oracle, what ends a search, what is tried again."""

import random
import warnings
from pathlib import Path

import numpy as np
import pytest

import tuning
from tests.tuning.keras_tuner.conftest import studies
from tuning.records.trial import State


@pytest.fixture
def made(tuners):
    """Make a tuner whose `run_trial` is the given function of the hyperparameters."""

    def make(run, objective=None, oracle="RandomSearchOracle", project="p", overwrite=False, **options):
        class Given(tuners.Tuner):
            def run_trial(self, trial, *args, **kwargs):
                return run(trial.hyperparameters)

        options = {"max_trials": 3, "seed": 1, **options}
        made_oracle = getattr(tuners.oracles, oracle)(objective=objective, **options)
        return Given(oracle=made_oracle, directory="out", project_name=project, overwrite=overwrite)

    return make


def in_order(oracle):
    """Return an oracle's trials in their order, in which files are not found again."""
    return [oracle.trials[trial_id] for trial_id in sorted(oracle.trials)]


def only_study():
    ((study, _),) = studies("out").values()
    return study


@pytest.mark.medium
@pytest.mark.parametrize(
    ("returned", "objective", "score"),
    [(0.5, None, 0.5), ({"y": 2.0, "z": 1}, ("y", "max"), 2.0), ([1.0, 2.0], None, 1.5)],
)
def test_what_run_trial_returns_is_the_score_of_both(tuners, made, returned, objective, score):
    objective = None if objective is None else tuners.Objective(*objective)
    tuner = made(lambda hp: (hp.Float("a", 0, 1), returned)[1], objective)
    tuner.search()
    assert [trial.score for trial in tuner.oracle.trials.values()] == [score] * 3
    study = only_study()
    assert [trial.score for trial in study.trials] == [score] * 3
    assert [dict(trial.values) for trial in study.trials] == [
        trial.hyperparameters.values for trial in tuner.oracle.trials.values()
    ]


@pytest.mark.parametrize(
    ("returned", "objective", "error", "text"),
    [
        (None, None, "FatalTypeError", "is None. Did you forget to return the metrics?"),
        ("text", "val_loss", "FatalTypeError", "to be one of float, dict"),
        ({"other": 1.0}, "val_loss", "FatalValueError", "the specified objective"),
        ({"other": 1.0}, None, "FatalTypeError", "a single float"),
    ],
)
def test_what_cannot_be_a_result_ends_the_search_with_keras_tuners_error(
    tuners, made, returned, objective, error, text
):
    tuner = made(lambda hp: (hp.Int("a", 0, 9), returned)[1], objective)
    with pytest.raises(getattr(tuners.errors, error), match=text.replace(".", r"\.").replace("?", r"\?")):
        tuner.search()


def test_a_fatal_error_is_raised_as_it_was(tuners, made):
    raised = tuners.errors.FatalRuntimeError("the very one")

    def run(hp):
        raise raised

    with pytest.raises(tuners.errors.FatalRuntimeError) as caught:
        made(run).search()
    assert caught.value is raised


@pytest.mark.medium
def test_a_trial_is_tried_again_as_often_as_asked_for_and_is_one_trial(made, capsys):
    attempts = []

    def run(hp):
        attempts.append((hp.Int("a", 0, 99), random.random(), np.random.rand()))
        if len(attempts) % 3:
            raise ValueError("flaky")
        return 1.0

    tuner = made(run, max_retries_per_trial=2)
    tuner.search(verbose=0)
    assert [len(set(drawn)) for drawn in zip(*attempts, strict=True)] == [3, 9, 9]  # what fails is not drawn again
    assert [trial.status for trial in tuner.oracle.trials.values()] == ["COMPLETED"] * 3
    assert [trial.state for trial in only_study().trials] == [State.COMPLETED] * 3
    assert "retries left" in capsys.readouterr().out


@pytest.mark.medium
def test_too_many_failures_in_a_row_end_the_search_as_there(made):
    def run(hp):
        hp.Int("a", 0, 99)
        raise ValueError("broken")

    tuner = made(run, max_trials=9, max_consecutive_failed_trials=2)
    with pytest.raises(RuntimeError, match="consecutive failures exceeded the limit of 2"):
        tuner.search()
    assert [trial.state for trial in only_study().trials] == [State.FAILED] * 2
    assert only_study().trials[0].error == "ValueError: broken"


@pytest.mark.medium
def test_failures_that_nobody_limits_end_nothing(made):
    def run(hp):
        hp.Int("a", 0, 99)
        raise ValueError("broken")

    tuner = made(run, max_trials=4, max_consecutive_failed_trials=99)
    tuner.search()
    assert len(tuner.oracle.trials) == len(only_study().trials) == 4


@pytest.mark.medium
def test_a_failed_trial_error_is_not_tried_again(tuners, made):
    attempts = []

    def run(hp):
        attempts.append(hp.Int("a", 0, 99))
        raise tuners.errors.FailedTrialError("infeasible")

    made(run, max_retries_per_trial=3, max_consecutive_failed_trials=99).search()
    assert len(attempts) == 3


@pytest.mark.medium
def test_a_score_that_is_no_number_is_tried_again_and_fails(made):
    attempts = []

    def run(hp):
        attempts.append(hp.Int("a", 0, 99))
        return float("nan")

    tuner = made(run, max_trials=2, max_retries_per_trial=1, max_consecutive_failed_trials=99)
    tuner.search()
    assert len(attempts) == 4 and {trial.status for trial in tuner.oracle.trials.values()} == {"FAILED"}
    assert [trial.state for trial in only_study().trials] == [State.FAILED] * 2


@pytest.mark.medium
def test_an_infinite_score_is_one_for_the_oracle(made):
    tuner = made(lambda hp: float("inf") if hp.Int("a", 0, 99) else 0.0, max_trials=2)
    tuner.search()
    assert [trial.status for trial in tuner.oracle.trials.values()] == ["COMPLETED"] * 2


@pytest.mark.medium
def test_a_space_that_is_exhausted_ends_the_search(made):
    tuner = made(lambda hp: float(hp.Choice("a", [1, 2])), max_trials=9)
    tuner.search()
    assert 2 <= len(tuner.oracle.trials) <= 3
    assert len(only_study().trials) == len(tuner.oracle.trials)


@pytest.mark.medium
def test_metrics_that_run_trial_reports_itself(tuners):
    class Old(tuners.Tuner):
        def run_trial(self, trial, *args):
            trial.hyperparameters.Float("a", 0, 1)
            for step in range(3):
                self.oracle.update_trial(trial.trial_id, {"y": 3.0 - step, "other": step}, step=step)

    tuner = Old(
        oracle=tuners.oracles.RandomSearchOracle(objective=tuners.Objective("y", "min"), max_trials=2),
        directory="out",
        project_name="p",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        tuner.search()
    trial = tuner.oracle.get_best_trials()[0]
    assert (trial.score, trial.best_step) == (1.0, 2) and len(trial.metrics.get_history("other")) == 3
    assert [trial.score for trial in only_study().trials] == [1.0, 1.0]


@pytest.mark.medium
def test_arguments_arrive_as_they_are_given(tuners):
    seen = []

    class Seeing(tuners.engine.base_tuner.BaseTuner):
        def run_trial(self, trial, *args, **kwargs):
            seen.append((args, kwargs))
            return 0.0

        def load_model(self, trial):
            return f"model {trial.trial_id}"

    hp = tuners.HyperParameters()
    hp.Int("a", 0, 99)
    oracle = tuners.oracles.RandomSearchOracle(max_trials=2, hyperparameters=hp)
    tuner = Seeing(oracle, directory="out", project_name="p")
    assert tuner.remaining_trials == 2
    marker = object()
    tuner.search(marker, other=marker)
    assert seen == [((marker,), {"other": marker})] * 2
    assert tuner.remaining_trials == 0 and tuner.get_best_models(2) == ["model 0", "model 1"]


@pytest.mark.medium
def test_verbosity_is_the_oracles(made, capsys):
    made(lambda hp: hp.Float("a", 0, 1)).search(verbose=0)
    assert "Trial" not in capsys.readouterr().out
    made(lambda hp: hp.Float("a", 0, 1), project="q").search(verbose="auto")
    assert "Search: Running Trial #1" in capsys.readouterr().out


@pytest.mark.medium
def test_a_search_goes_on_with_more_trials_and_the_same_proposals(made):
    def run(hp):
        return hp.Float("a", 0, 1) + hp.Int("b", 0, 1000)

    whole = made(run, max_trials=6, project="whole")
    whole.search()
    made(run, max_trials=3).search()
    again = made(run, max_trials=6)
    assert again.remaining_trials == 3
    again.search()
    values = [[t.hyperparameters.values for t in in_order(tuner.oracle)] for tuner in (whole, again)]
    assert values[0] == values[1]
    assert [len(study.trials) for study, _ in studies("out").values()] == [6, 6]


@pytest.mark.medium
@pytest.mark.parametrize("options", [{"max_trials": 7}, {"max_trials": None}])
def test_a_grid_goes_on_where_it_was(made, options):
    def run(hp):
        return float(hp.Choice("a", [1, 2, 3]) * 10 + hp.Int("b", 1, 3))

    made(run, oracle="GridSearchOracle", max_trials=4).search()
    tuner = made(run, oracle="GridSearchOracle", **options)
    tuner.search()
    values = [tuple(trial.hyperparameters.values.values()) for trial in tuner.oracle.trials.values()]
    assert len(values) == len(set(values)) == (9 if options["max_trials"] is None else 7)


@pytest.mark.medium
def test_a_project_that_keras_tuner_alone_began_is_gone_on_with(tmp_path, monkeypatch):
    import tuning.keras_tuner as kt

    monkeypatch.chdir(tmp_path)

    class Given(kt.Tuner):
        def run_trial(self, trial, *args, **kwargs):
            return trial.hyperparameters.Float("a", 0, 1)

    def tuner(max_trials):
        oracle = kt.oracles.RandomSearchOracle(max_trials=max_trials, seed=1)
        return Given(oracle=oracle, directory="out", project_name="p")

    kt.uninstall()
    tuner(2).search(verbose=0)
    assert not list(tmp_path.glob("out/p/trials.db"))
    kt.install()
    again = tuner(4)
    again.search(verbose=0)
    study = only_study()
    assert [trial.score for trial in study.trials] == [trial.score for trial in in_order(again.oracle)]
    assert len(study.trials) == 4 and {trial.state for trial in study.trials} == {State.COMPLETED}


@pytest.mark.medium
@pytest.mark.parametrize(
    ("oracle", "options"),
    [
        ("RandomSearchOracle", {"max_trials": 8}),
        ("BayesianOptimizationOracle", {"max_trials": 6, "num_initial_points": 5}),
        ("HyperbandOracle", {"max_epochs": 4, "factor": 2}),
        ("GridSearchOracle", {"max_trials": 8}),
    ],
)
def test_the_same_seed_gives_the_trials_that_keras_tuner_alone_makes(tmp_path, monkeypatch, oracle, options):
    import tuning.keras_tuner as kt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TUNE_WORKERS", "1")

    def cost(hp):
        deep = hp.Boolean("deep")
        with hp.conditional_scope("deep", [True]):
            units = hp.Int("units", 8, 64, step=2, sampling="log") if deep else 0
        return (hp.Float("rate", 1e-4, 1.0, sampling="log") - 0.1) ** 2 + units / 100

    class Given(kt.Tuner):
        def run_trial(self, trial, *args, **kwargs):
            return cost(trial.hyperparameters)

    def trials(project):
        hp = kt.HyperParameters()
        cost(hp)
        made = getattr(kt.oracles, oracle)(seed=7, hyperparameters=hp, **options)
        tuner = Given(made, directory="out", project_name=project)
        tuner.search(verbose=0)
        return {i: (trial.hyperparameters.values, trial.score) for i, trial in tuner.oracle.trials.items()}

    kt.uninstall()
    try:
        alone = trials("alone")
    finally:
        kt.install()
    assert trials("ours") == alone and len(tuning.load("out/ours").trials) == len(alone) >= 6


def test_what_fails_before_the_tuner_comes_to_it_has_failed_for_the_oracle_too(made, monkeypatch):
    from tuning.keras_tuner.space import TunerSpace

    def unreadable(self, trial_id):
        raise OSError("unreadable")

    monkeypatch.setattr(TunerSpace, "trial", unreadable)
    tuner = made(lambda hp: hp.Float("a", 0, 1))
    tuner.search()
    assert {trial.status for trial in tuner.oracle.trials.values()} == {"FAILED"}
    assert "OSError: unreadable" in tuner.oracle.trials["0"].message
    assert {trial.state for trial in only_study().trials} == {State.FAILED}


@pytest.mark.medium
def test_the_oracle_that_a_worker_has_knows_the_trials_that_ended_since(made):
    from tuning.keras_tuner.space import TunerSpace

    tuner = made(lambda hp: hp.Float("a", 0, 1))
    space = TunerSpace(tuner, (), {})
    vars(space).update(space.__getstate__())  # as if it had been sent
    tuner.search()
    scores = {trial_id: trial.score for trial_id, trial in tuner.oracle.trials.items()}
    del tuner.oracle.trials["0"], tuner.oracle.trials["1"]
    tuner.oracle.trials["2"].score = None  # as where the worker itself has trained it
    assert space.trial("1").score == scores["1"]
    assert {trial_id: trial.score for trial_id, trial in tuner.oracle.trials.items()} == scores
    assert len(tuner.oracle.get_best_trials(3)) == 3


@pytest.mark.medium
def test_another_objective_begins_the_study_anew_and_a_programs_own_files_stay(tuners, made):
    first = made(lambda hp: hp.Float("a", 0, 1), max_trials=2)
    own = [Path(first.project_dir, name, "own.txt") for name in ("tensorboard", "checkpoints", "output", "final")]
    for path in own:
        path.parent.mkdir()
        path.write_text("mine")
    first.search()
    tuner = made(lambda hp: {"y": hp.Float("a", 0, 1)}, tuners.Objective("y", "max"))
    tuner.search()
    study = only_study()
    assert str(study.objective) == "y:max"
    assert [trial.score for trial in study.trials] == [trial.score for trial in in_order(tuner.oracle)]
    assert all(path.read_text() == "mine" for path in own)


@pytest.mark.medium
def test_a_score_that_the_oracle_gives_is_the_studys(tuners):
    class Doubling(tuners.oracles.RandomSearchOracle):
        def score_trial(self, trial):
            super().score_trial(trial)
            trial.score *= -2

    class Given(tuners.Tuner):
        def run_trial(self, trial, *args, **kwargs):
            return trial.hyperparameters.Float("a", 1, 2)

    tuner = Given(Doubling(max_trials=2, seed=1), directory="out", project_name="p")
    tuner.search()
    scores = [trial.score for trial in in_order(tuner.oracle)]
    assert [trial.score for trial in only_study().trials] == scores and max(scores) <= -2


@pytest.mark.medium
def test_a_state_that_a_tuner_has_after_a_trial_only(tuners):
    class Remembering(tuners.Tuner):
        def run_trial(self, trial, *args, **kwargs):
            self.seen = trial.trial_id
            return 0.0

        def get_state(self):
            return {"seen": self.seen}

        def set_state(self, state):
            self.seen = state["seen"]

    def tuner():
        oracle = tuners.oracles.RandomSearchOracle(max_trials=1, seed=1)
        return Remembering(oracle, directory="out", project_name="p")

    tuner().search()
    assert tuner().seen == "0"
